"""The writer: idempotency, atomic jobs, group commit, keys that come and go with the state, and failures."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from domain.errors import Conflict, Corrupt, NotFound, Refused, ResurgamError, Unavailable
from domain.principal import principal_id
from infra.control_plane import log_verification, writer
from infra.control_plane.job import Outcome
from infra.control_plane.plane import ControlPlane, acting_as
from infra.control_plane.request import Request
from infra.database.session import CommitUnknown, Database, Engine, Session
from infra.database.url import open_database
from infra.keys import keyring
from infra.keys.password import TEST_COST
from infra.log import event_table
from infra.log.record import Recorded, decode_record
from tests.infra.control_plane.installation import (
    ACTOR,
    OPERATOR_ID,
    ROOT_KEY,
    install,
    request,
    user_id,
    user_request,
)

WRITERS = 16
DISK_FULL = Unavailable("the disk is full")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """A deployment's database, on each engine in turn; at the end its log and state still agree."""
    opened = open_database(store_url, create=True)
    install(opened)
    yield opened
    log_verification.verify(opened)
    opened.close()


@pytest.fixture
def plane(database: Database) -> ControlPlane:
    """The deployment."""
    return ControlPlane(database, ROOT_KEY, cost=TEST_COST)


def records(database: Database) -> list[Recorded]:
    with database.read() as session:
        return [decode_record(bytes(record)) for record in event_table.records(session)]


def exists(plane: ControlPlane, number: int) -> bool:
    with plane.read() as reading:
        return reading.state.find(principal_id(user_id(number))) is not None


def recorded(answer: Outcome | ResurgamError) -> Outcome:
    assert isinstance(answer, Outcome), answer
    return answer


class TestIdempotency:
    def test_a_repeated_command_id_answers_what_it_answered(self, plane: ControlPlane) -> None:
        first = plane.execute(user_request(1, "ticket-1"), ACTOR)
        again = plane.execute(user_request(1, "ticket-1"), ACTOR)
        assert (first.status, again.status) == ("recorded", "repeated")
        assert (again.first, again.last, again.recorded_at) == (first.first, first.last, first.recorded_at)
        assert again.resources == first.resources == (principal_id(user_id(1)),)
        assert plane.head().position == first.last

    def test_a_command_id_of_another_command_is_a_conflict(self, plane: ControlPlane) -> None:
        plane.execute(user_request(1, "ticket-1"), ACTOR)
        with pytest.raises(Conflict, match="ticket-1"):
            plane.execute(user_request(2, "ticket-1"), ACTOR)
        assert not exists(plane, 2)

    def test_an_id_that_stands_twice_in_one_batch_is_recorded_once(self, plane: ControlPlane) -> None:
        requests = [user_request(1, "ticket-1"), user_request(1, "ticket-1"), user_request(2, "ticket-1")]
        first, again, other = plane.execute_all(requests, ACTOR)
        assert (recorded(first).status, recorded(again).status) == ("recorded", "repeated")
        assert recorded(first).last == recorded(again).last
        assert isinstance(other, Conflict)

    def test_the_id_of_a_refused_command_is_free_again(self, plane: ControlPlane) -> None:
        command = request("DisableUser", "ticket-1", objectId=user_id(1))
        with pytest.raises(Refused):
            plane.execute(command, ACTOR)
        plane.execute(user_request(1), ACTOR)
        assert plane.execute(command, ACTOR).status == "recorded"

    def test_a_repeated_command_is_answered_though_it_could_not_be_prepared_again(self, plane: ControlPlane) -> None:
        root = "/providers/Resurgam.Certificates/roots/root-1"
        plane.execute(request("CreateCertificateAuthority", name="root-1", subject="CN=Root 1", validityDays=30), ACTOR)
        leaf = request("IssueCertificate", "ticket-1", root=root, subject="CN=leaf", validityDays=3)
        first = plane.execute(leaf, ACTOR)
        second_root = request(
            "RotateCertificateAuthority", name="root-2", subject="CN=Root 2", validityDays=30, overlapDays=1
        )
        plane.execute(second_root, ACTOR)
        again = plane.execute(leaf, ACTOR)
        assert (again.status, again.first) == ("repeated", first.first)

    def test_a_command_of_several_events_is_found_by_its_id(self, plane: ControlPlane) -> None:
        plane.execute(user_request(1), ACTOR)
        plane.execute(request("CreateGroup", objectId="group-1", displayName="Group 1"), ACTOR)
        plane.execute(request("AddGroupMember", groupId="group-1", memberId=user_id(1)), ACTOR)
        first = plane.execute(request("DeleteUser", "ticket-1", objectId=user_id(1)), ACTOR)
        again = plane.execute(request("DeleteUser", "ticket-1", objectId=user_id(1)), ACTOR)
        assert first.last == first.first + 1
        assert (again.first, again.last, again.resources) == (first.first, first.last, first.resources)

    def test_a_command_that_changes_nothing_records_nothing(self, plane: ControlPlane) -> None:
        position = plane.head().position
        outcome = plane.execute(request("EnableUser", objectId=OPERATOR_ID), ACTOR)
        assert (outcome.status, outcome.first, outcome.last) == ("unchanged", 0, 0)
        assert plane.head().position == position


