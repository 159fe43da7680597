"""A transaction on PostgreSQL: see `infra.database.session.Session`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus

from infra.database import postgres_binary
from infra.database.postgres_errors import translation
from infra.database.postgres_statements import Shape, apply_sql, each_sql, numbered
from infra.database.session import STREAM_PAGE_ROWS, CommitUnknown, Engine, Insert, Row, Update

COLUMN_TYPES: Final[Mapping[str, str]] = {"integer": "BIGINT", "text": 'TEXT COLLATE "C"', "bytes": "BYTEA"}

_NOW_US = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"

ColumnTypes = dict[Shape, tuple[int, ...]]
"""The types of columns, as the server told them once."""

Begin = Callable[[bytes], "psycopg.RawCursor[Row]"]
"""Opens a transaction together with a statement, which may be empty; the cursor stands on the statement's result."""


class PostgresSession:
    """See `infra.database.session.Session`."""

    engine: Final[Engine] = "postgresql"
    types = COLUMN_TYPES
    for_update: Final = " FOR UPDATE"

    def __init__(self, begin: Begin, store: str, column_types: ColumnTypes) -> None:
        """`begin` runs what opens a transaction on a connection of its choice, with the first statement if it can."""
        self._begin = begin
        self._store = store
        self._column_types = column_types
        self._begun: psycopg.RawCursor[Row] | None = None
        self._ending = b"ROLLBACK"
        self._stream_numbers = count(1)
        self._failure: Exception | None = None

    @property
    def connection(self) -> psycopg.Connection[Row] | None:
        """The connection that the transaction was begun on; None before the first statement."""
        return None if self._begun is None else self._begun.connection

    @property
    def changed(self) -> int:
        return self._cursor.rowcount

    @property
    def _cursor(self) -> psycopg.RawCursor[Row]:
        if self._begun is None:
            self._begun = self._begin(b"")
        return self._begun

    def begin_reading(self) -> None:
        """Begin now, not with the first statement, and change nothing."""
        self._ending = b"END"  # at a roll-back the driver would drop the statements that it prepared
        with self._translated():
            _ = self._cursor

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        with self._translated():
            self._cursor.execute(numbered(sql), parameters, binary=True)
            return self._cursor.fetchall() if self._cursor.description else []

    def execute_each(self, select: str, rows: Sequence[Sequence[object]]) -> list[list[Row]]:
        answers: list[list[Row]] = [[] for _ in rows]
        if not rows:
            return answers
        with self._translated():
            kinds = tuple(map(postgres_binary.kind_of, rows[0]))
            parameters = list(map(postgres_binary.array, kinds, zip(*rows, strict=True)))
            self._cursor.execute(each_sql(select, kinds), parameters, binary=True, prepare=True)
            for number, *row in self._cursor:
                answers[number - 1].append(tuple(row))
        return answers

    def lock(self, select: str) -> tuple[list[Row], int]:
        # The clock is read as rows come out of the part that locks them; in one SELECT it would be read before.
        sql = f"WITH locked AS MATERIALIZED ({select} FOR UPDATE) SELECT {_NOW_US}, * FROM locked"
        if self._begun is None:
            with self._translated():
                self._begun = self._begin(sql.encode())
                rows = self._begun.fetchall()
        else:
            rows = self.execute(sql)
        return [row[1:] for row in rows], rows[-1][0] if rows else self.now_us()

    def apply(self, changes: Sequence[Insert | Update]) -> None:
        changes = [change for change in changes if change.rows]
        if not changes:
            return
        with self._translated():
            forms = tuple([(change[:-1], self._types_of(change), len(change.rows) == 1) for change in changes])
            parameters: list[object] = []
            for change, (_, kinds, is_one) in zip(changes, forms, strict=True):
                if is_one:
                    parameters += change.rows[0]
                else:
                    parameters += map(postgres_binary.array, kinds, zip(*change.rows, strict=True))
            self._cursor.execute(apply_sql(forms), parameters, prepare=True)

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        # Not `executemany`, which uses the pipeline mode.
        with self._translated():
            for row in rows:
                self._cursor.execute(numbered(sql), row, prepare=True)

    def execute_script(self, script: str) -> None:
        with self._translated():
            self._cursor.execute(script.encode(), prepare=False)

    def bulk_insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        with self._translated():
            kinds = self._types_of(Insert(table, tuple(columns), ()))
            with self._cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
                for page in postgres_binary.copy_pages(kinds, rows):
                    copy.write(page)
        return self._cursor.rowcount

    def _types_of(self, change: Insert | Update) -> tuple[int, ...]:
        """Return the types of the values in each row: binary parameters must match, as the server casts none."""
        shape = change[:-1]
        found = self._column_types.get(shape)
        if found is None:
            names = [name for group in shape[1:] for name in group]
            self._cursor.execute(f"SELECT {', '.join(names)} FROM {change.table} LIMIT 0".encode(), prepare=False)
            found = tuple(column.type_code for column in self._cursor.description or ())
            self._column_types[shape] = found
        return found

    def stream(
        self, sql: str, parameters: Sequence[object] = (), *, page_size: int = STREAM_PAGE_ROWS
    ) -> Iterator[Row]:
        # Not psycopg's server cursor: closed late, by the garbage collector, it would speak into the next transaction.
        name = f"stream_{next(self._stream_numbers)}"
        self.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", parameters)
        return self._pages(name, page_size)

    def _pages(self, name: str, page_size: int) -> Iterator[Row]:
        while page := self.execute(f"FETCH {page_size} FROM {name}"):
            yield from page
        self.execute(f"CLOSE {name}")

    def has_table(self, name: str) -> bool:
        return self.execute("SELECT to_regclass(?) IS NOT NULL", (name,)) == [(True,)]

    def now_us(self) -> int:
        [(now_us,)] = self.execute(f"SELECT {_NOW_US}")
        return int(now_us)

    def commit(self) -> None:
        """Commit. Raises `CommitUnknown` if the connection is lost before the server's answer."""
        if self._failure is not None:
            raise self._failure
        if self._begun is None:
            return
        try:
            self._begun.execute(b"COMMIT", prepare=False)
        except psycopg.Error as error:
            if self._begun.connection.closed:
                raise CommitUnknown(
                    f"{self._store}: the connection was lost at the commit, look up what is stored before repeating it"
                ) from error
            raise translation(error, self._store) from error

    def end(self) -> None:
        """Roll back what was not committed; no statement runs afterwards."""
        if self._begun is not None:
            if self._begun.connection.info.transaction_status is not TransactionStatus.IDLE:
                with suppress(psycopg.Error):  # a lost connection has rolled back by itself, and the pool closes it
                    self._begun.execute(self._ending, prepare=False)
            self._begun.close()
        self._failure = RuntimeError("the session is closed")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except psycopg.Error as error:
            self._failure = translated = translation(error, self._store)
            if translated is error:
                raise
            raise translated from error
        except Exception as error:  # from the caller's own rows, half of which may be in by now
            self._failure = error
            raise
