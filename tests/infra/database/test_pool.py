"""Lending connections: no one that is broken comes back, and no failure uses the pool up."""

import sqlite3
from collections.abc import Callable

import pytest

from domain.errors import Unavailable
from infra.database import pool
from infra.database.pool import Pool


def make_pool(connect: Callable[[], sqlite3.Connection]) -> Pool[sqlite3.Connection]:
    return Pool(
        "store",
        size=2,
        connect=connect,
        is_idle=lambda connection: not connection.in_transaction,
        close=sqlite3.Connection.close,
    )


def memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def is_open(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True


def test_an_idle_connection_is_lent_again() -> None:
    connections = make_pool(memory)
    first = connections.take()
    connections.give_back(first)
    assert connections.take() is first


def test_a_connection_that_is_still_in_a_transaction_is_closed_instead() -> None:
    connections = make_pool(memory)
    first = connections.take()
    first.execute("BEGIN")
    connections.give_back(first)
    assert not is_open(first)
    assert connections.take() is not first


def test_no_more_connections_are_lent_than_the_pool_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LOCK_TIMEOUT_S", 0.01)
    connections = make_pool(memory)
    first, _ = connections.take(), connections.take()
    with pytest.raises(Unavailable, match="no connection became free"):
        connections.take()
    connections.give_back(first)
    assert connections.take() is first


def test_failed_attempts_to_connect_do_not_use_up_the_pool() -> None:
    outcomes = iter([OSError(), OSError(), OSError(), None])

    def connect() -> sqlite3.Connection:
        if error := next(outcomes):
            raise error
        return memory()

    connections = make_pool(connect)
    for _ in range(3):
        with pytest.raises(OSError):  # noqa: PT011 (it says no more)
            connections.take()
    assert is_open(connections.take())


def test_a_connection_that_comes_back_after_the_close_is_closed() -> None:
    connections = make_pool(memory)
    lent, idle = connections.take(), connections.take()
    connections.give_back(idle)
    connections.close()
    assert not is_open(idle)
    assert is_open(lent)
    connections.give_back(lent)
    assert not is_open(lent)
    with pytest.raises(Unavailable, match="was closed"):
        connections.take()
