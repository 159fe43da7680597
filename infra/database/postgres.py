"""PostgreSQL as the database, through psycopg 3 without its pipeline mode, which hangs on large writes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from domain.errors import Conflict, Corrupt, Refused, ResurgamError, Unavailable, Usage
from infra.database.pool import Pool
from infra.database.session import LOCK_TIMEOUT_S, STREAM_PAGE_ROWS, CommitUnknown, Engine, Row, Session

CONNECTIONS_MAX = 16
COLUMN_TYPES: Final[Mapping[str, str]] = {"integer": "BIGINT", "text": 'TEXT COLLATE "C"', "bytes": "BYTEA"}

# libpq's own defaults wait for a vanished server for hours; a URL may say otherwise.
CONNECTION_DEFAULTS: Final[Mapping[str, str]] = {
    "application_name": "resurgam",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

_BEGIN_WRITE = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
# PostgreSQL takes the snapshot at the first query, not at BEGIN.
_BEGIN_READ = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1"

_CORRUPT_ERRORS = (errors.DataCorrupted, errors.IndexCorrupted)
_UNAVAILABLE_ERRORS = (
    psycopg.OperationalError,
    errors.InsufficientPrivilege,
    errors.InvalidSchemaName,
    errors.ReadOnlySqlTransaction,
)

# A quoted string, a quoted name or a comment is kept; any other question mark is a placeholder.
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|\?", re.DOTALL)


@lru_cache(maxsize=1_000)
def numbered(sql: str) -> bytes:
    """Write the placeholders `?` as `$1`, `$2` …, as the server knows them (so a literal `%` needs no care).

    In bytes, because psycopg's types take only string literals.
    """
    numbers = count(1)
    return _TOKEN.sub(lambda token: f"${next(numbers)}" if token[0] == "?" else token[0], sql).encode()


class PostgresSession:
    """See `infra.database.session.Session`."""

    engine: Final[Engine] = "postgresql"
    types = COLUMN_TYPES
    for_update: Final = " FOR UPDATE"

    def __init__(self, connection: psycopg.Connection[Row], store: str) -> None:
        self._connection = connection
        self._store = store
        self._cursor = psycopg.RawCursor(connection)
        self._stream_numbers = count(1)
        self._failure: Exception | None = None

    @property
    def changed(self) -> int:
        return self._cursor.rowcount

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        with self._translated():
            self._cursor.execute(numbered(sql), parameters, binary=True)
            return self._cursor.fetchall() if self._cursor.description else []

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        # Not `executemany`, which uses the pipeline mode.
        with self._translated():
            for row in rows:
                self._cursor.execute(numbered(sql), row, prepare=True)

    def execute_script(self, script: str) -> None:
        with self._translated():
            self._cursor.execute(script.encode(), prepare=False)

    def bulk_insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        names = ", ".join(columns)
        with self._translated():
            # Binary COPY casts nothing, so the columns' own types are asked for.
            self._cursor.execute(f"SELECT {names} FROM {table} LIMIT 0".encode(), prepare=False)
            types = [column.type_code for column in self._cursor.description or ()]
            with self._cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
                copy.set_types(types)
                for row in rows:
                    copy.write_row(row)
        return self._cursor.rowcount

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
        [(now_us,)] = self.execute("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)")
        return int(now_us)

    def commit(self) -> None:
        """Commit. Raises `CommitUnknown` if the connection is lost before the server's answer."""
        if self._failure is not None:
            raise self._failure
        try:
            self._connection.execute("COMMIT", prepare=False)
        except psycopg.Error as error:
            if self._connection.closed:
                raise CommitUnknown(
                    f"{self._store}: the connection was lost at the commit, look up what is stored before repeating it"
                ) from error
            raise _translation(error, self._store) from error

    def end(self) -> None:
        """Roll back what was not committed; no statement runs afterwards."""
        if self._connection.info.transaction_status is not TransactionStatus.IDLE:
            with suppress(psycopg.Error):  # a lost connection has rolled back by itself, and the pool closes it
                self._connection.execute("ROLLBACK", prepare=False)
        self._cursor.close()
        self._failure = RuntimeError("the session is closed")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except psycopg.Error as error:
            self._failure = translation = _translation(error, self._store)
            if translation is error:
                raise
            raise translation from error
        except Exception as error:  # from the caller's own rows, half of which may be in by now
            self._failure = error
            raise


