"""Restorations in tests: proposed and recorded for an estate, and what becomes of its resources."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from domain.sealed_value import sealed_values
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import recovery, restoration, verified_backup
from infra.control_plane.clock import host_clock
from infra.control_plane.recovery import Wish
from infra.control_plane.restoration import Proposal
from tests.backup_estate import (
    IDENTITY,
    VAULT,
    Estate,
)
from tests.infra.control_plane.installation import (
    ACTOR,
    request,
    user_id,
)

SECRET = f"{VAULT}/secrets/Database"
USER = f"/providers/Microsoft.Graph/directoryObjects/{user_id(1)}"


@contextmanager
def proposed(made: Estate, service: str, at: int | None = None, wish: Wish | None = None) -> Iterator[Proposal]:
    """Propose to restore a service from the newest backup, as of a position if one is given."""
    repository = Repository.open(DirectoryStore(made.root))
    with made.database.read() as session:
        wanted = restoration.wish_for(session, made.root_key, repository, wish or Wish())
    wanted = replace(wanted, at=None if at is None else str(at))
    planned = recovery.plan(repository, [IDENTITY], wanted, host_clock())
    with verified_backup.scratch() as scratch:
        origin = restoration.replayed(scratch, repository, [IDENTITY], wanted, planned)
        yield restoration.propose(made.database, made.root_key, origin, service)


def restore(made: Estate, service: str, at: int | None = None, wish: Wish | None = None) -> Proposal:
    with proposed(made, service, at, wish) as proposal:
        restoration.apply(made.database, made.root_key, proposal, ACTOR, "ticket 17")
    return proposal


def state_of(made: Estate, resource: str) -> Any:
    with made.plane.read() as reading:
        found = reading.state.find(resource)
    return None if found is None else found.state


def value_of(made: Estate, resource: str) -> bytes:
    """The one sealed value in a resource's state, opened."""
    with made.plane.read() as reading:
        found = reading.state.find(resource)
        assert found is not None
        [sealed] = sealed_values(found.state)
        return made.plane.open_sealed(reading.session, sealed, sealed["purpose"], found.id)


def position(made: Estate) -> int:
    return made.plane.head().position


def current(made: Estate) -> str:
    return f"{SECRET}/versions/{state_of(made, SECRET)['currentVersion']}"


def purge(made: Estate) -> None:
    made.record(request("DeleteSecret", id=SECRET), request("PurgeSecret", id=SECRET))


def rules(proposal: Proposal) -> set[str]:
    return {one.rule for one in proposal.vetted.skipped}
