"""Watching: ships new records as they come, has a backup verified at the set times, and goes on through failures."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from domain.errors import ResurgamError, Unavailable
from infra.backup.stores.stoppable import Stopped
from projections.expiry import Expiry

FIRST_DELAY_S = 1.0
SHIPPING_DELAY_MAX_S = 60.0
VERIFYING_DELAY_S = 60.0
VERIFYING_DELAY_MAX_S = 3_600.0
EXPIRY_S = 3_600.0
"""How often it is looked what runs out."""
EXPIRY_TOLD_S = 86_400.0
"""How often it is told, if nothing about it changes."""
EXPIRY_DELAY_S = 60.0
KEYRING_S = 3_600.0
"""How long a new base of a large keyring may wait after the last one; once keys were destroyed, one is due."""
LOOK_S = 1.0
"""How often a verification that is under way is looked at."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A backup: up to `position` everything is in the repository, and was read back. `is_new` if it wrote anything.

    It may have begun its keyring anew, or put that off: then its keyring files still hold keys that were destroyed.
    """

    sequence: int
    position: int
    records: int
    size_bytes: int
    is_new: bool
    is_new_keyring: bool = False
    holds_destroyed_keys: bool = False


class Source(Protocol):
    """What is shipped, and where to."""

    def position(self) -> int:
        """Return the last position of the log; takes no longer with a longer log."""

    def ship(self, *, spares_keyring: bool) -> Shipped:
        """Back up whatever is new; raises Stopped if it was told to stop before it came to its manifest.

        If it `spares_keyring`, no large one is begun anew because keys were destroyed.
        """

    def verified_age_s(self) -> int | None:
        """Return how old the newest verified backup is; None if there is none, or nobody can tell."""

    def expiring(self) -> Sequence[Expiry]:
        """Return what the deployment and its backups depend on and that has expired, or will within 90 days."""


@dataclass(frozen=True, slots=True)
class VerifiedRun:
    """A verified backup that was made."""

    sequence: int
    position: int
    attestation: str


class Verification(Protocol):
    """Makes a verified backup beside the shipping."""

    def start(self) -> None:
        """Begin."""

    def result(self) -> VerifiedRun | None:
        """Return what came of it; None while it is under way. Raises what went wrong."""

    def stop(self) -> None:
        """End it if it is under way, and leave nothing behind."""


class Listener(Protocol):
    """Who is told what happens."""

    def shipped(self, backup: Shipped) -> None:
        """Tell of a backup."""

    def verified(self, run: VerifiedRun) -> None:
        """Tell of a verified backup."""

    def warn(self, found: Sequence[Expiry]) -> None:
        """Tell what runs out."""

    def failing(self, what: str, error: ResurgamError, retry_s: float) -> None:
        """Tell that something begins to fail, or fails in another way than before."""

    def back(self, what: str, failed_s: float) -> None:
        """Tell that it is well again."""


class Stopping(Protocol):
    """Whether to stop, as threading.Event says it."""

    def is_set(self) -> bool:
        """Whether it was requested."""

    def wait(self, timeout: float) -> bool:
        """Wait at most so many seconds until it is requested."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look for new records, and to verify."""

    every_s: float
    verified_every_s: float


