"""The port to a relational database: one transaction at a time, in SQL that reads the same on both engines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, Protocol

from domain.errors import Unavailable

Engine = Literal["sqlite", "postgresql"]
Row = tuple[Any, ...]

LOCK_TIMEOUT_S = 30
"""How long a transaction waits for another writer's lock before it gives up."""

STREAM_PAGE_ROWS = 5_000


class CommitUnknown(Unavailable):
    """The connection was lost while COMMIT was under way: all of the transaction is stored, or none of it.

    Only a look at what is stored tells which; repeating the transaction blindly may do its work twice.
    """


class Insert(NamedTuple):
    """Rows to insert into a table, each with the values of these columns."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[object]]


class Update(NamedTuple):
    """Rows to update in a table: each gives the new values of `columns`, then those that `where` and `also` equal.

    The rows are found by an index on the columns of `where`; those of `also` are only compared. Neither are None.
    """

    table: str
    columns: tuple[str, ...]
    where: tuple[str, ...]
    also: tuple[str, ...]
    rows: Sequence[Sequence[object]]


class Question(NamedTuple):
    """A SELECT, and rows of parameters with each of which it is asked; None is no parameter."""

    select: str
    rows: Sequence[Sequence[object]]


Answers = list[list[list[Row]]]
"""Of each question, for each of its rows of parameters, the rows that were found."""


class Locked(NamedTuple):
    """The rows that were locked, the time (see `Session.now_us`) since they are, and the answers to the questions."""

    rows: list[Row]
    now_us: int
    answers: Answers


class Session(Protocol):
    """One open transaction; used by one thread, and dead after its context.

    SQL is written with `?` placeholders. Names of tables and columns stand in it as they are, so they come from our own
    code, never from outside. Values are int (64 bits, signed), str (without NUL), bytes, bool and None; a sum is cast
    (`CAST(sum(n) AS BIGINT)`), since PostgreSQL widens it to a decimal.

    A statement that fails ends the transaction on both engines: whatever is asked of the session afterwards, the commit
    at the context's end as well, raises the same error again. Errors: `Conflict` for a violated constraint,
    `Unavailable` for what the server, the disk or a lock refuses, `Corrupt` for damaged files. An error in the SQL is a
    defect of ours and stays the driver's own.
    """

    @property
    def engine(self) -> Engine: ...

    @property
    def types(self) -> Mapping[str, str]:
        """The column types for DDL: `integer` (64 bits), `text` (ordered by its UTF-8 bytes) and `bytes`."""
        ...

    @property
    def changed(self) -> int:
        """How many rows the last `execute` inserted, updated or deleted."""
        ...

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run one statement and return all its rows; none if it yields none."""
        ...

    def ask(self, questions: Sequence[Question]) -> Answers:
        """Return the answers to questions that do not depend on each other; in one round trip if the engine can."""
        ...

    def lock(self, select: str, questions: Sequence[Question] = ()) -> Locked:
        """Lock the rows of a SELECT to the transaction's end, and then ask questions that may depend on the lock.

        In one round trip: it is what every append begins with.
        """
        ...

    def apply(self, changes: Sequence[Insert | Update]) -> None:
        """Insert and update rows in as few round trips as the engine can.

        The order is the engine's: no change may touch a row that another one of the same call does. They may be sent
        with what follows, the commit at last, and are then refused there.
        """
        ...

    def execute_script(self, script: str) -> None:
        """Run statements without parameters, within the transaction; each ends with a `;` at the end of a line."""
        ...

    def bulk_insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        """Insert rows as fast as the engine can and return how many.

        The rows are taken one by one, so they may be more than memory holds; they cannot come from this very session.
        """
        ...

    def stream(
        self, sql: str, parameters: Sequence[object] = (), *, page_size: int = STREAM_PAGE_ROWS
    ) -> Iterator[Row]:
        """Yield the rows of one SELECT, holding at most a page of them; do not change what it reads meanwhile."""
        ...

    def has_table(self, name: str) -> bool:
        """Whether the table exists."""
        ...

    def now_us(self) -> int:
        """The time in microseconds since the epoch: by the server's clock at this moment, or the host's on SQLite."""
        ...


class Database(Protocol):
    """A database that lends transactions to any number of threads; other processes may use it at the same time."""

    @property
    def engine(self) -> Engine: ...

    def write(self) -> AbstractContextManager[Session]:
        """A transaction that commits when its context ends and rolls back on any exception.

        Each statement sees what was committed before it. On SQLite the writers take turns; on PostgreSQL two of them
        run side by side until they lock the same row (`Session.lock`). Whoever waits longer than `LOCK_TIMEOUT_S`
        gets `Unavailable`. An error means that nothing was stored, except `CommitUnknown`.
        """
        ...

    def read(self) -> AbstractContextManager[Session]:
        """A transaction that sees one snapshot, of the moment when its context was entered, and cannot write."""
        ...

    def erase_remains(self) -> bool:
        """Remove from the store's own files what committed changes overwrote and deleted, where the engine can.

        Returns whether another attempt is needless; on SQLite one fails while others read what was before, for which
        it does not wait. On PostgreSQL there is no such thing: dead rows stay until their space is used again. Never
        raises, since it follows a commit.
        """
        ...

    def close(self) -> None:
        """Close all connections; those still lent are closed when they come back."""
        ...
