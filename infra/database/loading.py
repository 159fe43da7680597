"""Loading: bulk inserts of one session on a thread of its own, while the caller prepares the next rows."""

import sys
from collections.abc import Sequence
from queue import Queue
from threading import Thread
from typing import NamedTuple, Self

from infra.database.session import Session

PAGES_AHEAD_MAX = 3
"""How many pages wait at most: enough to keep both sides busy, and few enough to stay small."""
SWITCH_INTERVAL_S = 0.0003


class _Page(NamedTuple):
    table: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


class Loading:
    """A context in which only the thread uses the session; when it ends without an error, all rows are inserted.

    The thread mostly waits for the engine, and meanwhile the caller computes: both cores are busy. An error of the
    engine is raised by the next `put`, or at the end of the context.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: Queue[_Page | None] = Queue(PAGES_AHEAD_MAX)
        self._thread = Thread(target=self._work, name="loading", daemon=True)
        self._error: BaseException | None = None

    def put(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Have rows inserted after all those put before; the caller changes them no more."""
        self._raise()
        if rows:
            self._waiting.put(_Page(table, columns, rows))

    def __enter__(self) -> Self:
        # A thread that comes back from the engine waits so long for one that computes, some twenty times a page.
        self._switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._waiting.put(None)
        self._thread.join()
        sys.setswitchinterval(self._switch_interval_s)
        if kind is None:
            self._raise()

    def _work(self) -> None:
        while (page := self._waiting.get()) is not None:
            if self._error is not None:
                continue  # take what comes, so that the caller never waits for a place
            try:
                self._session.bulk_insert(*page)
            except BaseException as error:  # noqa: BLE001, raised again in the caller's thread
                self._error = error

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