class Backoff:
    """Delays between attempts: each twice as long as the one before up to a greatest, and up to a half less by chance.

    So the writers of many deployments do not come back to a place all at once.
    """

    def __init__(self, first_s: float, max_s: float, chance: Callable[[], float] = random.random) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._chance = chance
        self._failures = 0

    def next_s(self) -> float:
        """Return the delay after one more failure."""
        delay_s = min(self._max_s, self._first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return delay_s * (1 - self._chance() / 2)

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0


class _Duty:
    """Something to do again and again: when it is due, and since when it fails. Times are monotonic."""

    def __init__(self, what: str, backoff: Backoff, listener: Listener, now_s: Callable[[], float]) -> None:
        self._what = what
        self._backoff = backoff
        self._listener = listener
        self._now_s = now_s
        self._failing_since: float | None = None
        self._cause: type[ResurgamError] | None = None
        self.due_s = now_s()

    @property
    def is_failing(self) -> bool:
        return self._failing_since is not None

    def left_s(self) -> float:
        return max(0.0, self.due_s - self._now_s())

    def done(self, again_s: float) -> None:
        self.due_s = self._now_s() + again_s
        self._backoff.reset()
        if self._failing_since is not None:
            self._listener.back(self._what, self._now_s() - self._failing_since)
        self._failing_since = self._cause = None

    def failed(self, error: ResurgamError) -> None:
        retry_s = self._backoff.next_s()
        self.due_s = self._now_s() + retry_s
        if self._failing_since is None:
            self._failing_since = self._now_s()
        if self._cause is not type(error):
            self._cause = type(error)
            self._listener.failing(self._what, error, retry_s)


class Watch:
    """One deployment that is watched, until `stopping` is set; the host's clock may jump as it likes."""

    def __init__(
        self,
        source: Source,
        verification: Verification,
        listener: Listener,
        pace: Pace,
        stopping: Stopping,
        *,
        now_s: Callable[[], float] = monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._source = source
        self._verification = verification
        self._listener = listener
        self._pace = pace
        self._stopping = stopping
        self._now_s = now_s
        self._wait = wait or stopping.wait
        self._shipping = _Duty("shipping", Backoff(FIRST_DELAY_S, SHIPPING_DELAY_MAX_S), listener, now_s)
        self._verifying = _Duty("verifying", Backoff(VERIFYING_DELAY_S, VERIFYING_DELAY_MAX_S), listener, now_s)
        self._expiry = _Duty("looking at what runs out", Backoff(EXPIRY_DELAY_S, EXPIRY_S), listener, now_s)
        self._shipped: int | None = None
        self._holds_destroyed_keys = False
        self._keyring_due_s = now_s()
        self._is_verifying = False
        self._told: frozenset[Expiry] = frozenset()
        self._told_s = -EXPIRY_TOLD_S

    def run(self) -> None:
        """Watch until told to stop.

        What is wrong at the first attempt is raised, unless waiting may help: an operator is looking. Later nothing is
        given up.
        """
        try:
            while not self._stopping.is_set():
                self._turn()
                self._wait(self._left_s())
        except Stopped:
            pass
        finally:
            self._verification.stop()

    def _turn(self) -> None:
        if not self._shipping.left_s():
            self._ship()
        if self._shipped is None:
            return
        if not self._expiry.left_s() and not self._shipping.is_failing:
            self._look_at_expiry()
        if self._is_verifying:
            self._look_at_verification()
        elif not self._verifying.left_s() and not self._shipping.is_failing:
            self._begin_verification()

    def _left_s(self) -> float:
        left_s = self._shipping.left_s()
        if self._is_verifying:
            return min(left_s, LOOK_S)
        if self._shipped is None or self._shipping.is_failing:
            return left_s
        return min(left_s, self._verifying.left_s(), self._expiry.left_s())

    def _ship(self) -> None:
        try:
            position = self._source.position()
            spares_keyring = self._now_s() < self._keyring_due_s
            if self._shipped != position or (self._holds_destroyed_keys and not spares_keyring):
                backup = self._source.ship(spares_keyring=spares_keyring)
                if self._shipped is None:
                    self._verifying.due_s = self._now_s() + self._until_verification_s()
                if backup.is_new or self._shipped is None:
                    self._listener.shipped(backup)
                self._shipped = backup.position
                self._holds_destroyed_keys = backup.holds_destroyed_keys
                if backup.is_new_keyring:
                    self._keyring_due_s = self._now_s() + KEYRING_S
        except ResurgamError as error:
            if self._shipped is None and not isinstance(error, Unavailable):
                raise
            self._shipping.failed(error)
        else:
            self._shipping.done(self._pace.every_s)

    def _until_verification_s(self) -> float:
        """Return what is left of the time since the last verified backup, which another process may have made."""
        age_s = self._source.verified_age_s()
        return 0.0 if age_s is None else max(0.0, self._pace.verified_every_s - age_s)

    def _begin_verification(self) -> None:
        try:
            self._verification.start()
            self._is_verifying = True
        except ResurgamError as error:
            self._verifying.failed(error)

    def _look_at_expiry(self) -> None:
        """Tell what runs out when there is anything new about it, and once a day."""
        try:
            found = self._source.expiring()
        except ResurgamError as error:
            self._expiry.failed(error)
            return
        self._expiry.done(EXPIRY_S)
        is_due = self._now_s() - self._told_s >= EXPIRY_TOLD_S
        if found and (is_due or not self._told.issuperset(found)):
            self._listener.warn(found)
            self._told_s = self._now_s()
        self._told = frozenset(found)

    def _look_at_verification(self) -> None:
        try:
            result = self._verification.result()
        except ResurgamError as error:
            self._is_verifying = False
            self._verifying.failed(error)
            return
        if result is not None:
            self._is_verifying = False
            self._listener.verified(result)
            self._verifying.done(self._pace.verified_every_s)
