"""Loading: rows reach the tables in their order beside the caller's work, and every error reaches the caller."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Conflict
from infra.database.loading import Loading
from infra.database.session import Database
from infra.database.url import open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/loading.db", create=True)
    with database.write() as session:
        session.execute_script("CREATE TABLE numbers (n INTEGER PRIMARY KEY);")
    yield database
    database.close()


def numbers(database: Database) -> list[int]:
    with database.read() as session:
        return [n for (n,) in session.execute("SELECT n FROM numbers ORDER BY n")]


def test_all_rows_are_there_when_the_context_ends(database: Database) -> None:
    with database.write() as session:
        with Loading(session) as loading:
            for page in range(20):
                loading.put("numbers", ("n",), [(page * 10 + n,) for n in range(10)])
            loading.put("numbers", ("n",), [])
        assert session.execute("SELECT count(*) FROM numbers") == [(200,)]
    assert numbers(database) == list(range(200))


def test_an_error_of_the_engine_is_raised_in_the_caller_and_nothing_is_stored(database: Database) -> None:
    with pytest.raises(Conflict), database.write() as session, Loading(session) as loading:
        for _ in range(20):
            loading.put("numbers", ("n",), [(1,)])
    assert numbers(database) == []


def test_an_error_of_the_caller_ends_the_thread_and_stays_what_it_is(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as session, Loading(session) as loading:
        loading.put("numbers", ("n",), [(1,)])
        raise ZeroDivisionError
    assert numbers(database) == []


def test_threads_change_hands_as_before_when_the_context_has_ended(database: Database) -> None:
    before = sys.getswitchinterval()
    with database.write() as session, Loading(session):
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before
