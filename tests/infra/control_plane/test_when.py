"""When: positions, instants and ages, always answered at the end of a command, and the same when asked again."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import NotFound, Refused, Usage
from domain.instant import from_microseconds, to_microseconds
from infra.control_plane import when
from infra.control_plane.plane import ControlPlane
from infra.control_plane.when import When
from infra.database.session import Database
from infra.database.url import open_database
from infra.log import event_table, head
from infra.log.event_log import Clock, append
from infra.log.record import decode_record
from tests.infra.control_plane.installation import ACTOR, installed_plane, request, user_id, user_request
from tests.infra.log.inner_events import pending
from tests.infra.log.stores import change_head

NOW = "2026-11-22T15:04:05.123456Z"


@pytest.fixture
def plane(store_url: str) -> Iterator[ControlPlane]:
    """A deployment whose last command recorded three events: a user left two groups and was deleted."""
    database = open_database(store_url, create=True)
    plane = installed_plane(database)
    plane.execute(user_request(1), ACTOR)
    for group in ("group-1", "group-2"):
        plane.execute(request("CreateGroup", objectId=group, displayName=group), ACTOR)
        plane.execute(request("AddGroupMember", groupId=group, memberId=user_id(1)), ACTOR)
    plane.execute(request("DeleteUser", objectId=user_id(1)), ACTOR)
    yield plane
    database.close()


def recorded_at(database: Database, position: int) -> str:
    with database.read() as session:
        found = event_table.record_at(session, position)
    assert found is not None
    return found.recorded_at


def answered(plane: ControlPlane, asked: When | None) -> tuple[int, int | None]:
    with plane.read(asked) as reading:
        assert reading.state.position == reading.moment.position
        return reading.moment.position, reading.moment.snapped_from


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("0", When("0", position=0)),
            ("4711", When("4711", position=4711)),
            ("2026-11-03T14:00Z", When("2026-11-03T14:00Z", instant="2026-11-03T14:00:00.000000Z")),
            ("2026-11-03T14:00+01:00", When("2026-11-03T14:00+01:00", instant="2026-11-03T13:00:00.000000Z")),
            ("5s", When("5s", instant="2026-11-22T15:04:00.123456Z")),
            ("5m", When("5m", instant="2026-11-22T14:59:05.123456Z")),
            ("26h", When("26h", instant="2026-11-21T13:04:05.123456Z")),
            ("3d", When("3d", instant="2026-11-19T15:04:05.123456Z")),
            ("2w", When("2w", instant="2026-11-08T15:04:05.123456Z")),
            ("700000d", When("700000d", instant="0110-05-11T15:04:05.123456Z")),
        ],
    )
    def test_a_point_in_time_is_a_position_an_instant_or_an_age(self, text: str, expected: When) -> None:
        assert when.parse(text, NOW) == expected

    @pytest.mark.parametrize(
        "text",
        [
            *("", " 7", "-1", "1.5", "+7", "٣", "9" * 30, "9" * 5_000),
            *("٣d", "3y", "3 d", "d", "9" * 18 + "w", "9" * 5_000 + "d", "800000d"),
            *("yesterday", "2026-11-03", "2026-11-03T14:00", "2026-13-03T14:00Z"),
        ],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(Usage):
            when.parse(text, NOW)

    @given(st.text(max_size=12))
    def test_no_text_is_a_crash(self, text: str) -> None:
        with suppress(Usage):
            when.parse(text, NOW)


class TestPositions:
    def test_every_position_is_answered_at_the_end_of_a_command(self, plane: ControlPlane) -> None:
        with plane.database.read() as session:
            ends = [decode_record(record).command_end for record in event_table.records(session)]
        last = plane.head().position
        for position in range(last + 1):
            is_end = position == 0 or ends[position - 1] == position
            start = position if is_end else max(end for end in [0, *ends] if end < position)
            assert answered(plane, When("", position=position)) == (start, None if is_end else position)

    def test_a_position_inside_a_command_goes_back_to_its_start(self, plane: ControlPlane) -> None:
        last = plane.head().position
        assert answered(plane, When("", position=last - 1)) == (last - 3, last - 1)
        with plane.read(When("", position=last - 1)) as reading:
            assert len(list(reading.state.of_kind("group-membership"))) == 2

    def test_a_position_that_is_not_recorded_yet_is_not_found(self, plane: ControlPlane) -> None:
        last = plane.head().position
        for position in (last + 1, 10**18):
            with pytest.raises(NotFound, match=f"the head is at {last}"):
                answered(plane, When("", position=position))


class TestInstants:
    def test_an_instant_is_the_last_command_recorded_by_then(self, plane: ControlPlane) -> None:
        last = plane.head().position
        deleted = recorded_at(plane.database, last)
        before = from_microseconds(to_microseconds(deleted) - 1)
        assert answered(plane, When("", instant=deleted)) == (last, None)
        assert answered(plane, When("", instant=before))[0] == last - 3
        assert answered(plane, When("", instant="1970-01-01T00:00:00.000000Z")) == (0, None)
        assert answered(plane, When("", instant="9999-12-31T00:00:00.000000Z")) == (last, None)

    def test_without_a_moment_the_head_is_answered(self, plane: ControlPlane) -> None:
        assert answered(plane, None) == (plane.head().position, None)

    def test_an_instant_at_the_head_waits_for_a_commit_under_way(self, plane: ControlPlane) -> None:
        """Another writer appended, and is about to commit: the instant of its records is over, so they belong to it."""
        is_appended, may_commit = threading.Event(), threading.Event()
        appended_at: list[str] = []

        def append_slowly() -> None:
            with plane.database.write() as session:
                at = head.read_open(session, lock=True)
                grown = append(session, at, [pending(1)], Clock.read(session, at).recorded_at, at.digest)
                appended_at.append(grown.instant)
                is_appended.set()
                assert may_commit.wait(10)

        last = plane.head().position
        with ThreadPoolExecutor(2) as pool:
            writing = pool.submit(append_slowly)
            assert is_appended.wait(10)
            reading = pool.submit(answered, plane, When("", instant=appended_at[0]))
            earlier = When("", instant=recorded_at(plane.database, last - 3))
            assert answered(plane, earlier)[0] == last - 3, "a settled instant waits for nobody"
            assert not reading.done()
            may_commit.set()
            writing.result(10)
            assert reading.result(10) == (last + 1, None)


@pytest.mark.parametrize("asked", [None, When("", position=1), When("", instant=NOW)], ids=str)
def test_a_store_of_another_release_is_not_read(plane: ControlPlane, asked: When | None) -> None:
    change_head(plane.database, release="0.9")
    with pytest.raises(Refused, match=r"release 0\.9"):
        answered(plane, asked)