class PostgresDatabase:
    """See `infra.database.session.Database`. Sessions see the tables of one schema."""

    engine: Final[Engine] = "postgresql"

    def __init__(self, conninfo: str, *, store: str, schema: str | None = None, create: bool = False) -> None:
        """Connect by a libpq URL; `store` is what messages call it, without the password.

        With `create` a missing schema is made. Raises `Unavailable` if the server or the schema is not there,
        `Refused` if the database does not store text in UTF-8.
        """
        try:
            self._settings: dict[str, Any] = {**CONNECTION_DEFAULTS, **conninfo_to_dict(conninfo)}
        except psycopg.Error:
            # libpq quotes what it cannot parse, which may be the password: not even its traceback is kept.
            raise Usage(f"{store} is not a valid PostgreSQL URL, percent-encode special characters") from None
        if "@" in str(self._settings.get("host", "")):
            # Part of a password that holds an unencoded @: the server's name would be quoted with every failure.
            raise Usage(f"{store} is not a valid PostgreSQL URL, percent-encode special characters")
        self._store = store
        self._schema = schema
        self._pool = Pool(
            store,
            size=CONNECTIONS_MAX,
            connect=self._connect,
            is_idle=lambda connection: connection.info.transaction_status is TransactionStatus.IDLE,
            close=lambda connection: connection.close(),
        )
        try:
            if create and schema is not None:
                with self.write() as session:
                    session.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            self._check_schema()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._transaction(_BEGIN_WRITE) as session:
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._transaction(_BEGIN_READ) as session:
            yield session

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def _transaction(self, begin: bytes) -> Iterator[PostgresSession]:
        connection = self._begin(begin)
        try:
            session = PostgresSession(connection, self._store)
            try:
                yield session
            finally:
                session.end()
        finally:
            self._pool.give_back(connection)

    def _begin(self, begin: bytes) -> psycopg.Connection[Row]:
        try:
            return self._try_to_begin(begin)
        except psycopg.Error:
            # Lost while it was idle: nothing was done on it yet. What broke one, a restart most likely, broke them all.
            self._pool.close_idle()
        try:
            return self._try_to_begin(begin)
        except psycopg.Error as error:
            raise Unavailable(f"{self._store}: {_message(error)}") from error

    def _try_to_begin(self, begin: bytes) -> psycopg.Connection[Row]:
        connection = self._pool.take()
        try:
            connection.execute(begin, prepare=False)
        except BaseException:
            self._pool.give_back(connection)
            raise
        return connection

    def _check_schema(self) -> None:
        with self.read() as session:
            schemas = session.execute("SELECT current_schema()")
        if self._schema is not None and schemas != [(self._schema,)]:
            raise Unavailable(
                f"{self._store}: there is no schema {self._schema}, name the right one or initialise a new store"
            )

    def _connect(self) -> psycopg.Connection[Row]:
        try:
            connection = psycopg.connect(**self._settings, autocommit=True, client_encoding="UTF8")
        except psycopg.Error as error:
            raise Unavailable(f"cannot connect to {self._store}: {_message(error)}") from error
        try:
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise Refused(
                    f"{self._store} stores text in {encoding}, make a database with the encoding UTF8", rule="utf8"
                )
            connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'".encode())
            if self._schema is not None:
                connection.execute(f'SET search_path = "{self._schema}"'.encode())
        except BaseException:
            connection.close()
            raise
        return connection


def _translation(error: psycopg.Error, store: str) -> ResurgamError | psycopg.Error:
    """What the error means to a caller; the error itself if it is a defect in our SQL."""
    message = _message(error)
    if isinstance(error, psycopg.IntegrityError):
        return Conflict(message)
    if isinstance(error, errors.DuplicateTable):
        return Conflict(f"{store}: somebody else made the tables at the same moment, run it again")
    if isinstance(error, _CORRUPT_ERRORS):
        return Corrupt(f"{store}: {message}")
    if isinstance(error, errors.LockNotAvailable):
        return Unavailable(f"{store}: another writer held a lock for more than {LOCK_TIMEOUT_S} s, try again later")
    if isinstance(error, _UNAVAILABLE_ERRORS):
        return Unavailable(f"{store}: {message}")
    return error


def _message(error: psycopg.Error) -> str:
    """The server's primary message on one line, without the detail, which quotes values."""
    return " ".join((error.diag.message_primary or str(error)).split())
