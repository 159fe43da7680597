"""The control plane: reads are of one moment, history is as it was, and a foreign store is neither read nor written."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from domain.errors import Refused, ResurgamError, Unavailable
from domain.principal import principal_id
from infra.control_plane import batch, log_verification
from infra.control_plane.job import Outcome
from infra.control_plane.plane import ControlPlane, acting_as
from infra.control_plane.request import Request
from infra.control_plane.when import When
from infra.database.session import CommitUnknown, Database, Session
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.log import event_table
from infra.log.event_table import row_of
from infra.log.proven import decode_proven
from infra.log.record import frame
from tests.infra.control_plane.installation import (
    ACTOR,
    OPERATOR_ID,
    PASSWORD,
    installed_plane,
    request,
    user_id,
    user_request,
)
from tests.infra.log.inner_events import inner
from tests.infra.log.stores import change_head

State = dict[str, Any]


@pytest.fixture
def plane(store_url: str) -> Iterator[ControlPlane]:
    """A deployment on each engine in turn; at the end its log and state still agree."""
    database = open_database(store_url, create=True)
    yield installed_plane(database)
    database.close()


def everything(plane: ControlPlane, at: When | None = None) -> dict[str, Any]:
    with plane.read(at) as reading:
        return {resource.id: dict(resource.state) for resource in reading.state.all()}


@pytest.mark.parametrize("pending_max", [1, 2, 3])
def test_what_is_recorded_together_is_the_same_in_however_many_parts_it_is_written(
    plane: ControlPlane, pending_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PENDING_MAX", pending_max)
    commands = [
        user_request(1),
        request("CreateGroup", objectId="group-1", displayName="Group 1"),
        request("AddGroupMember", groupId="group-1", memberId=user_id(1)),
        user_request(1),
        request("SetPassword", objectId=user_id(1), password=PASSWORD),
        request("SetPassword", objectId=user_id(1), password=PASSWORD),
        request("DeleteUser", objectId=user_id(1)),
        user_request(2),
    ]
    first = plane.head().position + 1
    outcomes = plane.execute_all(commands, ACTOR)
    assert [getattr(outcome, "status", "refused") for outcome in outcomes] == [
        *["recorded"] * 3, "refused", *["recorded"] * 4
    ]  # fmt: skip
    recorded = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    assert len({outcome.recorded_at for outcome in recorded}) == 1
    assert [outcome.first for outcome in recorded] == [first, *(outcome.last + 1 for outcome in recorded[:-1])]
    log_verification.verify(plane.database)
    assert user_id(2) in str(everything(plane))
    before = everything(plane)
    with pytest.raises(ZeroDivisionError), monkeypatch.context() as broken:
        broken.setattr(batch.Batch, "write", _fails_at(3, batch.Batch.write))
        plane.execute_all([user_request(number) for number in range(10, 20)], ACTOR, is_atomic=True)
    assert everything(plane) == before
    log_verification.verify(plane.database)


def _fails_at(number: int, write: Any) -> Any:
    calls = count(1)

    def failing(*arguments: Any) -> None:
        write(*arguments)
        if next(calls) >= number:
            raise ZeroDivisionError

    return failing


def test_the_state_as_of_each_position_is_what_it_was_then(plane: ControlPlane) -> None:
    seen = {plane.head().position: everything(plane)}
    commands = [
        user_request(1),
        user_request(2),
        request("CreateGroup", objectId="group-1", displayName="Group 1"),
        request("AddGroupMember", groupId="group-1", memberId=user_id(1)),
        request("AddGroupMember", groupId="group-1", memberId=user_id(2)),
        request("UpdateUser", objectId=user_id(2), displayName="Another"),
        request("DeleteUser", objectId=user_id(1)),
        user_request(1, displayName="Again"),
        request("DeleteGroup", objectId="group-1"),
    ]
    for command in commands:
        position = plane.execute(command, ACTOR).last
        seen[position] = everything(plane)
    for position, expected in seen.items():
        assert everything(plane, When("", position=position)) == expected
    log_verification.verify(plane.database)


def test_a_read_stays_at_its_moment_while_others_write(plane: ControlPlane) -> None:
    with plane.read() as reading:
        before = len(list(reading.state.of_kind("user")))
        plane.execute(user_request(1), ACTOR)
        assert len(list(reading.state.of_kind("user"))) == before
        assert reading.state.find(principal_id(user_id(1))) is None
    with plane.read() as reading:
        assert reading.state.find(principal_id(user_id(1))) is not None


def test_refusals_and_repetitions_burn_no_position(plane: ControlPlane) -> None:
    before = plane.head().position
    requests: list[Request] = [
        user_request(1, "a"),
        user_request(1),
        user_request(1, "a"),
        user_request(2, "a"),
        request("EnableUser", objectId=user_id(1)),
        request("DeleteUser", objectId=user_id(9)),
        user_request(2, "b"),
    ]
    answers = plane.execute_all(requests, ACTOR)
    statuses = [a.status if isinstance(a, Outcome) else type(a).__name__ for a in answers]
    assert statuses == ["recorded", "Refused", "repeated", "Conflict", "unchanged", "Refused", "recorded"]
    assert plane.head().position == before + 2
    log_verification.verify(plane.database)


@pytest.mark.parametrize("fields", [{"release": "0.9"}, {"store_format": 2}, {"mode": "loading plan"}], ids=str)
def test_an_old_program_neither_reads_nor_writes_a_store_that_was_updated(
    plane: ControlPlane, fields: dict[str, object]
) -> None:
    plane.execute(user_request(1), ACTOR)
    change_head(plane.database, **fields)
    with pytest.raises(Refused):
        plane.execute(user_request(2), ACTOR)
    with pytest.raises(Refused):
        plane.execute(request("UpdateUser", objectId=user_id(1), displayName="cached"), ACTOR)
    with pytest.raises(Refused):
        everything(plane)
    with pytest.raises(Refused):
        plane.head()


def test_a_store_recovered_anew_at_the_same_position_is_not_taken_for_the_cached_one(plane: ControlPlane) -> None:
    plane.execute(user_request(1), ACTOR)
    with plane.database.write() as session:
        session.execute("UPDATE log_head SET epoch = 'epoch-2'")
        session.execute("UPDATE versions SET state = ? WHERE resource = ?", (b"", principal_id(user_id(1)).lower()))
    with pytest.raises(Refused, match="does not exist"):
        plane.execute(request("DisableUser", objectId=user_id(1)), ACTOR)


def test_a_clock_that_stepped_back_is_reported_with_each_outcome(plane: ControlPlane) -> None:
    with plane.database.read() as session:
        ahead = session.now_us() + 3_600_000_000
    change_head(plane.database, recorded_at=ahead)
    outcomes = [plane.execute(user_request(number), ACTOR) for number in (1, 2)]
    assert all("behind the last record" in (outcome.warning or "") for outcome in outcomes)
    assert len({outcome.recorded_at for outcome in outcomes}) == 1
    log_verification.verify(plane.database)


@pytest.mark.parametrize(("fields", "named"), [({"type_name": "user.married"}, "user.married"), ({"schema": 2}, "2")])
def test_an_event_of_a_newer_release_is_refused_by_name_when_the_log_is_folded(
    plane: ControlPlane, fields: dict[str, Any], named: str
) -> None:
    at = plane.head()
    record = frame(inner(**fields), at.position + 1, at.instant)
    with plane.database.write() as session:
        session.apply([event_table.insertion([row_of(decode_proven(record), record)])])
    with pytest.raises(Refused, match=named):
        log_verification.verify(plane.database)


def test_a_value_is_opened_by_its_own_deployment(plane: ControlPlane) -> None:
    with plane.read() as reading:
        operator = reading.state.find(principal_id(OPERATOR_ID))
        assert operator is not None
        sealed: Any = operator.state["password"]
        opened = plane.open_sealed(reading.session, sealed, "password-hash", operator.id)
    assert opened.startswith(b"$argon2id$")
    assert PASSWORD.encode() not in opened


def test_an_atomic_request_of_more_commands_than_a_statement_has_parameters_is_recorded(plane: ControlPlane) -> None:
    requests = [
        request("CreateGroup", f"group-{number}", objectId=f"group-{number}", displayName=f"Group {number}")
        for number in range(1_500)
    ]
    answers: list[Outcome | ResurgamError] = []
    for _ in range(2):
        answers += plane.execute_all(requests, ACTOR, is_atomic=True)
    statuses = [answer.status for answer in answers if isinstance(answer, Outcome)]
    assert statuses == ["recorded"] * 1_500 + ["repeated"] * 1_500


class Disturbed:
    """A database whose reads fail, or whose first commit is lost before an interruption, as asked."""

    def __init__(self, real: Database) -> None:
        self._real = real
        self.engine = real.engine
        self.is_readable = True
        self.disturbances: list[BaseException] = []

    def erase_remains(self) -> bool:
        return self._real.erase_remains()

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._real.write() as session:
            yield session
        if self.disturbances:
            raise self.disturbances.pop(0)

    @contextmanager
    def read(self) -> Iterator[Session]:
        if not self.is_readable:
            raise Unavailable("the server went away")
        with self._real.read() as session:
            yield session

    def close(self) -> None:
        self._real.close()


def test_a_store_that_fails_while_a_command_is_prepared_keeps_the_answers_of_the_others(plane: ControlPlane) -> None:
    disturbed = Disturbed(plane.database)
    disturbed.is_readable = False
    certificate = request("IssueCertificate", subject="CN=none", validityDays=10, publicKey="no key")
    answers = ControlPlane(disturbed, plane.root_key, cost=TEST_COST).execute_all(
        [user_request(1), certificate, user_request(2)], ACTOR
    )
    assert [type(answer) for answer in answers] == [Outcome, Unavailable, Outcome]


def test_whoever_may_not_is_not_told_why_the_command_could_not_be_prepared(plane: ControlPlane) -> None:
    plane.execute(user_request(1), ACTOR)
    certificate = request("IssueCertificate", subject="CN=none", validityDays=10, publicKey="no key")
    [answer] = plane.execute_all([certificate], acting_as(ACTOR, user_id(1)), is_enforced=True)
    assert isinstance(answer, Refused)
    assert answer.rule == "not-allowed"


def test_an_interruption_is_not_taken_for_a_lost_commit(plane: ControlPlane) -> None:
    disturbed = Disturbed(plane.database)
    disturbed.disturbances = [CommitUnknown("the answer was lost"), KeyboardInterrupt()]
    interrupted = ControlPlane(disturbed, plane.root_key, cost=TEST_COST)
    with pytest.raises(KeyboardInterrupt):
        interrupted.execute(user_request(1), ACTOR)
    assert interrupted.execute(user_request(2), ACTOR).status == "recorded", "nobody waits for what was interrupted"
    log_verification.verify(plane.database)
