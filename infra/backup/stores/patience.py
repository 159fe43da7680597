"""How long a store on a network is waited for before it counts as unavailable."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")

BACKOFF_BASE = 2


@dataclass(frozen=True, slots=True)
class Patience:
    """The bounds of one call to a store; a server that refuses connections is given up after about ten seconds."""

    connect_s: float = 10
    """For a connection to be made."""
    stall_s: float = 30
    """Without a byte of an answer that is being read."""
    request_s: float = 300
    """For one request with its answer; an object of 64 MiB then needs 1.8 Mbit/s."""
    retries: int = 6
    """Of a request that failed on its way, or that the server was too busy for."""
    retry_s: float = 60
    """After which a failed request is not sent once more."""
    backoff_s: float = 0.2
    """Before the first retry; each next one waits twice as long, at most `backoff_max_s`, less a random part."""
    backoff_max_s: float = 5

    def retrying(self, attempt: Callable[[], Result], failed: type[Exception]) -> Result:
        """Return what an attempt does; it is made again after each error of the class `failed` within the bounds."""
        begun = time.monotonic()
        for retry in range(self.retries):
            try:
                return attempt()
            except failed:
                pause = min(self.backoff_max_s, self.backoff_s * BACKOFF_BASE**retry) * random.uniform(0.5, 1)  # noqa: S311 (chance spreads writers out, and protects nothing)
                if time.monotonic() - begun + pause > self.retry_s:
                    raise
                time.sleep(pause)
        return attempt()
