"""A request to stop, which the handler of a signal may make."""

import os
import select
from contextlib import suppress


class StopRequest:
    """As `threading.Event`, whose `set` may wait for ever for the lock of the very `wait` that a signal interrupts.

    Ends with `close`.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._heard, self._told = os.pipe()
        os.set_blocking(self._told, False)

    def set(self) -> None:
        """Request it, also in the midst of `wait`."""
        self._is_set = True
        with suppress(BlockingIOError):  # told often enough
            os.write(self._told, b"\0")

    def is_set(self) -> bool:
        """Whether it was requested."""
        return self._is_set

    def wait(self, timeout: float) -> bool:
        """Wait at most so many seconds until it is requested, and say whether it is."""
        if not self._is_set:
            select.select([self._heard], [], [], timeout)
        return self._is_set

    def close(self) -> None:
        """Give up what it holds."""
        os.close(self._heard)
        os.close(self._told)
