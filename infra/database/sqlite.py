"""SQLite as the database: one file, many readers beside one writer (write-ahead log), durable at every commit."""

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from domain.errors import Conflict, Corrupt, ResurgamError, Unavailable
from infra.database.pool import Pool
from infra.database.session import (
    LOCK_TIMEOUT_S,
    STREAM_PAGE_ROWS,
    Answers,
    Engine,
    Insert,
    Locked,
    Question,
    Row,
    Session,
    Update,
)

READERS_MAX = 16
BUSY_PAUSE_S = 0.01
ERASE_WAIT_MS = 5
"""How long the log's truncation waits for readers that are about to end."""

COLUMN_TYPES: Final[Mapping[str, str]] = {"integer": "INTEGER", "text": "TEXT", "bytes": "BLOB"}

# Result codes: https://www.sqlite.org/rescode.html; the low byte of an extended code is its class.
_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_CORRUPT_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_UNAVAILABLE_CODES = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class SqliteSession:
    """See `infra.database.session.Session`."""

    engine: Final[Engine] = "sqlite"
    types = COLUMN_TYPES

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._cursor = connection.cursor()
        self._streams: list[sqlite3.Cursor] = []
        self._failure: Exception | None = None

    @property
    def changed(self) -> int:
        return self._cursor.rowcount

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        if self._failure is not None:
            raise self._failure
        try:
            return self._cursor.execute(sql, parameters).fetchall()
        except Exception:
            with self._translated():  # entered only now, as it takes a tenth of what a small SELECT does
                raise

    def ask(self, questions: Sequence[Question]) -> Answers:
        return [[self.execute(select, row) for row in rows] for select, rows in questions]

    def lock(self, select: str, questions: Sequence[Question] = ()) -> Locked:
        rows = self.execute(select)  # a writer is alone from its BEGIN IMMEDIATE on
        return Locked(rows, self.now_us(), self.ask(questions))

    def apply(self, changes: Sequence[Insert | Update]) -> None:
        with self._translated():
            for change in changes:
                if change.rows:
                    self._cursor.executemany(_change_sql(change), change.rows)

    def execute_script(self, script: str) -> None:
        # Not `executescript`, which commits the open transaction first.
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                self.execute(statement)
                statement = ""
        if statement.strip():
            self.execute(statement)

    def bulk_insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        with self._translated():
            self._cursor.executemany(_insert_sql(table, columns), rows)
        return max(self._cursor.rowcount, 0)

    def stream(
        self, sql: str, parameters: Sequence[object] = (), *, page_size: int = STREAM_PAGE_ROWS
    ) -> Iterator[Row]:
        with self._translated():
            cursor = self._connection.cursor()
            self._streams.append(cursor)
            cursor.execute(sql, parameters)
        return self._pages(cursor, page_size)

    def _pages(self, cursor: sqlite3.Cursor, page_size: int) -> Iterator[Row]:
        while True:
            with self._translated():
                page = cursor.fetchmany(page_size)
            if not page:
                return
            yield from page

    def has_table(self, name: str) -> bool:
        return bool(self.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)))

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def commit(self) -> None:
        """Commit; an error means that nothing was stored, once the transaction is rolled back."""
        self._end_streams()
        self.execute("COMMIT")

    def end(self) -> None:
        """Roll back what was not committed; no statement runs afterwards."""
        self._end_streams()
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):  # the connection then stays in its transaction, and the pool closes it
                self._connection.execute("ROLLBACK")
        self._cursor.close()
        self._failure = RuntimeError("the session is closed")

    def _end_streams(self) -> None:
        # An unfinished SELECT would keep its snapshot beyond the transaction.
        for cursor in self._streams:
            cursor.close()
        self._streams.clear()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except sqlite3.Error as error:
            self._failure = translation = _translation(error, self._path)
            if translation is error:
                raise
            raise translation from error
        except Exception as error:  # from the caller's own rows, half of which may be in by now
            self._failure = error
            raise


