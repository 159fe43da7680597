"""The eventsourcing library's own suites, on our recorders and on both engines."""

from collections.abc import Iterator

import pytest
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from infra.database.session import Database
from infra.log.recorder import AggregateTableRecorder, LogRecorder
from tests.infra.log.stores import opened


class OnSqlite:
    """Gives each of the library's tests a SQLite file of its own."""

    database: Database

    @pytest.fixture(autouse=True)
    def _store(self, sqlite_url: str) -> Iterator[None]:
        self.database = opened(sqlite_url)
        yield
        self.database.close()


class OnPostgres:
    """Gives each of the library's tests a PostgreSQL schema of its own."""

    database: Database

    @pytest.fixture(autouse=True)
    def _store(self, fresh_postgres_url: str) -> Iterator[None]:
        self.database = opened(fresh_postgres_url)
        yield
        self.database.close()


class LogCase(ApplicationRecorderTestCase[LogRecorder]):
    """Positions are contiguous, and subscriptions are live."""

    EXPECT_CONTIGUOUS_NOTIFICATION_IDS = True
    database: Database

    def create_recorder(self) -> LogRecorder:
        return LogRecorder(self.database)

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class NonInterleavingCase(NonInterleavingNotificationIDsBaseCase):
    """What two writers insert does not mix."""

    database: Database

    def create_recorder(self) -> LogRecorder:
        return LogRecorder(self.database)


class AggregateCase(AggregateRecorderTestCase):
    """The thin recorder beside the log, whose return values differ by design of the library."""

    database: Database

    def create_recorder(self) -> AggregateTableRecorder:
        return AggregateTableRecorder(self.database)


class TestLogOnSqlite(OnSqlite, LogCase):
    """The log on SQLite."""


class TestLogOnPostgres(OnPostgres, LogCase):
    """The log on PostgreSQL."""


class TestNonInterleavingOnSqlite(OnSqlite, NonInterleavingCase):
    """Two writers on SQLite."""


class TestNonInterleavingOnPostgres(OnPostgres, NonInterleavingCase):
    """Two writers on PostgreSQL."""


class TestAggregatesOnSqlite(OnSqlite, AggregateCase):
    """The thin recorder on SQLite."""


class TestAggregatesOnPostgres(OnPostgres, AggregateCase):
    """The thin recorder on PostgreSQL."""


# The abstract cases would be collected as tests of their own.
del LogCase, NonInterleavingCase, AggregateCase
del ApplicationRecorderTestCase, AggregateRecorderTestCase, NonInterleavingNotificationIDsBaseCase
