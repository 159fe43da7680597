"""The log as a persistence module of the eventsourcing library: its stores and subscriptions work on it.

Facts about the library are in its own documentation; what differs here is said at each method.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    StoredEvent,
    Subscription,
)

from domain.errors import Conflict
from infra.database.session import Database, Session
from infra.log import event_table, head
from infra.log.event_log import Clock, Pending, append
from infra.log.head import Head
from infra.log.record import unframe
from projections.digest import Digest

POLL_INTERVAL_S = 0.1

Hook = Callable[[Session, Head, Sequence[StoredEvent]], Digest]
"""Writes what the events change in the transaction that appends them, and returns the new state digest."""


class LogRecorder(ApplicationRecorder):
    """Records events in the log of an open store; positions are notification ids, gapless from 1.

    `hook` is called before the append, under the lock; without one the state tables are not kept.
    """

    def __init__(self, database: Database, hook: Hook | None = None) -> None:
        super().__init__()
        self.database = database
        self.hook = hook
        self.appended = threading.Condition()

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append the events, all or none, and return their positions.

        Raises IntegrityError if a resource's sequence is taken.
        """
        if not stored_events:
            return []
        with _integrity(), self.database.write() as session:
            at = head.read_open(session, lock=True)
            digest = self.hook(session, at, stored_events) if self.hook else at.digest
            pending = [
                Pending(_uuid(event.originator_id).bytes, event.originator_version, event.topic, event.state)
                for event in stored_events
            ]
            append(session, at, pending, Clock.read(session, at).recorded_at, digest)
        with self.appended:
            self.appended.notify_all()
        return list(range(at.position + 1, at.position + 1 + len(stored_events)))

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the events of one resource in the order of their sequence."""
        sql = "SELECT originator_version, topic, position, record FROM events WHERE originator_id = ?"
        sql, parameters = _bounded(sql, [_uuid(originator_id).bytes], gt, lte, desc, limit)
        with self.database.read() as session:
            head.read_open(session)
            rows = session.execute(sql, parameters)
        return [
            StoredEvent(originator_id, version, topic, unframe(event_table.checked(position, record))[0])
            for version, topic, position, record in rows
        ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """See the library. A position once missed is never filled later: there are no gaps."""
        first = 1 if start is None else start if inclusive_of_start else start + 1
        parameters: list[object] = [first, 2**63 - 1 if stop is None else stop]
        where = "position >= ? AND position <= ?"
        if topics:
            where += f" AND topic IN ({', '.join('?' * len(topics))})"
            parameters.extend(topics)
        columns = "position, originator_id, originator_version, topic, record"
        sql = f"SELECT {columns} FROM events WHERE {where} ORDER BY position LIMIT ?"
        with self.database.read() as session:
            head.read_open(session)
            rows = session.execute(sql, [*parameters, limit])
        return [
            Notification(
                id=position,
                originator_id=UUID(bytes=bytes(originator)),
                originator_version=version,
                topic=topic,
                state=unframe(event_table.checked(position, record))[0],
            )
            for position, originator, version, topic, record in rows
        ]

    def max_notification_id(self) -> int | None:
        """Return the head's position, None if the log is empty."""
        with self.database.read() as session:
            return head.read_open(session).position or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Follow the log live, on both engines: woken by appends of this process, polling for those of others."""
        return LogSubscription(self, gt, topics)


class LogSubscription(Subscription[LogRecorder]):
    """Yields notifications as they are recorded, until stopped."""

    PAGE = 500

    def __init__(self, recorder: LogRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt, topics)
        self._page: Iterator[Notification] = iter(())

    def stop(self) -> None:
        """End the iteration, also one that waits."""
        super().stop()
        with self._recorder.appended:
            self._recorder.appended.notify_all()

    def __next__(self) -> Notification:
        while not self._has_been_stopped:
            for notification in self._page:
                self._last_notification_id = notification.id
                return notification
            if not self._load():
                with self._recorder.appended:
                    self._recorder.appended.wait(POLL_INTERVAL_S)
        raise StopIteration

    def _load(self) -> bool:
        page = self._recorder.select_notifications(
            self._last_notification_id,
            self.PAGE,
            topics=self._topics,
            inclusive_of_start=self._last_notification_id is None,
        )
        self._page = iter(page)
        return bool(page)


class AggregateTableRecorder(AggregateRecorder):
    """A plain table of events by aggregate, without positions: where the library keeps snapshots."""

    SCHEMA = """
    CREATE TABLE IF NOT EXISTS {name} (
        originator_id {bytes} NOT NULL,
        originator_version {integer} NOT NULL,
        topic {text} NOT NULL,
        state {bytes} NOT NULL,
        PRIMARY KEY (originator_id, originator_version)
    );
    """

    def __init__(self, database: Database, name: str = "snapshots") -> None:
        super().__init__()
        self.database = database
        self.name = name
        with database.write() as session:
            session.execute_script(self.SCHEMA.format(name=name, **session.types))

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Insert the events, all or none; returns None, as they have no positions."""
        columns = ("originator_id", "originator_version", "topic", "state")
        rows = [(_uuid(e.originator_id).bytes, e.originator_version, e.topic, e.state) for e in stored_events]
        with _integrity(), self.database.write() as session:
            session.bulk_insert(self.name, columns, rows)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the events of one aggregate in the order of their version."""
        sql = f"SELECT originator_version, topic, state FROM {self.name} WHERE originator_id = ?"
        sql, parameters = _bounded(sql, [_uuid(originator_id).bytes], gt, lte, desc, limit)
        with self.database.read() as session:
            rows = session.execute(sql, parameters)
        return [StoredEvent(originator_id, version, topic, bytes(state)) for version, topic, state in rows]


@contextmanager
def _integrity() -> Iterator[None]:
    try:
        yield
    except Conflict as error:
        raise IntegrityError(str(error)) from error


def _uuid(originator_id: UUID | str) -> UUID:
    return originator_id if isinstance(originator_id, UUID) else UUID(originator_id)


def _bounded(
    sql: str, parameters: list[object], gt: int | None, lte: int | None, desc: bool, limit: int | None
) -> tuple[str, list[object]]:
    if gt is not None:
        sql, parameters = sql + " AND originator_version > ?", [*parameters, gt]
    if lte is not None:
        sql, parameters = sql + " AND originator_version <= ?", [*parameters, lte]
    sql += " ORDER BY originator_version" + (" DESC" if desc else "")
    if limit is not None:
        sql, parameters = sql + " LIMIT ?", [*parameters, limit]
    return sql, parameters
