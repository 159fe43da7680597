"""Forks beside writers, runs and other forks, on both engines."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.deployment import DEPLOYMENT_ID
from domain.errors import Conflict, Corrupt, NotFound, Refused
from infra.backup import memory, run
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import fork as forking
from infra.control_plane import log_verification
from infra.control_plane.clock import host_clock
from infra.control_plane.fork import Forked
from infra.log import head
from infra.log.record import decode_record
from tests.backup_estate import Estate, estate, lived_in
from tests.forgery import re_sign, stranger
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, user_request


@pytest.fixture
def made(tmp_path: Path, store_url: str) -> Iterator[Estate]:
    with estate(tmp_path, store_url) as one:
        yield lived_in(one)


def fork(made: Estate, *, anyway: bool = True) -> Forked:
    planned = forking.plan(made.database, ROOT_KEY, made.repository)
    return forking.fork(made.database, ROOT_KEY, planned, ACTOR, anyway=anyway)


def test_a_writer_goes_on_across_a_fork_and_the_log_is_in_order(made: Estate) -> None:
    made.record(user_request(10))
    before = made.plane.head()
    forked = fork(made)
    made.record(user_request(11))
    after = made.plane.head()
    assert (after.deployment, after.epoch, after.parent_epoch) == (
        forked.head.deployment,
        forked.head.epoch,
        before.epoch,
    )
    assert after.position == before.position + 2
    with made.plane.read() as reading:
        found = reading.state.find(DEPLOYMENT_ID)
    assert found is not None
    assert found.state["deploymentId"] == forked.head.deployment
    assert log_verification.verify(made.database).head == after
    assert made.back_up().manifest.parent_epoch == before.epoch
    assert made.verify().records == after.position


def test_what_is_recorded_while_an_operator_thinks_is_part_of_the_fork(made: Estate) -> None:
    planned = forking.plan(made.database, ROOT_KEY, made.repository)
    made.record(user_request(10), user_request(11))
    before = made.plane.head()
    forked = forking.fork(made.database, ROOT_KEY, planned, ACTOR, anyway=True)
    with made.plane.read() as reading:
        found = reading.state.find(DEPLOYMENT_ID)
    assert found is not None
    assert found.state["lastFork"]["logPosition"] == before.position == forked.head.position - 1  # type: ignore[index]  # of a state


def test_of_two_who_fork_at_once_one_wins(made: Estate) -> None:
    planned = forking.plan(made.database, ROOT_KEY, made.repository)
    forking.fork(made.database, ROOT_KEY, planned, ACTOR, anyway=True)
    before = made.plane.head()
    with pytest.raises(Conflict, match="by now, not"):
        forking.fork(made.database, ROOT_KEY, planned, ACTOR, anyway=True)
    assert made.plane.head() == before


class Interrupting(DirectoryStore):
    """A directory in which something happens at the first listing."""

    happening: Callable[[], object] | None = None

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        happening, self.happening = self.happening, None
        if happening is not None:
            happening()
        return super().list(prefix, after=after)


def test_a_run_during_which_the_deployment_is_forked_begins_the_new_chain(made: Estate) -> None:
    made.record(user_request(10))
    ancestor, chain = made.deployment, made.objects("manifests")
    store = Interrupting(made.root)
    repository = Repository.open(store)
    store.happening = lambda: fork(made)
    written = run.run(made.database, ROOT_KEY, repository, host_clock).manifest
    assert (written.deployment, written.sequence) == (made.deployment, 1)
    assert written.deployment != ancestor
    assert sorted((made.root / ancestor / "manifests").iterdir()) == chain


def test_it_is_recorded_by_whoever_did_it(made: Estate) -> None:
    forked = fork(made)
    with made.database.read() as session:
        [(record,)] = session.execute("SELECT record FROM events WHERE position = ?", (forked.head.position,))
        assert memory.endorsements(session) == ()
        assert memory.last_manifests(session) == []
        kept = memory.segment_keys(session, [entry.sha256 for entry in made.outcomes[-1].manifest.segments], ROOT_KEY)
    event = decode_record(bytes(record)).event
    assert event["type"] == "deployment.forked"
    assert event["actor"]["os_user"] == ACTOR.os_user
    assert kept == {}, "of the ancestor's segments"


def test_without_a_need_or_without_a_backup_nothing_is_forked(made: Estate) -> None:
    with pytest.raises(Refused, match="nothing is wrong") as refusal:
        fork(made, anyway=False)
    assert refusal.value.rule == "fork-is-needed"
    fork(made)
    with pytest.raises(NotFound, match="nothing to fork from"):
        fork(made)


def test_from_somebody_else_s_chain_nothing_is_forked(made: Estate) -> None:
    re_sign(made.root, made.deployment, stranger(made.deployment))
    before = made.plane.head()
    with pytest.raises(Corrupt, match="signed by another signer"):
        fork(made)
    assert made.plane.head() == before


def test_a_fork_of_a_fork_names_its_own_ancestor(made: Estate) -> None:
    first = fork(made)
    made.back_up()
    second = fork(made)
    written = made.back_up().manifest
    assert written.ancestor is not None
    assert (written.ancestor.deployment, written.ancestor.by) == (first.head.deployment, "fork")
    assert written.parent_epoch == first.head.epoch
    assert written.deployment == second.head.deployment
    with made.database.read() as session:
        assert head.read_open(session).deployment == second.head.deployment
