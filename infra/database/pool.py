"""A pool that lends open connections, so that a transaction does not pay for opening one."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from domain.errors import Unavailable
from infra.database.session import LOCK_TIMEOUT_S

Connection = TypeVar("Connection")


class Pool(Generic[Connection]):
    """Lends at most `size` connections at a time; the newest idle one first, a new one if none is idle.

    `is_idle` tells whether a connection that comes back can serve again; otherwise it is closed.
    """

    def __init__(
        self,
        name: str,
        *,
        size: int,
        connect: Callable[[], Connection],
        is_idle: Callable[[Connection], bool],
        close: Callable[[Connection], None],
    ) -> None:
        self._name = name
        self._connect = connect
        self._is_idle = is_idle
        self._close = close
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._is_closed = False

    def take(self) -> Connection:
        """Lend a connection; every one taken must be given back. Raises `Unavailable` after `LOCK_TIMEOUT_S`."""
        if not self._free.acquire(timeout=LOCK_TIMEOUT_S):
            raise Unavailable(f"{self._name}: no connection became free within {LOCK_TIMEOUT_S} s, try again later")
        try:
            with self._lock:
                if self._is_closed:
                    raise Unavailable(f"{self._name} was closed, open it again")
                if self._idle:
                    return self._idle.pop()
            return self._connect()
        except BaseException:
            self._free.release()
            raise

    def give_back(self, connection: Connection) -> None:
        try:
            with self._lock:
                if keep := not self._is_closed and self._is_idle(connection):
                    self._idle.append(connection)
            if not keep:
                self._close(connection)
        finally:
            self._free.release()

    def close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            self._close(connection)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
        self.close_idle()