class SqliteDatabase:
    """See `infra.database.session.Database`. The file may be used by several processes on one host."""

    engine: Final[Engine] = "sqlite"

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open an existing file, or with `create` make it (readable by its owner only) if there is none."""
        self._path = Path(os.path.abspath(path))
        if create:
            _make_file(self._path)
        if not os.path.exists(self._path):
            raise Unavailable(f"there is no store at {self._path}, name the right file or initialise a new store")
        if os.path.isdir(self._path):
            raise Unavailable(f"{self._path} is a folder, name the store's file in it")
        self._writers = self._pool(1, "PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON")
        self._readers = self._pool(READERS_MAX, "PRAGMA query_only = ON")
        try:
            with self.read():
                pass  # a file that cannot be read is refused now, not at its first use
        except BaseException:
            self.close()
            raise

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._transaction(self._writers, "BEGIN IMMEDIATE") as session:
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._transaction(self._readers, "BEGIN DEFERRED") as session:
            session.execute("SELECT 1 FROM sqlite_master LIMIT 1")  # SQLite takes its snapshot at the first read
            yield session

    def erase_remains(self) -> bool:
        """In the file itself deleted content is overwritten (`secure_delete`); it remains in the write-ahead log."""
        try:
            connection = self._writers.take()
        except ResurgamError:
            return False
        try:
            connection.execute(f"PRAGMA busy_timeout = {ERASE_WAIT_MS}")
            [(is_busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_S * 1_000}")
        except sqlite3.Error:
            return False
        finally:
            self._writers.give_back(connection)
        return not is_busy

    def close(self) -> None:
        self._readers.close()
        self._writers.close()

    @contextmanager
    def _transaction(self, pool: Pool[sqlite3.Connection], begin: str) -> Iterator[SqliteSession]:
        connection = pool.take()
        try:
            _patiently(connection, begin, self._path)
            session = SqliteSession(connection, self._path)
            try:
                yield session
            finally:
                session.end()
        finally:
            pool.give_back(connection)

    def _pool(self, size: int, *settings: str) -> Pool[sqlite3.Connection]:
        return Pool(
            str(self._path),
            size=size,
            connect=lambda: _connect(self._path, settings),
            is_idle=lambda connection: not connection.in_transaction,
            close=sqlite3.Connection.close,
        )


def _insert_sql(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _change_sql(change: Insert | Update) -> str:
    if isinstance(change, Insert):
        return _insert_sql(change.table, change.columns)
    sets = ", ".join(f"{name} = ?" for name in change.columns)
    # The plus keeps a column from being looked up by an index of its own.
    found = [f"{name} = ?" for name in change.where] + [f"+{name} = ?" for name in change.also]
    return f"UPDATE {change.table} SET {sets} WHERE {' AND '.join(found)}"


def _make_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except IsADirectoryError as error:
        raise Unavailable(f"{path} is a folder, name a file in it") from error
    except FileNotFoundError as error:
        raise Unavailable(f"the folder of {path} does not exist, make it first") from error
    except OSError as error:
        raise Unavailable(f"cannot make {path}: {error.strerror or error}") from error


def _connect(path: Path, settings: Sequence[str]) -> sqlite3.Connection:
    """Connect without ever making the file (`mode=rw`); the pool hands the connection from thread to thread."""
    uri = f"file:{quote(str(path))}?mode=rw"
    try:
        connection = sqlite3.connect(
            uri, uri=True, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise _translation(error, path) from error
    try:
        mode = _patiently(connection, "PRAGMA journal_mode = WAL", path)
        if mode != [("wal",)]:
            raise Unavailable(f"{path}: its file system has no shared memory for a write-ahead log, use a local disk")
        for setting in settings:
            _patiently(connection, setting, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _patiently(connection: sqlite3.Connection, statement: str, path: Path) -> list[Row]:
    """Run a statement, again while it is busy: SQLite does not wait by itself while others open or close its log."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            return connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            if _primary_code(error) not in _BUSY_CODES or time.monotonic() >= deadline:
                raise _translation(error, path) from error
        time.sleep(BUSY_PAUSE_S)


def _primary_code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)  # missing where the driver, not the engine, complains
    return None if code is None else code & 0xFF


def _translation(error: sqlite3.Error, path: Path) -> ResurgamError | sqlite3.Error:
    """What the error means to a caller; the error itself if it is a defect in our SQL."""
    code = _primary_code(error)
    if code == sqlite3.SQLITE_CONSTRAINT:
        return Conflict(str(error))  # names columns, never values
    if code in _CORRUPT_CODES:
        return Corrupt(f"{path}: {error}")
    if code is None and str(error).startswith("Could not decode to UTF-8"):
        return Corrupt(f"{path}: a text in it is not UTF-8")  # the driver's own message quotes the text
    if code in _BUSY_CODES:
        return Unavailable(f"{path}: another writer held it for more than {LOCK_TIMEOUT_S} s, try again later")
    if code in _UNAVAILABLE_CODES:
        return Unavailable(f"{path}: {error}")
    return error
