"""The limit: the rows of recorded changes, put into the same indexed tables by the database alone."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from infra.control_plane import store
from infra.database.url import open_database
from scripts.benchmark import rows
from scripts.benchmark.rows import TABLES, Left, Rows, packed
from scripts.benchmark.server import connected
from scripts.benchmark.worker import Stopwatch

COPIES = {
    table: f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)".encode()
    for table, columns in TABLES.items()
}

Batch = TypeVar("Batch")


def sqlite(stopwatch: Stopwatch, url: str, path: str, changes: int) -> None:
    """Insert by `executemany`, in a transaction for so many changes."""
    store.ensure_empty(open_database(url, create=True))
    connection = sqlite3.connect(Path(url.removeprefix("sqlite:///")), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    statements = {table: _statement(table, "?") for table in TABLES}

    def insert(batch: Rows) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for table, statement in statements.items():
            connection.executemany(statement, batch[table])
        connection.execute("COMMIT")

    _insert(stopwatch, rows.read(path), changes, insert, lambda batch: batch)
    connection.close()


def postgres(stopwatch: Stopwatch, url: str, path: str) -> None:
    """Insert by prepared statements that travel together, in a transaction for each change."""
    connection = _empty(url)
    statements = {table: _statement(table, "%s").encode() for table in TABLES}

    def insert(batch: Rows) -> None:
        with connection.pipeline(), connection.transaction(), connection.cursor() as cursor:
            for table, statement in statements.items():
                for row in batch[table]:
                    cursor.execute(statement, row, prepare=True)

    left = rows.read(path)
    _copy(connection, _packed(left.before()))
    with stopwatch.measuring(left.events):
        for batch in left.batches(1):
            insert(batch)
    connection.close()


def postgres_copy(stopwatch: Stopwatch, url: str, path: str, changes: int) -> None:
    """Insert by binary COPY of bytes that lie ready, in a transaction for so many changes."""
    connection = _empty(url)
    _insert(stopwatch, rows.read(path), changes, lambda batch: _copy(connection, batch), _packed)
    connection.close()


def _insert(
    stopwatch: Stopwatch, left: Left, changes: int, insert: Callable[[Batch], None], ready: Callable[[Rows], Batch]
) -> None:
    """Insert the estate, and then the changes against the clock."""
    insert(ready(left.before()))
    batches = [ready(batch) for batch in left.batches(changes)]
    with stopwatch.measuring(left.events):
        for batch in batches:
            insert(batch)


def _statement(table: str, mark: str) -> str:
    columns = TABLES[table]
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([mark] * len(columns))})"  # noqa: S608, our own names


def _empty(url: str) -> psycopg.Connection[Any]:
    """Make the tables of a store with their indexes, and connect to them."""
    database = open_database(url, create=True)
    store.ensure_empty(database)
    database.close()
    return connected(url)


def _copy(connection: psycopg.Connection[Any], batch: dict[str, bytes]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        for table, data in batch.items():
            with cursor.copy(COPIES[table]) as copy:
                copy.write(data)


def _packed(batch: Rows) -> dict[str, bytes]:
    return {table: packed(given) for table, given in batch.items() if given}