class TestRefusals:
    def test_a_refused_command_keeps_the_others(self, plane: ControlPlane) -> None:
        requests = [user_request(1), request("DisableUser", objectId=user_id(9)), user_request(2)]
        first, refused, last = plane.execute_all(requests, ACTOR)
        assert isinstance(refused, Refused)
        assert refused.rule == "user-exists"
        assert recorded(last).first == recorded(first).last + 1

    def test_a_command_sees_what_the_one_before_it_in_the_batch_did(self, plane: ControlPlane) -> None:
        requests = [user_request(1), request("DisableUser", objectId=user_id(1)), user_request(1)]
        created, disabled, refused = plane.execute_all(requests, ACTOR)
        assert recorded(disabled).first == recorded(created).last + 1
        assert isinstance(refused, Refused)

    def test_an_atomic_request_is_recorded_whole(self, plane: ControlPlane) -> None:
        answers = plane.execute_all([user_request(1), user_request(2)], ACTOR, is_atomic=True)
        assert [recorded(answer).status for answer in answers] == ["recorded", "recorded"]
        assert recorded(answers[0]).recorded_at == recorded(answers[1]).recorded_at

    def test_an_atomic_request_with_a_refused_command_records_nothing(self, plane: ControlPlane) -> None:
        position = plane.head().position
        requests = [user_request(1), request("DisableUser", objectId=user_id(9)), user_request(2)]
        answers = plane.execute_all(requests, ACTOR, is_atomic=True)
        assert [error.rule for error in answers if isinstance(error, Refused)] == ["atomic", "user-exists", "atomic"]
        assert plane.head().position == position
        assert not exists(plane, 1)
        assert plane.execute(user_request(1), ACTOR).status == "recorded"

    def test_what_preparing_refuses_keeps_the_others(self, plane: ControlPlane) -> None:
        certificate = request("IssueCertificate", subject="CN=none", validityDays=10, publicKey="no key")
        answers = plane.execute_all([user_request(1), certificate, user_request(2)], ACTOR)
        assert isinstance(answers[1], Refused | NotFound)
        assert exists(plane, 1)
        assert exists(plane, 2)


class TestAuthorization:
    def test_a_principal_without_a_role_is_refused_where_roles_are_enforced(self, plane: ControlPlane) -> None:
        plane.execute(user_request(1), ACTOR)
        with pytest.raises(Refused) as caught:
            plane.execute(user_request(2), acting_as(ACTOR, user_id(1)), is_enforced=True)
        assert caught.value.rule == "not-allowed"
        assert not exists(plane, 2)

    def test_an_owner_is_allowed_and_recorded(self, plane: ControlPlane, database: Database) -> None:
        plane.execute(user_request(2), acting_as(ACTOR, OPERATOR_ID), is_enforced=True)
        assert records(database)[-1].event["actor"] == {
            "established": "declared",
            "host": "host-1",
            "os_user": "operator",
            "principal": OPERATOR_ID,
        }

    def test_a_declared_principal_decides_nothing(self, plane: ControlPlane) -> None:
        plane.execute(user_request(1), acting_as(ACTOR, "whoever"))
        assert exists(plane, 1)


class TestConcurrency:
    def test_writers_of_one_process_commit_together_without_gaps(self, plane: ControlPlane, database: Database) -> None:
        before = plane.head().position
        barrier = threading.Barrier(WRITERS)

        def write(writer: int) -> list[Outcome]:
            barrier.wait()
            return [plane.execute(user_request(writer * 100 + number), ACTOR) for number in range(10)]

        with ThreadPoolExecutor(WRITERS) as pool:
            outcomes = [outcome for answers in pool.map(write, range(WRITERS)) for outcome in answers]
        positions = sorted(outcome.first for outcome in outcomes)
        assert positions == list(range(before + 1, before + 1 + WRITERS * 10))
        assert [record.position for record in records(database)] == list(range(1, positions[-1] + 1))

    def test_recorded_at_never_falls(self, plane: ControlPlane, database: Database) -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda number: plane.execute(user_request(number), ACTOR), range(WRITERS * 4)))
        instants = [record.recorded_at for record in records(database)]
        assert instants == sorted(instants)

    def test_of_many_who_want_one_name_one_gets_it(self, database: Database) -> None:
        planes = [ControlPlane(database, ROOT_KEY, cost=TEST_COST) for _ in range(4)]
        barrier = threading.Barrier(WRITERS)

        def write(writer: int) -> Outcome | ResurgamError:
            barrier.wait()
            command = user_request(writer, userPrincipalName="wanted@region.example")
            [answer] = planes[writer % 4].execute_all([command], ACTOR)
            return answer

        with ThreadPoolExecutor(WRITERS) as pool:
            answers = list(pool.map(write, range(WRITERS)))
        assert sum(isinstance(answer, Outcome) for answer in answers) == 1
        rules = {answer.rule for answer in answers if isinstance(answer, Refused)}
        assert rules == {"user-principal-name-unique"}


