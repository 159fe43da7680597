"""The peer of recording: eventsourcing's recorders, alone and with a projection that keeps the same rows.

The projection is told what to write: it has no state to fold and nothing to decide, which is in its favour.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import ApplicationRecorder, Mapper, StoredEvent, Tracking
from eventsourcing.postgres import (
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
    PostgresTrackingRecorder,
)
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore, SQLiteTrackingRecorder
from eventsourcing.utils import Environment
from psycopg.conninfo import conninfo_to_dict

from infra.database.session import Database
from infra.database.url import open_database
from infra.log.mapper import RecordMapper
from infra.state import tables
from projections.version import OPEN
from scripts.benchmark import rows
from scripts.benchmark.recording import WARM_UP, at_once
from scripts.benchmark.rows import TABLES, Left, Row, inner
from scripts.benchmark.worker import Stopwatch

CATCH_UP_S = 3_600
"""How long the projection may take for what was recorded."""

PAGE_EVENTS = 1_000
ESTATE_EVENTS_PER_CALL = 100
"""With much more data than this, a call of the library never returns if the server is reached by a socket file."""

STATEMENTS = (
    "UPDATE {0}versions SET valid_to = {1} WHERE valid_from = {1} AND resource = {1}",
    "UPDATE {0}links SET valid_to = {1} WHERE source = {1} AND valid_to = {1} AND relation = {1} AND target = {1}",
    "INSERT INTO {0}versions (resource, sequence, kind, valid_from, valid_to, state) "
    "VALUES ({1}, {1}, {1}, {1}, {1}, {1})",
    "INSERT INTO {0}links (source, relation, target, valid_from, valid_to) VALUES ({1}, {1}, {1}, {1}, {1})",
)

Steps = Mapping[int, Sequence[tuple[str, Sequence[object]]]]
"""Position -> the statements that bring versions and links up to it."""


class Cloud(Application[UUID]):
    """An application that holds the events of a control plane."""

    def construct_mapper(self) -> Mapper[UUID]:
        """Return the one that reads our events."""
        return RecordMapper()


class PostgresView(PostgresTrackingRecorder):
    """Versions and links, changed in one transaction with the tracking, as the library's manual shows."""

    steps: ClassVar[Steps] = {}

    def put(self, tracking: Tracking) -> None:
        """Bring the tables up to an event."""
        with self.datastore.transaction(commit=True) as cursor:
            for statement, values in self.steps[tracking.notification_id]:
                cursor.execute(statement.encode(), values, prepare=True)
            self._insert_tracking(cursor, tracking)


class SQLiteView(SQLiteTrackingRecorder):
    """The same on SQLite."""

    steps: ClassVar[Steps] = {}

    def put(self, tracking: Tracking) -> None:
        """Bring the tables up to an event."""
        with self.datastore.transaction(commit=True) as cursor:
            for statement, values in self.steps[tracking.notification_id]:
                cursor.execute(statement, values)
            self._insert_tracking(cursor, tracking)


class Keeping(Projection[PostgresView]):
    """Keeps versions and links."""

    def process_event(self, _: Any, tracking: Tracking) -> None:
        """Follow one event."""
        self.view.put(tracking)


def postgres_recorder(stopwatch: Stopwatch, url: str, path: str, clients: int) -> None:
    """Insert the events of one change per call, by the recorder alone, from so many threads."""
    left = rows.read(path)
    open_database(url, create=True).close()
    datastore = PostgresDatastore(**_server(url), schema=_schema(url), pool_size=clients)
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    _insert_by_clients(stopwatch, recorder, left, clients)
    datastore.close()


def postgres_recorder_batches(stopwatch: Stopwatch, url: str, path: str, changes: int) -> None:
    """Insert the events of so many changes per call, by the recorder alone."""
    left = rows.read(path)
    open_database(url, create=True).close()
    datastore = PostgresDatastore(**_server(url), schema=_schema(url))
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    batches = _prepared(recorder, left, changes)
    with stopwatch.measuring(left.events):
        for batch in batches:
            recorder.insert_events(batch)
    datastore.close()


def postgres_projection(stopwatch: Stopwatch, url: str, path: str, changes: int) -> None:
    """Insert the events of so many changes per call, while the library's runner keeps versions and links."""
    left = rows.read(path)
    _create_tables(open_database(url, create=True), left)
    schema = _schema(url)
    PostgresView.steps = _steps(left, f"{schema}.", "%s")
    server = {f"POSTGRES_{name.upper()}": str(value) for name, value in _server(url).items()}
    environment = {"PERSISTENCE_MODULE": "eventsourcing.postgres", "POSTGRES_SCHEMA": schema, **server}
    with PostgresFactory(Environment(Keeping.name, environment)) as factory:
        factory.tracking_recorder(PostgresView).insert_tracking(Tracking(Cloud.name, left.base))
    with Cloud(environment) as cloud:
        batches = _prepared(cloud.recorder, left, changes)
    runner = ProjectionRunner(
        application_class=Cloud, projection_class=Keeping, view_class=PostgresView, env=environment
    )
    with runner, stopwatch.measuring(left.events):
        for batch in batches:
            runner.app.recorder.insert_events(batch)
        runner.wait(left.base + left.events, timeout=CATCH_UP_S)


