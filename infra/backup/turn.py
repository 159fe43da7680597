"""The turn of a rekeying: while it takes a step other runs on the same store wait; it ships their records too.

Nothing but progress rests on it: a step takes longer than a small run, and would lose every race against a watch.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infra.database.session import Database
from infra.log import head, local_fact

FACT = "rekeying-until"
STEP_US_MAX = 60 * 1_000_000
"""A step that takes longer may lose its race; a rekeying that was killed holds up others no longer than this."""

LOOK_S = 0.2


@contextmanager
def taken(database: Database) -> Iterator[None]:
    """Have other runs wait until this ends."""
    with database.write() as session:
        head.read(session, lock=True)
        local_fact.put(session, FACT, str(session.now_us() + STEP_US_MAX).encode())
    try:
        yield
    finally:
        with database.write() as session:
            head.read(session, lock=True)
            local_fact.delete(session, [FACT])


def wait(database: Database, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait while a rekeying takes a step; a clock that was set back is no reason to wait longer."""
    while _is_taken(database):
        sleep(LOOK_S)


def _is_taken(database: Database) -> bool:
    with database.read() as session:
        fact = local_fact.get(session, FACT)
        return fact is not None and 0 < int(fact) - session.now_us() <= STEP_US_MAX
