"""Random histories in real stores: a deployment that is installed and told of everything, and what its log says."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import ResurgamError
from infra.backup.age import AgeIdentity, generate_identity
from infra.canonical_json import encode
from infra.control_plane.clean_install import Installed
from infra.control_plane.job import Outcome
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import parse
from infra.database.session import Database, Row
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.log import event_table
from infra.log.mapper import present_events
from infra.log.record import Recorded, decode_record
from projections.fold import change
from projections.version import OPEN, Change, Version
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, install
from tests.naive import pools
from tests.naive.pools import Step
from tests.postgres import drop_schema, with_schema

INSTALLATION: dict[str, Any] = {
    **pools.INPUTS,
    "operator": {"userPrincipalName": pools.USER_NAMES[0], "displayName": "Operator", "objectId": pools.OPERATOR},
    "providerSubscription": {"subscriptionId": pools.PROVIDER, "tenantId": pools.TENANT},
}
"""Installs what `pools.INSTALLATION` says."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where fresh stores are made, as many as an example needs."""

    folder: Path
    postgres_url: str

    @contextmanager
    def store(self, engine: str) -> Iterator[Database]:
        """Lend a new database, which is gone afterwards."""
        name = f"test_{uuid.uuid4().hex}"
        path = self.folder / f"{name}.db"
        url = f"sqlite:///{path}" if engine == "sqlite" else with_schema(self.postgres_url, name)
        database = open_database(url, create=True)
        try:
            yield database
        finally:
            database.close()
            if engine == "sqlite":
                path.unlink()
            else:
                drop_schema(self.postgres_url, name)


@dataclass(frozen=True, slots=True)
class Told:
    """A deployment that was told a history."""

    database: Database
    plane: ControlPlane
    installed: Installed
    identity: AgeIdentity

    def tell(self, steps: Sequence[Step], at_once: int) -> list[Outcome | ResurgamError]:
        """Record the steps, so many in one transaction, and return what became of each; what is refused is left out."""
        lines = [encode({"command": name, "arguments": given}) for name, given in steps if name != "wait"]
        outcomes = []
        for first in range(0, len(lines), at_once):
            outcomes += self.plane.execute_all([parse(line) for line in lines[first : first + at_once]], ACTOR)
        return outcomes


def founded(database: Database) -> Told:
    """Install a deployment whose backups a new identity opens, and tell it of the estate that histories begin with."""
    identity = generate_identity(post_quantum=False)
    installed = install(database, INSTALLATION, {"holder-1": str(identity.recipient)})
    told = Told(database, ControlPlane(database, ROOT_KEY, cost=TEST_COST), installed, identity)
    for outcome in told.tell(pools.ESTATE, len(pools.ESTATE)):
        assert isinstance(outcome, Outcome), outcome
    return told


def records(database: Database) -> list[bytes]:
    """Return all records of a store."""
    with database.read() as session:
        return list(event_table.records(session))


def changes(all_records: Sequence[bytes]) -> Iterator[tuple[Recorded, Change]]:
    """Fold the records, and yield what each did."""
    versions: dict[str, Version] = {}
    for record in all_records:
        recorded = decode_record(record)
        event = recorded.event
        events = present_events(event["type"], event["schema"], event["resource"], event["payload"])
        step = change(versions.get(events[0].resource.lower()), recorded.position, events, encode)
        versions[step.after.resource] = step.after
        yield recorded, step


def state_rows(database: Database, until: int = OPEN - 1) -> dict[str, list[Row]]:
    """Return every row of versions and links, sorted by all columns, as they were when the log ended at `until`."""
    columns = {"versions": "resource, sequence, kind, state", "links": "source, relation, target"}
    with database.read() as session:
        return {
            table: sorted(
                (*(bytes(f) if isinstance(f, memoryview) else f for f in fields), since, end if end <= until else OPEN)
                for *fields, since, end in session.execute(
                    f"SELECT {names}, valid_from, valid_to FROM {table} WHERE valid_from <= ?", (until,)
                )
            )
            for table, names in columns.items()
        }
