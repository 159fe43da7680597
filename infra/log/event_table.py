"""The table of records: appended under the head's lock, read by position, by resource and by command id."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from domain.errors import Corrupt
from domain.instant import to_microseconds
from domain.resource_id import fold, originator_id
from infra.database.session import Insert, Session
from infra.log.proven import ProvenRecord
from infra.log.record import Recorded, decode_record

COLUMNS = ("position", "originator_id", "originator_version", "topic", "recorded_at", "command_id", "record")

COMMANDS_PER_QUERY = 500
"""Below the number of parameters that a statement may have on either engine."""

SCHEMA = """
CREATE TABLE events (
    position {integer} NOT NULL{inline_key},
    originator_id {bytes} NOT NULL,
    originator_version {integer} NOT NULL,
    topic {text} NOT NULL,
    recorded_at {integer} NOT NULL,
    command_id {text},
    record {bytes} NOT NULL
);
"""

INDEXES = """
CREATE UNIQUE INDEX events_originator ON events (originator_id, originator_version){including};
CREATE UNIQUE INDEX events_command ON events (command_id) WHERE command_id IS NOT NULL;
"""

POSITION_INDEX = """
ALTER TABLE events ADD PRIMARY KEY (position);
"""


class Row(NamedTuple):
    """One row in the order of COLUMNS: the record and the columns that are derived from it.

    `command_id` stands only in the row of a command's first event, so that its index finds the command once.
    """

    position: int
    originator_id: bytes
    originator_version: int
    topic: str
    recorded_at: int
    command_id: str | None
    record: bytes


def row_of(proven: ProvenRecord, record: bytes) -> Row:
    """Derive the row of a decoded record."""
    event = proven.event
    command = event.command
    return Row(
        proven.position,
        originator_id(fold(event.resource)),
        event.sequence,
        event.type,
        to_microseconds(proven.recorded_at),
        command.id if command.index == 1 else None,
        record,
    )


def create(session: Session) -> None:
    """Make the table without its indexes, for a bulk load; `create_indexes` follows."""
    # SQLite clusters a table by its integer primary key only if that is declared with it; loading in order is free.
    inline_key = " PRIMARY KEY" if session.engine == "sqlite" else ""
    session.execute_script(SCHEMA.format(inline_key=inline_key, **session.types))


def create_indexes(session: Session) -> None:
    """Build what `create` left out."""
    # What a resource was at a position is asked of the index alone; SQLite's indexes hold the position by themselves.
    including = "" if session.engine == "sqlite" else " INCLUDE (position)"
    if session.engine != "sqlite":
        session.execute_script(POSITION_INDEX)
    session.execute_script(INDEXES.format(including=including))


def insertion(rows: Sequence[Row]) -> Insert:
    """Return the change that appends rows; Conflict if a position, a resource's sequence or a command id is taken."""
    return Insert("events", COLUMNS, rows)


def not_bytes(position: int) -> Corrupt:
    """Return what is wrong with a stored record of another type: SQLite takes any into any column."""
    return Corrupt(f"position {position}: the record is not stored as bytes")


def checked(position: int, record: object) -> bytes:
    """Return a stored record; Corrupt if it is not stored as bytes."""
    if not isinstance(record, bytes):
        raise not_bytes(position)
    return record


def records(session: Session, *, after: int = 0, until: int | None = None) -> Iterator[bytes]:
    """Yield the records with `after < position <= until`, in order; Corrupt if one is not stored as bytes."""
    stop = 2**63 - 1 if until is None else until
    for position, record in session.stream(
        "SELECT position, record FROM events WHERE position > ? AND position <= ? ORDER BY position", (after, stop)
    ):
        if not isinstance(record, bytes):  # not by a call, of which there would be one for each record of a log
            raise not_bytes(position)
        yield record


def size_bytes(session: Session, after: int, until: int) -> int:
    """Return how many bytes the records with `after < position <= until` have together; this does not read them."""
    [(found,)] = session.execute(
        "SELECT CAST(coalesce(sum(length(record)), 0) AS BIGINT) FROM events WHERE position > ? AND position <= ?",
        (after, until),
    )
    return int(found)


def record_at(session: Session, position: int) -> Recorded | None:
    """Return the decoded record at a position."""
    rows = session.execute("SELECT record FROM events WHERE position = ?", (position,))
    return decode_record(checked(position, rows[0][0])) if rows else None


def first_of_commands(session: Session, command_ids: Sequence[str]) -> Iterator[Recorded]:
    """Yield the first record of each of these commands that was recorded."""
    for start in range(0, len(command_ids), COMMANDS_PER_QUERY):
        page = command_ids[start : start + COMMANDS_PER_QUERY]
        marks = ", ".join("?" * len(page))
        for row in session.execute(f"SELECT position, record FROM events WHERE command_id IN ({marks})", page):
            yield decode_record(checked(*row))


def position_at(session: Session, instant_us: int) -> int:
    """Return the last position recorded at or before an instant, 0 if none.

    Recorded-at never falls, so halving finds it: in one statement, as each half would cost a round trip.
    """
    [(position,)] = session.execute(
        """
        WITH RECURSIVE halves (low, high) AS (
            SELECT CAST(0 AS BIGINT), max(position) FROM log_head
            UNION ALL
            SELECT CASE WHEN recorded_at <= ? THEN position ELSE low END,
                   CASE WHEN recorded_at <= ? THEN high ELSE position - 1 END
            FROM halves JOIN events ON position = (low + high + 1) / 2
            WHERE low < high
        )
        SELECT low FROM halves WHERE low = high
        """,
        (instant_us, instant_us),
    )
    return int(position)