def sqlite_recorder(stopwatch: Stopwatch, url: str, path: str, changes: int) -> None:
    """Insert the events of so many changes per call, by the recorder alone."""
    left = rows.read(path)
    recorder = SQLiteApplicationRecorder(SQLiteDatastore(url.removeprefix("sqlite:///")))
    recorder.create_table()
    batches = _prepared(recorder, left, changes)
    with stopwatch.measuring(left.events):
        for batch in batches:
            recorder.insert_events(batch)


def sqlite_projection(stopwatch: Stopwatch, url: str, path: str, changes: int) -> None:
    """Insert the events of so many changes per call, and follow them: the library has no runner for SQLite."""
    left = rows.read(path)
    _create_tables(open_database(url, create=True), left)
    datastore = SQLiteDatastore(url.removeprefix("sqlite:///"))
    recorder, view, mapper = SQLiteApplicationRecorder(datastore), SQLiteView(datastore), RecordMapper()
    recorder.create_table()
    view.create_table()
    SQLiteView.steps = _steps(left, "", "?")
    batches = _prepared(recorder, left, changes)
    seen = left.base
    with stopwatch.measuring(left.events):
        for batch in batches:
            recorder.insert_events(batch)
            while page := recorder.select_notifications(seen, PAGE_EVENTS, inclusive_of_start=False):
                for notification in page:
                    mapper.to_domain_event(notification)
                    view.put(Tracking(Cloud.name, notification.id))
                seen = page[-1].id


def _insert_by_clients(stopwatch: Stopwatch, recorder: ApplicationRecorder, left: Left, clients: int) -> None:
    batches = _prepared(recorder, left, 1)
    warm, timed = batches[:WARM_UP], batches[WARM_UP:]

    def insert(events: list[StoredEvent]) -> int:
        recorder.insert_events(events)
        return len(events)

    at_once(warm, clients, insert)
    with stopwatch.measuring(0):
        stopwatch.events += sum(at_once(timed, clients, insert))


def _prepared(recorder: ApplicationRecorder, left: Left, changes: int) -> list[list[StoredEvent]]:
    """Insert the events of the estate, and return those of the changes as they will be inserted."""
    before = [row for row in left.rows["events"] if row[0] <= left.base]
    for first in range(0, len(before), ESTATE_EVENTS_PER_CALL):
        recorder.insert_events([_stored(row) for row in before[first : first + ESTATE_EVENTS_PER_CALL]])
    commands = left.commands()
    return [
        [_stored(row) for command in commands[first : first + changes] for row in command]
        for first in range(0, len(commands), changes)
    ]


def _stored(row: Row) -> StoredEvent:
    return StoredEvent(UUID(bytes=bytes(row[1])), row[2], row[3], inner(row))


def _create_tables(database: Database, left: Left) -> None:
    """Make the tables of versions and links as ours are, with the estate in them."""
    with database.write() as session:
        tables.create(session)
        tables.create_indexes(session)
        for table, before in left.before().items():
            if table in ("versions", "links"):
                session.bulk_insert(table, TABLES[table], before)
    database.close()


def _steps(left: Left, prefix: str, mark: str) -> Steps:
    end_version, end_link, add_version, add_link = (text.format(prefix, mark) for text in STATEMENTS)
    steps: dict[int, list[tuple[str, Sequence[object]]]] = defaultdict(list)
    for version in left.rows["versions"]:
        resource, _, _, since, until, _ = version
        if until != OPEN:
            steps[until].append((end_version, (until, since, resource)))
        steps[since].append((add_version, (*version[:4], OPEN, version[5])))
    for source, relation, target, since, until in left.rows["links"]:
        if until != OPEN:
            steps[until].append((end_link, (until, source, OPEN, relation, target)))
        steps[since].append((add_link, (source, relation, target, since, OPEN)))
    return steps


def _server(url: str) -> dict[str, Any]:
    given = conninfo_to_dict(url.partition("schema=")[0].rstrip("?&"))
    host, port = str(given.get("host", "localhost")), str(given.get("port", "5432"))
    return {
        "dbname": str(given.get("dbname", "postgres")),
        "host": host,
        "port": port,
        "user": str(given.get("user", "postgres")),
        "password": str(given.get("password", "")) or "none",
    }


def _schema(url: str) -> str:
    return url.rpartition("schema=")[2]
