"""Restorations of random histories in real stores of both engines: a service's rows come back, all others stay."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import Refused
from domain.sealed_value import SealedValue, sealed_values
from infra.backup import run
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import log_verification, recovery, restoration, verified_backup
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import Reading
from infra.control_plane.recovery import Wish
from infra.control_plane.when import When
from infra.keys import keyring
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY
from tests.naive.histories import histories
from tests.naive.pools import Step
from tests.system.recorded_history import Places, Told, founded

RANDOM = settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
both_engines = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
a_service = st.sampled_from([*restoration.services(), restoration.ALL])

Rows = dict[tuple[str, str], Any]


def rows(told: Told, at: int) -> Rows:
    """Every resource at a position by its kind and folded id."""
    with told.plane.read(When("", position=at)) as reading:
        return {(one.kind, one.id.lower()): dict(one.state) for one in reading.state.all()}


def opened(told: Told, found: Rows) -> Rows:
    """Rows in which each sealed value is its plaintext, or the word for one that was destroyed."""
    with told.plane.read() as reading:
        return {key: _opened(reading, state, str(state["id"])) for key, state in found.items()}


def _opened(reading: Reading, value: Any, resource: str) -> Any:
    if isinstance(value, dict) and any(value is sealed for sealed in sealed_values(value)):
        return _plaintext(reading, value, resource)  # type: ignore[arg-type]  # it is one
    if isinstance(value, dict):
        return {name: _opened(reading, member, resource) for name, member in value.items()}
    return value


def _plaintext(reading: Reading, sealed: SealedValue, resource: str) -> str:
    return keyring.open_sealed(reading.session, ROOT_KEY, sealed, purpose=sealed["purpose"], resource=resource).decode()


@both_engines
@RANDOM
@given(before=histories(40), since=histories(40), service=a_service)
def test_a_service_comes_back_and_nothing_else_moves(
    places: Places, engine: str, before: list[Step], since: list[Step], service: str
) -> None:
    with places.store(engine) as database, TemporaryDirectory(dir=places.folder) as folder:
        told = founded(database)
        told.tell(before, 10)
        repository = Repository.open_or_create(DirectoryStore(Path(folder), create=True))
        run.run(database, ROOT_KEY, repository, host_clock)
        at = told.plane.head().position
        then = opened(told, rows(told, at))
        told.tell(since, 10)
        ruined = rows(told, told.plane.head().position)
        run.run(database, ROOT_KEY, repository, host_clock)
        with database.read() as session:
            wish = restoration.wish_for(session, ROOT_KEY, repository, Wish(at=str(at)))
        planned = recovery.plan(repository, [told.identity], wish, host_clock())
        with verified_backup.scratch() as scratch:
            origin = restoration.replayed(scratch, repository, [told.identity], wish, planned)
            try:
                proposal = restoration.propose(database, ROOT_KEY, origin, service)
            except Refused as refusal:
                if refusal.rule != "an-owner-remains":
                    raise
                return
            if proposal.vetted.accepted:
                restoration.apply(database, ROOT_KEY, proposal, ACTOR)
            again = restoration.propose(database, ROOT_KEY, origin, service)
        kinds = {kind.name for kind in restoration.kinds_of(service)}
        skipped = {one.alteration.key for one in proposal.vetted.skipped}
        trimmed = {one.resource.lower() for one in proposal.vetted.left_out}
        now = rows(told, told.plane.head().position)
        assert {key: row for key, row in now.items() if key[0] not in kinds or key[1] in skipped} == {
            key: row for key, row in ruined.items() if key[0] not in kinds or key[1] in skipped
        }
        exempt = skipped | trimmed
        assert opened(told, {key: row for key, row in now.items() if key[0] in kinds and key[1] not in exempt}) == {
            key: row for key, row in then.items() if key[0] in kinds and key[1] not in exempt
        }
        assert {one.key for one in again.vetted.accepted} <= skipped, "what came back is no difference any more"
        assert log_verification.verify(database)
        # Replayed from its repository it has every key.
        verified_backup.make(database, ROOT_KEY, repository, host_clock)
