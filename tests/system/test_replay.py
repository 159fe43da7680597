"""Replay: of random histories in real stores of both engines, the records alone give back all that a store holds."""

import tempfile
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.resource import Resource
from infra.backup import rebuild, run
from infra.backup.rebuild import Limit
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import recovery, store
from infra.control_plane.clock import host_clock
from infra.control_plane.recovery import Wish
from infra.log.page import paged
from infra.state import newest
from infra.state.snapshot import Snapshot
from projections.timeline import Timeline
from projections.version import Version
from projections.view import View
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY
from tests.naive.histories import histories
from tests.naive.pools import Step
from tests.system.recorded_history import Places, changes, founded, records, state_rows

RANDOM = settings(max_examples=16, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

both_ways = pytest.mark.parametrize(("engine", "other"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
both_engines = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])

at_once = st.integers(1, 30)
"""How many commands one transaction takes."""


@both_ways
@RANDOM
@given(
    history=histories(), size=at_once, page=st.integers(1, 50), recent=st.sampled_from([1, 2, 10, newest.RECENT_MAX])
)
def test_state_that_is_rebuilt_from_the_records_is_row_for_row_the_one_that_the_writer_kept(
    places: Places, engine: str, other: str, history: list[Step], size: int, page: int, recent: int
) -> None:
    with places.store(engine) as kept, places.store(other) as anew:
        told = founded(kept)
        told.tell(history, size)
        with anew.write() as session, patch.object(newest, "RECENT_MAX", recent):
            store.create(session, with_indexes=False)
            rebuilt = rebuild.rebuild(session, paged(records(kept), page), Limit(), None)
            store.create_indexes(session)
        at = told.plane.head()
        assert state_rows(anew) == state_rows(kept)
        assert (rebuilt.position, rebuilt.digest, rebuilt.frontier.root()) == (at.position, at.digest, at.root)


@both_ways
@RANDOM
@given(history=histories(), size=at_once)
def test_what_was_backed_up_is_recovered_record_for_record_and_row_for_row(
    places: Places, engine: str, other: str, history: list[Step], size: int
) -> None:
    third = len(history) // 3 + 1
    with places.store(engine) as lost, places.store(other) as recovered, tempfile.TemporaryDirectory() as folder:
        told = founded(lost)
        repository = Repository.open_or_create(DirectoryStore(Path(folder) / "repository", create=True))
        for first in (0, third):
            told.tell(history[first : first + third], size)
            run.run(lost, ROOT_KEY, repository, host_clock)
        told.tell(history[2 * third :], size)
        wish = Wish(verifier=told.installed.signer.verifier)
        key_file = Path(folder) / "root.key"
        report = recovery.recover(recovered, key_file, repository, [told.identity], wish, ACTOR, host_clock)
        until = report.recovered_position
        assert until == repository.read(repository.manifest_names(told.installed.head.deployment)[-1]).manifest.last
        assert records(recovered)[:until] == records(lost)[:until]
        assert state_rows(recovered, until) == state_rows(lost, until)
        assert not report.lost


@both_engines
@RANDOM
@given(history=histories(), size=at_once)
def test_the_state_as_of_every_commands_end_is_what_the_records_up_to_there_give(
    places: Places, engine: str, history: list[Step], size: int
) -> None:
    with places.store(engine) as database:
        founded(database).tell(history, size)
        folded: dict[str, Version] = {}
        with database.read() as session:
            for recorded, step in changes(records(database)):
                folded[step.after.resource] = step.after
                if recorded.position == recorded.command_end:
                    shown = {r.id.lower(): r for v in folded.values() if (r := v.shown()) is not None}
                    asked = {r.id.lower(): r for r in Snapshot(session, recorded.position).all()}
                    assert asked == shown


@both_engines
@RANDOM
@given(history=histories(), size=at_once, data=st.data())
def test_what_sql_answers_is_what_the_plain_timeline_answers(
    places: Places, engine: str, history: list[Step], size: int, data: st.DataObject
) -> None:
    with places.store(engine) as database:
        told = founded(database)
        told.tell(history, size)
        all_changes = [step for _, step in changes(records(database))]
        last = len(all_changes)
        position = data.draw(st.integers(0, last), label="position")
        with database.read() as session:
            fast, plain = Snapshot(session, position), Timeline(all_changes, position)
            assert _listed(fast) == _listed(plain)
            for earlier in range(0, position + 1, 5):
                assert list(fast.changed_since(earlier)) == list(plain.changed_since(earlier))
            for step in all_changes:
                resource = step.after.resource
                assert fast.find(resource.upper()) == plain.find(resource)
                assert fast.history(resource) == plain.history(resource)
            for relation, target in {link for step in all_changes for link in step.after.links}:
                assert fast.sources(target, relation) == plain.sources(target, relation)
            assert fast.counts() == dict(Counter(resource.kind for resource in plain.all()))
        assert told.plane.head().position == last


def _listed(view: View) -> tuple[int, list[Resource], dict[str, list[Resource]]]:
    everything = list(view.all())
    kinds = {resource.kind for resource in everything}
    return view.position, everything, {kind: list(view.of_kind(kind)) for kind in kinds}
