"""The peer of reading: the same rows in a bare temporal table, with the two indexes that its manual would give it."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmark.server import connected

INDEXES = (
    "CREATE INDEX bare_resource ON bare (resource, valid_from)",
    "CREATE INDEX bare_ended ON bare (valid_to, valid_from)",
)
AS_OF = "valid_from <= {0} AND valid_to > {0}"
COUNT = f"SELECT kind, count(*) FROM bare WHERE {AS_OF} AND length(state) > 0 GROUP BY kind ORDER BY kind"  # noqa: S608
ROWS = f"SELECT kind, sequence, state FROM bare WHERE {AS_OF} AND length(state) > 0 ORDER BY resource"  # noqa: S608
ONE = f"SELECT kind, sequence, state FROM bare WHERE resource = {{0}} AND {AS_OF} ORDER BY valid_from DESC LIMIT 1"  # noqa: S608

FULL_JOIN = f"""
WITH before AS (SELECT resource, state FROM bare WHERE {AS_OF} AND length(state) > 0),
     after AS (SELECT resource, state FROM bare WHERE {AS_OF} AND length(state) > 0)
SELECT resource, before.state, after.state FROM before FULL JOIN after USING (resource)
WHERE before.state IS DISTINCT FROM after.state ORDER BY resource
"""  # noqa: S608

GROUPED = f"""
SELECT resource, max(old), max(new) FROM (
    SELECT resource, state AS old, NULL AS new FROM bare WHERE {AS_OF} AND length(state) > 0
    UNION ALL
    SELECT resource, NULL, state FROM bare WHERE {AS_OF} AND length(state) > 0
) GROUP BY resource HAVING max(old) IS NOT max(new) ORDER BY resource
"""  # noqa: S608
"""The full join on SQLite, which would join two such subqueries without an index."""


@dataclass(frozen=True, slots=True)
class Table:
    """The table, and how it is asked."""

    execute: Callable[[Any, Sequence[object]], Any]
    mark: str
    diff: str

    def ask(self, sql: str, *values: object) -> int:
        """Run a query and return how many rows it gave."""
        statement = sql.format(self.mark)
        return sum(1 for _ in self.execute(statement if self.mark == "?" else statement.encode(), values))


def make_sqlite(source: Path, path: Path) -> None:
    """Copy the versions of a store into a file of their own."""
    connection = sqlite3.connect(path)
    connection.execute("ATTACH ? AS source", (f"{source}",))
    connection.execute("CREATE TABLE bare AS SELECT * FROM source.versions ORDER BY valid_from")
    for statement in (*INDEXES, "ANALYZE"):
        connection.execute(statement)
    connection.commit()
    connection.close()


def make_postgres(url: str) -> None:
    """Copy the versions of a store into a table beside them, unless it is there."""
    with connected(url) as connection:
        if connection.execute("SELECT to_regclass('bare')").fetchone() != (None,):
            return
        connection.execute("CREATE TABLE bare AS SELECT * FROM versions ORDER BY valid_from")
        for statement in INDEXES:
            connection.execute(statement.encode())
    with connected(url) as connection:
        connection.autocommit = True
        connection.execute("VACUUM (ANALYZE) bare")
        connection.execute("CHECKPOINT")


@contextmanager
def opened(place: str) -> Iterator[Table]:
    """Open the table at a path or URL, in one transaction."""
    if place.startswith("postgresql:"):
        with connected(place) as connection:
            yield Table(connection.cursor(binary=True).execute, "%s", FULL_JOIN)
    else:
        file = sqlite3.connect(place, isolation_level=None)
        file.execute("BEGIN")
        yield Table(file.execute, "?", GROUPED)
        file.close()


def count(table: Table, position: int) -> int:
    """Count by kind."""
    return table.ask(COUNT, position, position)


def rows(table: Table, position: int) -> int:
    """Read all rows."""
    return table.ask(ROWS, position, position)


def one(table: Table, resource: str, position: int) -> int:
    """Read one row."""
    return table.ask(ONE, resource, position, position)


def diff(table: Table, before: int, after: int) -> int:
    """Join both states."""
    return table.ask(table.diff, before, before, after, after)