class TestSeveralProcesses:
    """Planes that know nothing of each other, as those of two processes do."""

    def test_each_sees_what_the_other_one_recorded_since(self, database: Database) -> None:
        one, other = (ControlPlane(database, ROOT_KEY, cost=TEST_COST) for _ in range(2))
        one.execute(user_request(1), ACTOR)
        one.execute(request("CreateGroup", objectId="group-1", displayName="Group 1"), ACTOR)
        other.execute(request("AddGroupMember", groupId="group-1", memberId=user_id(1)), ACTOR)
        again = one.execute(request("AddGroupMember", groupId="group-1", memberId=user_id(1)), ACTOR)
        assert again.status == "unchanged"
        assert len(one.execute(request("DeleteUser", objectId=user_id(1)), ACTOR).resources) == 2
        with pytest.raises(Refused):
            other.execute(request("UpdateUser", objectId=user_id(1), displayName="Gone"), ACTOR)
        other.execute(user_request(2, userPrincipalName="user-1@region.example"), ACTOR)
        [refused] = one.execute_all([user_request(3, userPrincipalName="user-1@region.example")], ACTOR)
        assert isinstance(refused, Refused)

    def test_one_that_fell_far_behind_starts_anew(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writer, "CATCH_UP_MAX", 1)
        one, other = (ControlPlane(database, ROOT_KEY, cost=TEST_COST) for _ in range(2))
        one.execute(user_request(1), ACTOR)
        other.execute_all([request("DisableUser", objectId=user_id(1)), user_request(2)], ACTOR)
        assert one.execute(request("DisableUser", objectId=user_id(1)), ACTOR).status == "unchanged"


class TestKeys:
    def test_a_key_is_added_with_the_state_and_shredded_with_its_change(
        self, plane: ControlPlane, database: Database
    ) -> None:
        created = plane.execute(user_request(1), ACTOR)
        [old] = keys_added_at(database, created.first)
        replaced = plane.execute(request("SetPassword", objectId=user_id(1), password="another"), ACTOR)
        [new] = keys_added_at(database, replaced.first)
        with database.read() as session:
            shredded = keyring.find(session, old)
            live = keyring.find(session, new)
        assert shredded is not None
        assert (shredded.wrapped, shredded.shredded_at) == (b"", replaced.first)
        assert live is not None
        assert live.is_live
        deleted = plane.execute(request("DeleteUser", objectId=user_id(1)), ACTOR)
        with database.read() as session:
            gone = keyring.find(session, new)
        assert gone is not None
        assert gone.shredded_at == deleted.last

    def test_a_key_that_comes_and_goes_in_one_batch_is_shredded(self, plane: ControlPlane, database: Database) -> None:
        requests = [user_request(1), request("DeleteUser", objectId=user_id(1))]
        created, deleted = (recorded(answer) for answer in plane.execute_all(requests, ACTOR, is_atomic=True))
        [key] = keys_added_at(database, created.first)
        with database.read() as session:
            found = keyring.find(session, key)
        assert found is not None
        assert found.shredded_at == deleted.last
        assert found.wrapped == b""

    def test_a_refused_command_leaves_no_key(self, plane: ControlPlane, database: Database) -> None:
        plane.execute(user_request(1), ACTOR)
        before = key_count(database)
        with pytest.raises(Refused):
            plane.execute(user_request(1), ACTOR)
        assert key_count(database) == before


