"""A connection that sends statements together, in one round trip, and without what psycopg's cursors take for each."""

from collections.abc import Iterator, Sequence
from select import POLLIN, POLLOUT, poll
from struct import Struct
from typing import Any, NamedTuple

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format

from infra.database.session import Row

PREPARED_MAX = 200
"""How many statements stay prepared on a connection; what comes later is planned each time."""

_integer = Struct(">q").pack


class Statement(NamedTuple):
    """A statement with its parameters, see `parameter`; it stays prepared if `is_kept`."""

    sql: bytes
    parameters: Sequence[bytes | None] = ()
    is_kept: bool = True


def parameter(value: Any) -> bytes | None:
    """Return a BIGINT, a TEXT or a BYTEA in PostgreSQL's binary form."""
    if isinstance(value, int):
        return _integer(value)
    return value.encode() if isinstance(value, str) else value


class ExchangeConnection(psycopg.Connection[Row]):
    """A connection of psycopg; one thread at a time uses it."""

    def __init__(self, pgconn: Any, *arguments: Any, **settings: Any) -> None:
        super().__init__(pgconn, *arguments, **settings)
        self._kept: dict[bytes, bytes] = {}
        self._preparing: dict[bytes, bytes] = {}
        self._names = 0
        self._reader = Transformer(self)
        self._poll = poll()
        self._sent: list[tuple[bytes, bytes] | None] = []

    def send(self, statements: Sequence[Statement]) -> None:
        """Let the server work on statements; `exchange` tells what became of them, and nothing else may come between.

        The connection is closed if it is lost, or if this is interrupted.
        """
        try:
            if not self._sent:
                self.pgconn.enter_pipeline_mode()
            self._sent += [each for statement in statements for each in self._send(statement)]
            self._flush()
        except BaseException:
            self.close()
            raise

    def exchange(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements in their order, after those that were sent; return the rows of each, of the sent ones too.

        None runs after one that fails. It reads while it sends, or both sides could wait for the other to read. Raises
        what psycopg would; the connection is closed if it is lost, or if this is interrupted.
        """
        try:
            if not self._sent:
                self.pgconn.enter_pipeline_mode()
            sent, self._sent = self._sent, []
            sent += [each for statement in statements for each in self._send(statement)]
            self.pgconn.pipeline_sync()
            self._flush()
            results = list(self._results())
            self.pgconn.exit_pipeline_mode()
            self._preparing.clear()
        except BaseException:
            self.close()
            raise
        answers: list[list[Row]] = []
        for prepared, result in zip(sent, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
            if prepared is not None:
                self._kept.update([prepared])
            else:
                self._reader.set_pgresult(result)
                answers.append(self._reader.load_rows(0, result.ntuples, tuple))
        return answers

    def forget_prepared(self) -> None:
        """Prepare everything again: when a table is dropped, psycopg drops whatever is prepared on the connection."""
        self._kept.clear()

    def _send(self, statement: Statement) -> Iterator[tuple[bytes, bytes] | None]:
        """Send a statement; yield, for each result that it will have, what that result says to be prepared."""
        sql, parameters, is_kept = statement
        formats = [Format.BINARY] * len(parameters)
        name = self._kept.get(sql) or self._preparing.get(sql)
        if name is None and is_kept and len(self._kept) < PREPARED_MAX:
            self._names += 1
            name = self._preparing[sql] = b"resurgam_%d" % self._names
            self.pgconn.send_prepare(name, sql)
            yield sql, name
        if name is None:
            self.pgconn.send_query_params(sql, parameters, None, formats, Format.BINARY)
        else:
            self.pgconn.send_query_prepared(name, parameters, formats, Format.BINARY)
        yield None

    def _flush(self) -> None:
        while self.pgconn.flush():
            self._wait(POLLIN | POLLOUT)
            self.pgconn.consume_input()

    def _results(self) -> Iterator[Any]:
        """Yield one result of each statement that was sent."""
        pgconn = self.pgconn
        while True:
            while pgconn.is_busy():
                self._wait(POLLIN)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:  # the end of one statement
                if pgconn.status == ConnStatus.BAD:
                    raise psycopg.OperationalError(pgconn.get_error_message())
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return
            else:
                yield result

    def _wait(self, events: int) -> None:
        self._poll.register(self.pgconn.socket, events)
        self._poll.poll()
