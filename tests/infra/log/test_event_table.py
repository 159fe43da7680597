"""The table of records: what it refuses, and how records are found again."""

from bisect import bisect_right
from collections.abc import Iterator
from uuid import UUID

import pytest

from domain.errors import Conflict, Corrupt
from domain.instant import from_microseconds
from domain.resource_id import originator_id
from infra.database.session import Database
from infra.log import event_table
from infra.log.event_table import COMMANDS_PER_QUERY, Row, row_of
from infra.log.proven import decode_proven
from infra.log.record import frame
from infra.log.recorder import LogRecorder
from tests.infra.log.inner_events import inner
from tests.infra.log.stores import opened

START_US = 1_795_363_445_000_000


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An open store on each engine in turn."""
    database = opened(store_url)
    yield database
    database.close()


def record(position: int, recorded_at: int = START_US, **fields: object) -> bytes:
    named = {"resource": f"/Users/{position}", "command_id": f"command-{position}", **fields}
    return frame(inner(**named), position, from_microseconds(recorded_at))  # type: ignore[arg-type]  # see `inner`


def row(position: int, recorded_at: int = START_US, **fields: object) -> Row:
    data = record(position, recorded_at, **fields)
    return row_of(decode_proven(data), data)


def insert(database: Database, *rows: Row) -> None:
    with database.write() as session:
        session.apply([event_table.insertion(rows)])


def test_the_columns_are_derived_from_the_record() -> None:
    assert row(7, sequence=3) == Row(
        position=7,
        originator_id=originator_id("/users/7"),
        originator_version=3,
        topic="user.created",
        recorded_at=START_US,
        command_id="command-7",
        record=record(7, sequence=3),
    )


def test_the_command_id_stands_with_the_first_event_alone() -> None:
    assert row(7, index=1, count=2).command_id == "command-7"
    assert row(8, index=2, count=2).command_id is None


@pytest.mark.parametrize(
    "twin",
    [
        row(1, resource="/users/9", command_id="another"),
        row(2, resource="/USERS/1", command_id="another"),
        row(2, command_id="command-1"),
    ],
    ids=["position", "sequence of the resource", "command id"],
)
def test_what_is_taken_is_a_conflict_and_nothing_is_inserted(database: Database, twin: Row) -> None:
    insert(database, row(1))
    with pytest.raises(Conflict):
        insert(database, row(5), twin)
    with database.read() as session:
        assert list(event_table.records(session)) == [record(1)]


def test_records_come_in_the_order_of_their_positions(database: Database) -> None:
    insert(database, *(row(position) for position in (4, 2, 1, 3)))
    with database.read() as session:
        assert list(event_table.records(session)) == [record(position) for position in (1, 2, 3, 4)]
        assert list(event_table.records(session, after=1, until=3)) == [record(2), record(3)]
        found = event_table.record_at(session, 3)
        assert found is not None
        assert found.resource == "/Users/3"
        assert event_table.record_at(session, 5) is None
        assert event_table.size_bytes(session, 1, 3) == len(record(2)) + len(record(3))
        assert event_table.size_bytes(session, 4, 9) == 0


def test_a_record_that_is_not_stored_as_bytes_is_named_wherever_it_is_read(sqlite_url: str) -> None:
    database = opened(sqlite_url)
    recorder = LogRecorder(database)
    insert(database, row(1), row(2))
    with database.write() as session:
        session.execute("UPDATE events SET record = CAST(record AS TEXT) WHERE position = 2")
    with database.read() as session:
        for read in (
            lambda: list(event_table.records(session)),
            lambda: event_table.record_at(session, 2),
            lambda: list(event_table.first_of_commands(session, ["command-2"])),
            lambda: recorder.select_events(UUID(bytes=originator_id("/users/2"))),
            lambda: recorder.select_notifications(2, 1),
        ):
            with pytest.raises(Corrupt, match="position 2: the record is not stored as bytes"):
                read()
        assert list(event_table.records(session, until=1)) == [record(1)]
    database.close()


def test_commands_are_found_by_id_however_many_are_asked_for(database: Database) -> None:
    many = COMMANDS_PER_QUERY * 2 + 1
    insert(database, *(row(position) for position in range(1, many + 1)))
    insert(database, row(many + 1, command_id="command-of-two", count=2))
    insert(database, row(many + 2, command_id="command-of-two", index=2, count=2))
    asked = [f"command-{position}" for position in range(2, many + 9)]
    with database.read() as session:
        assert sorted(first.position for first in event_table.first_of_commands(session, asked)) == list(
            range(2, many + 1)
        )
        [first] = event_table.first_of_commands(session, ["command-of-two", "unknown"])
        assert (first.position, first.command_end) == (many + 1, many + 2)
        assert list(event_table.first_of_commands(session, [])) == []


def test_an_instant_is_the_last_position_recorded_at_or_before_it(database: Database) -> None:
    recorded_at = [START_US + step for step in (0, 0, 5, 5, 5, 9, 30, 30)]
    insert(database, *(row(position, instant) for position, instant in enumerate(recorded_at, 1)))
    change_head_position(database, len(recorded_at))
    with database.read() as session:
        for instant in range(START_US - 2, START_US + 33):
            assert event_table.position_at(session, instant) == bisect_right(recorded_at, instant)


def change_head_position(database: Database, position: int) -> None:
    with database.write() as session:
        session.execute("UPDATE log_head SET position = ?", (position,))


def test_an_empty_log_has_no_position_at_any_instant(database: Database) -> None:
    with database.read() as session:
        assert event_table.position_at(session, START_US) == 0
