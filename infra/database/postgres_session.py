"""A transaction on PostgreSQL: see `infra.database.session.Session`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus

from infra.database import postgres_binary
from infra.database.postgres_errors import translation
from infra.database.postgres_exchange import ExchangeConnection, Statement, parameter
from infra.database.postgres_statements import Shape, apply_sql, each_sql, numbered
from infra.database.session import (
    STREAM_PAGE_ROWS,
    Answers,
    CommitUnknown,
    Engine,
    Insert,
    Locked,
    Question,
    Row,
    Update,
)

COLUMN_TYPES: Final[Mapping[str, str]] = {"integer": "BIGINT", "text": 'TEXT COLLATE "C"', "bytes": "BYTEA"}

_NOW_US = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"

ColumnTypes = dict[Shape, tuple[int, ...]]
"""The types of columns, as the server told them once."""

Begun = tuple[ExchangeConnection, list[list[Row]]]
"""The connection that a transaction was begun on, and the rows of its first statements."""

Begin = Callable[[Sequence[Statement]], Begun]
"""Opens a transaction together with its first statements, of which there may be none."""

TOGETHER_BYTES_MAX = 32 * 1024
"""Parameters up to this size are sent together with what comes after them; the server begins with more at once."""


class PostgresSession:
    """See `infra.database.session.Session`."""

    engine: Final[Engine] = "postgresql"
    types = COLUMN_TYPES

    def __init__(self, begin: Begin, store: str, column_types: ColumnTypes) -> None:
        """`begin` runs what opens a transaction on a connection of its choice, with the first statement if it can."""
        self._begin = begin
        self._store = store
        self._column_types = column_types
        self._connection: ExchangeConnection | None = None
        self._used: psycopg.RawCursor[Row] | None = None
        self._ending = b"ROLLBACK"
        self._waiting: list[Statement] = []
        self._sent = 0
        self._stream_numbers = count(1)
        self._failure: Exception | None = None

    @property
    def connection(self) -> ExchangeConnection | None:
        """The connection that the transaction was begun on; None before the first statement."""
        return self._connection

    @property
    def changed(self) -> int:
        return -1 if self._used is None else self._used.rowcount

    @property
    def _cursor(self) -> psycopg.RawCursor[Row]:
        if self._connection is None or self._waiting or self._sent:
            self._exchange(())
        if self._used is None:
            assert self._connection is not None
            self._used = psycopg.RawCursor(self._connection)
        return self._used

    def _exchange(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run what waits, and then these; return the rows of these."""
        waiting, self._waiting = self._waiting, []
        before, self._sent = self._sent + len(waiting), 0
        if self._connection is None:
            self._connection, answers = self._begin([*waiting, *statements])
        else:
            answers = self._connection.exchange([*waiting, *statements])
        return answers[before:]

    def _send(self) -> None:
        """Let the server work on what waits, while the caller goes on."""
        if self._connection is None:
            self._exchange(())  # a beginning is tried again on another connection, what was sent never
            return
        waiting, self._waiting = self._waiting, []
        self._connection.send(waiting)
        self._sent += len(waiting)

    def begin_reading(self) -> None:
        """Begin now, not with the first statement, and change nothing."""
        self._ending = b"END"
        with self._translated():
            self._connection, _ = self._begin(())

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        with self._translated():
            self._cursor.execute(numbered(sql), parameters, binary=True)
            return self._cursor.fetchall() if self._cursor.description else []

    def ask(self, questions: Sequence[Question]) -> Answers:
        with self._translated():
            return _answers(questions, self._exchange(_asking(questions)))

    def lock(self, select: str, questions: Sequence[Question] = ()) -> Locked:
        # The clock is read as rows come out of the part that locks them; in one SELECT it would be read before.
        sql = f"WITH locked AS MATERIALIZED ({select} FOR UPDATE) SELECT {_NOW_US}, * FROM locked"
        with self._translated():
            rows, *found = self._exchange([Statement(sql.encode()), *_asking(questions)])
        now_us = rows[-1][0] if rows else self.now_us()
        return Locked([row[1:] for row in rows], now_us, _answers(questions, found))

    def apply(self, changes: Sequence[Insert | Update]) -> None:
        with self._translated():
            for statement in self._applying(changes):
                self._waiting.append(statement)
                if sum(len(value) for value in statement.parameters if value) > TOGETHER_BYTES_MAX:
                    self._send()

    def _applying(self, changes: Sequence[Insert | Update]) -> list[Statement]:
        """Return the statement that makes changes; none if there are none."""
        changes = [change for change in changes if change.rows]
        if not changes:
            return []
        forms = tuple([(change[:-1], self._types_of(change), len(change.rows) == 1) for change in changes])
        parameters: list[bytes | None] = []
        for change, (_, kinds, _) in zip(changes, forms, strict=True):
            parameters += _parameters(kinds, change.rows)
        return [Statement(apply_sql(forms), parameters)]

    def execute_script(self, script: str) -> None:
        with self._translated():
            self._cursor.execute(script.encode(), prepare=False)
            if self._connection is not None:
                self._connection.forget_prepared()

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
        if self._connection is None:
            if not self._waiting:
                return
            with self._translated():
                self._exchange(())  # a beginning is tried again on another connection, a commit never
        try:
            self._exchange([Statement(b"COMMIT", is_kept=False)])
        except psycopg.Error as error:
            if self._connection is not None and self._connection.closed:
                raise CommitUnknown(
                    f"{self._store}: the connection was lost at the commit, look up what is stored before repeating it"
                ) from error
            raise translation(error, self._store) from error

    def end(self) -> None:
        """Roll back what was not committed; no statement runs afterwards."""
        connection = self._connection
        if connection is not None and self._sent:
            with suppress(psycopg.Error):  # whatever became of it is rolled back
                self._exchange(())
        if connection is not None and connection.pgconn.transaction_status != TransactionStatus.IDLE:
            with suppress(psycopg.Error):  # a lost connection has rolled back by itself, and the pool closes it
                # Not by psycopg, which would drop all that is prepared on the connection.
                connection.exchange([Statement(self._ending, is_kept=False)])
        if self._used is not None:
            self._used.close()
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


def _asking(questions: Sequence[Question]) -> list[Statement]:
    """Return a statement for each question that is asked at all."""
    statements = []
    for select, rows in questions:
        if rows:
            kinds = tuple(map(postgres_binary.kind_of, rows[0]))
            statements.append(Statement(each_sql(select, kinds, len(rows) == 1), _parameters(kinds, rows)))
    return statements


def _parameters(kinds: Sequence[int], rows: Sequence[Sequence[object]]) -> list[bytes | None]:
    """Return the values of a single row, or an array for each column."""
    if len(rows) == 1:
        return list(map(parameter, rows[0]))
    return list(map(postgres_binary.array, kinds, zip(*rows, strict=True)))


def _answers(questions: Sequence[Question], found: Sequence[Sequence[Row]]) -> Answers:
    """Return for each question what its statement found, by the numbers of the rows that it was asked with."""
    all_answers: Answers = []
    rest = iter(found)
    for _, rows in questions:
        answers: list[list[Row]] = [[] for _ in rows]
        if rows:
            for number, *row in next(rest):
                answers[number - 1].append(tuple(row))
        all_answers.append(answers)
    return all_answers
