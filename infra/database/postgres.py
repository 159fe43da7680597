"""PostgreSQL as the database, through psycopg 3, without its own pipeline mode, which hangs on large writes."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import LockNotAvailable
from psycopg.pq import TransactionStatus

from domain.errors import Refused, Unavailable, Usage
from infra.database.pool import Pool
from infra.database.postgres_errors import message
from infra.database.postgres_exchange import ExchangeConnection, Statement
from infra.database.postgres_session import Begun, ColumnTypes, PostgresSession
from infra.database.session import LOCK_TIMEOUT_S, Engine, Session

CONNECTIONS_MAX = 16

# libpq's own defaults wait for a vanished server for hours; a URL may say otherwise.
CONNECTION_DEFAULTS: Final[Mapping[str, str]] = {
    "application_name": "resurgam",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

# A writer plans its statements once, often while the tables are still small, and finds rows by index: by itself the
# planner would have it read those tables whole, for as long as the plan is kept. A reader has each query planned.
_WRITER_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
_BEGIN_WRITE = (Statement(b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"),)
# PostgreSQL takes the snapshot at the first query, not at BEGIN.
_BEGIN_READ = (
    Statement(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
    *[Statement(f"SET LOCAL {name} = DEFAULT".encode()) for name in _WRITER_SETTINGS],
    Statement(b"SELECT 1"),
)


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
        self._column_types: ColumnTypes = {}
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
        with self._session(_BEGIN_WRITE) as session:
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._session(_BEGIN_READ) as session:
            session.begin_reading()
            yield session

    def erase_remains(self) -> bool:
        return True

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def _session(self, begin: Sequence[Statement]) -> Iterator[PostgresSession]:
        session = PostgresSession(partial(self._begin, begin), self._store, self._column_types)
        try:
            yield session
        finally:
            session.end()
            if session.connection is not None:
                self._pool.give_back(session.connection)

    def _begin(self, begin: Sequence[Statement], first: Sequence[Statement]) -> Begun:
        try:
            return self._try_to_begin(begin, first)
        except LockNotAvailable:
            raise
        except psycopg.Error:
            # Lost while it was idle: nothing was done on it yet. What broke one, a restart most likely, broke them all.
            self._pool.close_idle()
        return self._try_to_begin(begin, first)

    def _try_to_begin(self, begin: Sequence[Statement], first: Sequence[Statement]) -> Begun:
        connection = self._pool.take()
        try:
            return connection, connection.exchange([*begin, *first])[len(begin) :]
        except BaseException:
            self._pool.give_back(connection)
            raise

    def _check_schema(self) -> None:
        with self.read() as session:
            schemas = session.execute("SELECT current_schema()")
        if self._schema is not None and schemas != [(self._schema,)]:
            raise Unavailable(
                f"{self._store}: there is no schema {self._schema}, name the right one or initialise a new store"
            )

    def _connect(self) -> ExchangeConnection:
        try:
            connection = ExchangeConnection.connect(**self._settings, autocommit=True, client_encoding="UTF8")
        except psycopg.Error as error:
            raise Unavailable(f"cannot connect to {self._store}: {message(error)}") from error
        try:
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise Refused(
                    f"{self._store} stores text in {encoding}, make a database with the encoding UTF8", rule="utf8"
                )
            connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'".encode())
            for name, value in _WRITER_SETTINGS.items():
                connection.execute(f"SET {name} = {value}".encode())
            if self._schema is not None:
                connection.execute(f'SET search_path = "{self._schema}"'.encode())
        except BaseException:
            connection.close()
            raise
        return connection
