"""The database contract on SQLite, and what only a file can get wrong."""

import multiprocessing
import os
import resource
import stat
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from domain.errors import Corrupt, Unavailable
from infra.database import pool, sqlite
from infra.database.session import Database
from infra.database.url import open_database
from tests.contracts.database import (
    BulkContract,
    ChangeContract,
    DatabaseContract,
    StatementContract,
    counted,
    database,
    increment,
    things,
)

__all__ = ["database"]


@pytest.fixture
def store(sqlite_url: str) -> str:
    return sqlite_url


class TestSqliteDatabase(DatabaseContract):
    pass


class TestSqliteStatements(StatementContract):
    pass


class TestSqliteBulk(BulkContract):
    pass


class TestSqliteChanges(ChangeContract):
    pass


def increment_often(store: str, times: int) -> None:
    opened = open_database(store)
    for _ in range(times):
        increment(opened)
    opened.close()


def test_writers_in_several_processes_exclude_each_other(database: Database, store: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=increment_often, args=(store, 50)) for _ in range(3)]
    for process in processes:
        process.start()
    for _ in range(50):
        increment(database)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert counted(database) == 200


def make_all(folder: Path, barrier: Barrier) -> None:
    for number in range(100):
        barrier.wait(60)
        opened = open_database(f"sqlite:///{folder}/{number}.db", create=True)
        with opened.write() as session:
            session.execute("CREATE TABLE IF NOT EXISTS here (n INTEGER)")
        opened.close()


def test_several_processes_may_make_the_same_store_at_once(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    processes = [spawn.Process(target=make_all, args=(tmp_path, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def write_and_die(store: str) -> None:
    with open_database(store).write() as session:
        session.execute("UPDATE counter SET n = 99")
        os._exit(1)


def test_a_writer_that_dies_leaves_nothing_and_locks_nobody_out(database: Database, store: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=write_and_die, args=(store,))
    process.start()
    process.join(60)
    increment(database)
    assert counted(database) == 1


def test_a_writer_gives_up_on_a_lock_that_is_held_too_long(
    database: Database, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_TIMEOUT_S", 0.2)
    other = open_database(store)
    with database.write():
        started = time.monotonic()
        with pytest.raises(Unavailable, match="another writer"), other.write():
            pass
    assert time.monotonic() - started >= 0.2
    other.close()


def test_a_writer_gives_up_on_a_busy_writer_of_its_own_process(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LOCK_TIMEOUT_S", 0.2)
    with database.write(), pytest.raises(Unavailable, match="no connection became free"), database.write():
        pass


def test_opening_never_makes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"
    with pytest.raises(Unavailable, match=f"no store at {path}.*initialise"):
        open_database(f"sqlite:///{path}")
    assert not path.exists()


def test_a_new_file_and_its_log_are_for_the_owner_only(database: Database, tmp_path: Path) -> None:
    assert {path.name for path in tmp_path.iterdir()} == {"store.db", "store.db-wal", "store.db-shm"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_creating_keeps_a_store_that_is_there(database: Database, store: str) -> None:
    increment(database)
    again = open_database(store, create=True)
    assert counted(again) == 1
    again.close()


def test_a_file_name_with_special_characters_is_taken_literally(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=memory#%20ü.db"
    database = sqlite.SqliteDatabase(path, create=True)
    assert path.exists()
    database.close()


@pytest.mark.parametrize("create", [False, True])
def test_a_folder_is_no_store(tmp_path: Path, create: bool) -> None:
    with pytest.raises(Unavailable, match="is a folder"):
        open_database(f"sqlite:///{tmp_path}", create=create)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"the folder of .*store\.db does not exist"):
        open_database(f"sqlite:///{tmp_path}/absent/store.db", create=True)


def test_a_folder_that_refuses_new_files_is_named() -> None:
    with pytest.raises(Unavailable, match=r"cannot make /proc/store\.db|/proc/store\.db does not exist"):
        open_database("sqlite:////proc/store.db", create=True)


@pytest.mark.parametrize("create", [False, True])
def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database at all\n" * 100)
    with pytest.raises(Corrupt, match=r"notes.txt: file is not a database"):
        open_database(f"sqlite:///{path}", create=create)


def test_a_damaged_page_is_corrupt(database: Database, store: str, tmp_path: Path) -> None:
    with database.write() as session:
        session.bulk_insert("thing", ("id", "name"), ((number, "x" * 100) for number in range(1_000)))
    database.close()
    path = tmp_path / "store.db"
    path.write_bytes(path.read_bytes()[:8192] + b"\xff" * (path.stat().st_size - 8192))
    damaged = open_database(store)
    with pytest.raises(Corrupt, match="malformed"):
        things(damaged)
    damaged.close()


def test_a_text_that_is_not_utf_8_is_corrupt_and_not_repeated(database: Database) -> None:
    with database.write() as session:
        session.execute("INSERT INTO thing (id, body) VALUES (1, CAST(? AS TEXT))", (b"canary\xff",))
    with pytest.raises(Corrupt, match="a text in it is not UTF-8") as caught:
        things(database)
    assert "canary" not in str(caught.value)


def test_a_full_disk_stores_nothing_and_the_next_write_goes_on(database: Database) -> None:
    with pytest.raises(Unavailable, match="full"), database.write() as session:
        session.execute("PRAGMA max_page_count = 10")
        session.bulk_insert("thing", ("id", "body"), ((number, bytes(4_000)) for number in range(100)))
    assert things(database) == []
    with database.write() as session:
        session.execute("PRAGMA max_page_count = 1000000")
        session.execute("INSERT INTO thing (id) VALUES (1)")
    assert len(things(database)) == 1


def test_a_disk_that_fills_up_at_the_commit_stores_nothing(database: Database, tmp_path: Path) -> None:
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    log_size = (tmp_path / "store.db-wal").stat().st_size
    try:
        with pytest.raises(Unavailable, match="disk I/O error"), database.write() as session:
            session.execute("INSERT INTO thing (id, body) VALUES (1, ?)", (bytes(100_000),))
            resource.setrlimit(resource.RLIMIT_FSIZE, (log_size, unlimited[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert things(database) == []
    increment(database)
    assert counted(database) == 1


def test_every_commit_reaches_the_disk(database: Database) -> None:
    with database.write() as session:
        assert session.execute("PRAGMA journal_mode") == [("wal",)]
        assert session.execute("PRAGMA synchronous") == [(2,)]


def test_what_was_replaced_is_overwritten_in_the_file(sqlite_url: str) -> None:
    """A shredded key must not survive in a free part of a page."""
    opened = open_database(sqlite_url, create=True)
    canary = os.urandom(24).hex().encode()
    with opened.write() as session:
        session.execute_script("CREATE TABLE kept (value BLOB NOT NULL);")
        session.bulk_insert("kept", ["value"], [(canary * 100,)] * 50)
    with opened.write() as session:
        session.execute("UPDATE kept SET value = ?", (b"",))
    opened.close()
    assert canary not in Path(sqlite_url.removeprefix("sqlite:///")).read_bytes()