class TestFailures:
    def test_a_batch_that_one_job_spoils_is_divided_so_that_only_the_guilty_fails(self, database: Database) -> None:
        faulty = FaultyDatabase(database, fails_for=b"user-3@region.example", error=Corrupt("not to be written"))
        plane = ControlPlane(faulty, ROOT_KEY, cost=TEST_COST)
        answers = plane.execute_all([user_request(number) for number in range(1, 6)], ACTOR)
        assert [isinstance(answer, Outcome) for answer in answers] == [True, True, False, True, True]
        assert isinstance(answers[2], Corrupt)
        assert [exists(plane, number) for number in range(1, 6)] == [True, True, False, True, True]

    def test_a_store_that_cannot_write_is_no_jobs_fault(self, database: Database) -> None:
        faulty = FaultyDatabase(database, fails_for=b"user-3@region.example")
        plane = ControlPlane(faulty, ROOT_KEY, cost=TEST_COST)
        answers = plane.execute_all([user_request(number) for number in range(1, 6)], ACTOR)
        assert all(isinstance(answer, Unavailable) for answer in answers)
        assert not any(exists(plane, number) for number in range(1, 6))

    def test_after_a_failure_the_next_command_sees_the_store_and_not_the_lost_batch(self, database: Database) -> None:
        faulty = FaultyDatabase(database, fails_for=b"user-1@region.example")
        plane = ControlPlane(faulty, ROOT_KEY, cost=TEST_COST)
        with pytest.raises(Unavailable):
            plane.execute(user_request(1), ACTOR)
        faulty.fails_for = b""
        assert plane.execute(user_request(1), ACTOR).status == "recorded"

    def test_a_failure_of_an_atomic_request_is_answered_to_all_of_it(self, database: Database) -> None:
        faulty = FaultyDatabase(database, fails_for=b"user-2@region.example")
        plane = ControlPlane(faulty, ROOT_KEY, cost=TEST_COST)
        answers = plane.execute_all([user_request(1), user_request(2)], ACTOR, is_atomic=True)
        assert all(isinstance(answer, Unavailable) for answer in answers)
        assert not exists(plane, 1)

    @pytest.mark.parametrize("is_stored", [True, False])
    def test_a_commit_of_unknown_outcome_neither_loses_nor_doubles(self, database: Database, is_stored: bool) -> None:
        faulty = FaultyDatabase(database)
        plane = ControlPlane(faulty, ROOT_KEY, cost=TEST_COST)
        faulty.lose_commits(1, is_stored=is_stored)
        before = plane.head().position
        answers = plane.execute_all([user_request(1), user_request(2)], ACTOR)
        assert [recorded(answer).status for answer in answers] == ["recorded", "recorded"]
        assert [recorded(answer).first for answer in answers] == [before + 1, before + 2]
        assert plane.head().position == before + 2

    def test_a_commit_that_stays_unknown_is_never_repeated_blindly(self, database: Database) -> None:
        faulty = FaultyDatabase(database)
        plane = ControlPlane(faulty, ROOT_KEY, cost=TEST_COST)
        before = plane.head().position
        faulty.lose_commits(1_000, is_stored=False)
        requests: list[Request] = [user_request(1), user_request(2)]
        assert all(isinstance(answer, CommitUnknown) for answer in plane.execute_all(requests, ACTOR))
        faulty.lose_commits(0, is_stored=False)
        assert plane.head().position == before


class FaultyDatabase:
    """A database whose transactions fail when they write certain bytes, or whose commits get lost on the way back."""

    def __init__(self, real: Database, fails_for: bytes = b"", error: Exception = DISK_FULL) -> None:
        self._real = real
        self._error = error
        self.fails_for = fails_for
        self._lost = 0
        self._is_stored = False

    @property
    def engine(self) -> Engine:
        return self._real.engine

    def erase_remains(self) -> bool:
        return self._real.erase_remains()

    def lose_commits(self, count: int, *, is_stored: bool) -> None:
        self._lost, self._is_stored = count, is_stored

    @contextmanager
    def write(self) -> Iterator[Session]:
        is_lost, self._lost = self._lost > 0, max(self._lost - 1, 0)
        if is_lost and self._is_stored:
            with self._real.write() as session:
                yield session
        elif is_lost:
            with pytest.raises(_RolledBack), self._real.write() as session:
                yield session
                raise _RolledBack
        else:
            with self._real.write() as session:
                yield session
                self._fail_if_asked(session)
            return
        raise CommitUnknown("the connection was lost at the commit")

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._real.read() as session:
            yield session

    def close(self) -> None:
        self._real.close()

    def _fail_if_asked(self, session: Session) -> None:
        if self.fails_for and any(self.fails_for in bytes(record) for record in event_table.records(session)):
            raise self._error


class _RolledBack(Exception):
    """Rolls a transaction back."""


def keys_added_at(database: Database, position: int) -> list[str]:
    with database.read() as session:
        return [key for (key,) in session.execute("SELECT key_id FROM keyring WHERE added_at = ?", (position,))]


def key_count(database: Database) -> int:
    with database.read() as session:
        [(count,)] = session.execute("SELECT count(*) FROM keyring")
    return int(count)
