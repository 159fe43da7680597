"""The head among many writers: each sees what the one before it wrote, and the way to it does not lengthen."""

import multiprocessing
import re
import threading
from collections.abc import Iterator, Sequence

import pytest

from infra.database.session import Database, Session
from infra.database.url import open_database
from infra.log import head
from infra.log.head import NEWEST, Head
from infra.log.merkle import leaf_hash
from projections.digest import Digest
from tests.infra.log.stores import opened

WRITERS = 8
ROUNDS = 40
MANY = 1_000
BLOCKS_MAX = 12
"""What an index and its row take; the replaced rows of MANY commits fill some 40."""

PROCESSES = multiprocessing.get_context("forkserver")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An open store on each engine in turn."""
    database = opened(store_url)
    yield database
    database.close()


def grow(session: Session, at: Head) -> Head:
    """Move a locked head by one record."""
    grown = at.grown([leaf_hash(b"%d" % at.position)], at.recorded_at + 1, Digest(at.position + 1, 0))
    session.apply([head.growth(at, grown)])
    return grown


def grow_often(database: Database, rounds: int) -> list[int]:
    """Move the head again and again, each time in a transaction; returns the positions that were found."""
    found = []
    for _ in range(rounds):
        with database.write() as session:
            at, *_ = head.lock_open(session)
            assert at.digest == Digest(at.position, 0)
            found.append(at.position)
            grow(session, at)
    return found


def grow_as_process(url: str) -> list[int]:
    """Be one of several processes that move the head."""
    database = open_database(url)
    try:
        return grow_often(database, ROUNDS)
    finally:
        database.close()


def check_each_followed_another(database: Database, found: Sequence[Sequence[int]]) -> None:
    assert sorted(position for positions in found for position in positions) == list(range(WRITERS * ROUNDS))
    with database.read() as session:
        assert head.read(session).position == WRITERS * ROUNDS
        assert session.execute("SELECT count(*) FROM log_head") == [(1,)]


@pytest.mark.parametrize("is_read", [False, True], ids=["alone", "while a long read is open"])
def test_each_of_many_threads_locks_what_the_one_before_it_wrote(database: Database, is_read: bool) -> None:
    found: list[list[int]] = [[] for _ in range(WRITERS)]

    def run(writer: int) -> None:
        found[writer] = grow_often(database, ROUNDS)

    threads = [threading.Thread(target=run, args=(writer,)) for writer in range(WRITERS)]
    with database.read() as reader:
        if is_read:
            assert head.read(reader).position == 0
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert head.read(reader).position == 0
    check_each_followed_another(database, found)


def test_each_of_many_processes_locks_what_the_one_before_it_wrote(database: Database, store_url: str) -> None:
    with PROCESSES.Pool(WRITERS) as pool:
        found = pool.map_async(grow_as_process, [store_url] * WRITERS, chunksize=1).get(timeout=120)
    check_each_followed_another(database, found)


def test_who_waits_for_the_lock_sees_what_was_written_meanwhile(fresh_postgres_url: str) -> None:
    database = opened(fresh_postgres_url)
    found: list[int] = []

    def wait() -> None:
        found.extend(grow_often(database, 1))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    with database.write() as session:
        at, *_ = head.lock_open(session)
        for thread in threads:
            thread.start()
        with database.read() as watching:
            while waiting(watching) < len(threads) and all(thread.is_alive() for thread in threads):
                threads[0].join(0.01)
        for _ in range(5):  # not only the row that they wait for is replaced, but also those after it
            at = grow(session, at)
    for thread in threads:
        thread.join()
    assert sorted(found) == [5, 6, 7]
    with database.read() as session:
        assert head.read(session).position == 8
    database.close()


def waiting(session: Session) -> int:
    """Return how many of the server's backends wait for a lock."""
    [(number,)] = session.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
    return int(number)


def test_rows_that_a_long_read_keeps_are_not_walked_through(fresh_postgres_url: str) -> None:
    database = opened(fresh_postgres_url)
    with database.read():
        grow_often(database, MANY)
        with database.write() as session:
            head.lock_open(session)
            assert blocks(session, f"{NEWEST} FOR UPDATE") <= BLOCKS_MAX
            assert blocks(session, f"UPDATE log_head SET position = {MANY + 1} WHERE position = {MANY}") <= BLOCKS_MAX
        with database.read() as session:
            assert blocks(session, NEWEST) <= BLOCKS_MAX
            assert blocks(session, "SELECT count(*) FROM log_head") > 2 * BLOCKS_MAX, "the rows are no longer there"
    database.close()


def blocks(session: Session, sql: str) -> int:
    """Return how many blocks a statement looks at."""
    lines = session.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF) {sql}")
    whole = next(line for (line,) in lines if "Buffers: shared" in line)
    return sum(map(int, re.findall(r"(?:hit|read)=(\d+)", whole)))
