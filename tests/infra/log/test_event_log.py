"""Appending: positions without gaps, recorded-at that never falls, and a head that knows every record."""

from collections.abc import Iterator, Sequence

import pytest

from domain.errors import Conflict
from infra.database.session import Database
from infra.log import event_table, head
from infra.log.event_log import CLOCK_STEP_US, Clock, Pending, append
from infra.log.head import Head
from infra.log.record import decode_record
from projections.digest import Digest
from tests.infra.log.inner_events import pending
from tests.infra.log.stores import change_head, opened
from tests.system.merkle import merkle_root

MINUTE_US = 60 * 1_000_000


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An open store on each engine in turn."""
    database = opened(store_url)
    yield database
    database.close()


def add(database: Database, events: Sequence[Pending]) -> Head:
    with database.write() as session:
        at = head.read_open(session, lock=True)
        return append(session, at, events, Clock.read(session, at).recorded_at, Digest(at.position, 1))


def records(database: Database) -> list[bytes]:
    with database.read() as session:
        return list(event_table.records(session))


def test_positions_have_no_gaps_and_the_head_knows_every_record(database: Database) -> None:
    number = 0
    for size in (1, 3, 1, 7, 2):
        add(database, [pending(number + each) for each in range(size)])
        number += size
        stored = records(database)
        assert [decode_record(record).position for record in stored] == list(range(1, number + 1))
        with database.read() as session:
            at = head.read_open(session)
        assert (at.position, at.root) == (number, merkle_root(stored))


def test_a_conflict_appends_nothing_and_burns_no_position(database: Database) -> None:
    before = add(database, [pending(1)])
    for twins in ([pending(2), pending(1)], [pending(3), pending(3)]):
        with pytest.raises(Conflict):
            add(database, twins)
    with database.read() as session:
        assert head.read_open(session) == before
    assert add(database, [pending(4)]).position == 2


def test_all_events_of_one_append_share_one_recorded_at(database: Database) -> None:
    add(database, [pending(number) for number in range(3)])
    assert len({decode_record(record).recorded_at for record in records(database)}) == 1


def test_recorded_at_is_the_present(database: Database) -> None:
    with database.write() as session:
        before = session.now_us()
        clock = Clock.read(session, head.read(session, lock=True))
        assert before <= clock.recorded_at <= session.now_us()
        assert (clock.behind_us, clock.warning) == (0, None)


def test_recorded_at_stands_still_while_the_clock_is_behind_the_log(database: Database) -> None:
    with database.read() as session:
        ahead = session.now_us() + MINUTE_US
    change_head(database, recorded_at=ahead)
    assert [add(database, [pending(number)]).recorded_at for number in range(3)] == [ahead] * 3


@pytest.mark.parametrize(("minutes", "is_reported"), [(4, False), (6, True)])
def test_a_clock_that_steps_back_by_more_than_five_minutes_is_reported(
    database: Database, minutes: int, is_reported: bool
) -> None:
    with database.read() as session:
        ahead = session.now_us() + minutes * MINUTE_US
    change_head(database, recorded_at=ahead)
    with database.write() as session:
        clock = Clock.read(session, head.read(session, lock=True))
    assert (clock.behind_us > CLOCK_STEP_US) == is_reported
    assert clock.recorded_at == ahead
    if is_reported:
        assert "the clock is 3" in (clock.warning or "")
        assert "time server" in (clock.warning or "")
    else:
        assert clock.warning is None
