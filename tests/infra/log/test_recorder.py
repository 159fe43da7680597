"""The recorder: real events of a deployment through the library's own parts, live and on both engines."""

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import ApplicationRecorder, EventStore, IntegrityError, Mapper, StoredEvent, Tracking
from eventsourcing.popo import POPOTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner

from domain.errors import Refused
from domain.principal import principal_id
from domain.resource_id import fold, originator_id
from infra.control_plane.plane import ControlPlane
from infra.database.session import Database, Session
from infra.database.url import open_database
from infra.log import head
from infra.log.head import Head
from infra.log.mapper import Envelope, RecordMapper
from infra.log.recorder import AggregateTableRecorder, LogRecorder
from projections.digest import Digest
from tests.infra.control_plane.installation import ACTOR, installed_plane, request, user_id, user_request
from tests.infra.log.stores import change_head, opened


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An open store on each engine in turn, that takes events of any topic."""
    database = opened(store_url)
    yield database
    database.close()


@pytest.fixture
def plane(store_url: str) -> Iterator[ControlPlane]:
    """A deployment on each engine in turn."""
    database = open_database(store_url, create=True)
    yield installed_plane(database)
    database.close()


def event(version: int = 1, originator: UUID | None = None, topic: str = "topic-1") -> StoredEvent:
    return StoredEvent(originator or uuid4(), version, topic, b'{"a":1}')


class TestEventsOfADeployment:
    def test_the_event_store_returns_the_history_of_a_resource(self, plane: ControlPlane) -> None:
        plane.execute(user_request(1), ACTOR)
        plane.execute(request("DisableUser", objectId=user_id(1)), ACTOR)
        store = EventStore(RecordMapper(), LogRecorder(plane.database))
        found: list[Any] = list(store.get(UUID(bytes=originator_id(fold(principal_id(user_id(1)))))))
        assert [e.events[0].type for e in found] == ["user.created", "user.disabled"]
        assert [e.originator_version for e in found] == [1, 2]

    def test_the_notification_log_returns_every_event_in_sections(self, plane: ControlPlane) -> None:
        plane.execute_all([user_request(number) for number in range(1, 25)], ACTOR)
        log = application(plane)().notification_log
        section, positions = log["1,10"], []
        while True:
            positions += [item.id for item in section.items]
            if section.next_id is None:
                break
            section = log[section.next_id]
        assert positions == list(range(1, plane.head().position + 1))

    def test_a_projection_follows_the_log_live(self, plane: ControlPlane) -> None:
        plane.execute(user_request(1), ACTOR)
        with ProjectionRunner(
            application_class=application(plane), projection_class=Counting, view_class=Counts
        ) as runner:
            runner.wait(plane.head().position, timeout=10)
            for number in (2, 3):
                plane.execute(user_request(number), ACTOR)
            plane.execute(request("DisableUser", objectId=user_id(3)), ACTOR)
            runner.wait(plane.head().position, timeout=10)
            counts = runner.view.counts
        assert counts["user.disabled"] == 1
        assert counts["user.created"] == 4, "the operator, and three more"
        assert sum(counts.values()) == plane.head().position

    def test_a_projection_that_meets_an_unknown_event_stops_and_names_it(self, database: Database) -> None:
        LogRecorder(database).insert_events([event(topic="user.married")])
        runner = ProjectionRunner(
            application_class=application_over(database), projection_class=Counting, view_class=Counts
        )
        with pytest.raises(Exception, match=r"a stored event of topic user\.married"), runner:
            runner.wait(1, timeout=10)


class TestStoresOfOthers:
    @pytest.mark.parametrize("fields", [{"release": "0.9"}, {"fold_generation": 7}, {"mode": "loading plan"}], ids=str)
    def test_no_road_leads_into_a_store_that_is_not_ours(self, database: Database, fields: dict[str, object]) -> None:
        recorder = LogRecorder(database)
        ours = event()
        recorder.insert_events([ours])
        change_head(database, **fields)
        subscription = recorder.subscribe()
        for use in (
            lambda: recorder.insert_events([event()]),
            lambda: recorder.select_events(ours.originator_id),
            lambda: recorder.select_notifications(1, 10),
            recorder.max_notification_id,
            lambda: next(subscription),
        ):
            with pytest.raises(Refused):
                use()


class TestHook:
    def test_the_hook_writes_in_the_transaction_of_the_append(self, database: Database) -> None:
        seen: list[tuple[int, int]] = []

        def hook(session: Session, at: Head, events: Any) -> Digest:
            seen.append((at.position, len(events)))
            session.execute("INSERT INTO local_facts (name, value) VALUES ('hooked', ?)", (b"1",))
            return Digest(at.position + 10, 20)

        recorder = LogRecorder(database, hook)
        assert recorder.insert_events([event(), event()]) == [1, 2]
        with database.read() as session:
            assert head.read_open(session).digest == Digest(10, 20)
        with pytest.raises(IntegrityError):
            recorder.insert_events([event()])  # the hook's own row is taken
        assert seen == [(0, 2), (2, 1)]
        assert recorder.max_notification_id() == 2

    def test_a_hook_that_fails_leaves_nothing(self, database: Database) -> None:
        def hook(session: Session, at: Head, events: Any) -> Digest:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            LogRecorder(database, hook).insert_events([event()])
        assert LogRecorder(database).max_notification_id() is None
        assert LogRecorder(database).insert_events([event()]) == [1]


class TestConflicts:
    def test_a_conflict_burns_no_position(self, database: Database) -> None:
        recorder = LogRecorder(database)
        first = event()
        recorder.insert_events([first])
        for _ in range(3):
            with pytest.raises(IntegrityError):
                recorder.insert_events([event(), first])
        assert recorder.insert_events([event()]) == [2]

    def test_inserting_nothing_records_nothing(self, database: Database) -> None:
        assert LogRecorder(database).insert_events([]) == []
        assert LogRecorder(database).max_notification_id() is None


class TestSubscriptions:
    def test_what_others_record_arrives_live(self, database: Database, store_url: str) -> None:
        """Through another recorder of this process, and through another connection as another process has it."""
        received: list[int] = []
        recorder = LogRecorder(database)
        with recorder.subscribe(gt=None) as subscription:
            reader = threading.Thread(target=lambda: received.extend(take(subscription, 30)))
            reader.start()
            elsewhere = open_database(store_url)
            for recorder_of in (recorder, LogRecorder(database), LogRecorder(elsewhere)):
                for _ in range(10):
                    recorder_of.insert_events([event()])
            reader.join(10)
            elsewhere.close()
        assert received == list(range(1, 31))

    def test_a_subscription_begins_after_a_position_and_takes_its_topics_alone(self, database: Database) -> None:
        recorder = LogRecorder(database)
        recorder.insert_events([event(topic=f"topic-{number % 3}") for number in range(1, 13)])
        with recorder.subscribe(gt=3, topics=["topic-1", "topic-2"]) as subscription:
            assert take(subscription, 6) == [4, 5, 7, 8, 10, 11]

    def test_a_subscription_reads_a_long_log_to_its_end(self, database: Database) -> None:
        recorder = LogRecorder(database)
        recorder.insert_events([event() for _ in range(1_203)])
        with recorder.subscribe() as subscription:
            assert take(subscription, 1_203) == list(range(1, 1_204))

    def test_stopping_ends_a_subscription_that_waits(self, database: Database) -> None:
        subscription = LogRecorder(database).subscribe()
        received: list[int] = []
        reader = threading.Thread(target=lambda: received.extend(n.id for n in subscription))
        reader.start()
        subscription.stop()
        reader.join(10)
        assert not reader.is_alive()
        assert received == []


def test_snapshots_have_a_table_of_their_own(database: Database) -> None:
    recorder = AggregateTableRecorder(database)
    kept = event(version=5)
    assert recorder.insert_events([kept]) is None
    assert recorder.select_events(kept.originator_id, gt=4, lte=5, desc=True, limit=1) == [kept]
    with pytest.raises(IntegrityError):
        recorder.insert_events([kept])
    assert AggregateTableRecorder(database).select_events(kept.originator_id) == [kept]


def take(subscription: Any, count: int) -> list[int]:
    return [next(subscription).id for _ in range(count)]


class Counts(POPOTrackingRecorder):
    """How many events of each type there were."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}

    def count(self, name: str, tracking: Tracking) -> None:
        with self._database_lock:
            self.counts[name] = self.counts.get(name, 0) + 1
            self._assert_tracking_uniqueness(tracking)
            self._insert_tracking(tracking)


class Counting(Projection[Counts]):
    """Counts events by type."""

    def process_event(self, domain_event: Envelope, tracking: Tracking) -> None:
        self.view.count(domain_event.events[0].type, tracking)


def application(plane: ControlPlane) -> type[Application[UUID]]:
    """Return the library's application over a deployment's log."""
    return application_over(plane.database)


def application_over(database: Database) -> type[Application[UUID]]:
    """Return the library's application over a log."""

    class Deployment(Application[UUID]):
        def construct_mapper(self) -> Mapper[UUID]:
            return RecordMapper()

        def construct_recorder(self) -> ApplicationRecorder:
            return LogRecorder(database)

    return Deployment
