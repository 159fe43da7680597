"""A run or a prune that always loses gives up, and one that reads back what it did not write says so."""

from pathlib import Path

import pytest

from domain.errors import Conflict, Corrupt
from infra.backup import layout, manifest, prune_statement, pruning, run
from infra.backup.repository import Repository
from infra.control_plane.clock import host_clock
from tests.attestations import signer_of
from tests.infra.backup.aging import Aging
from tests.observed_store import ObservedStore


def taking(aging: Aging, folder: str) -> ObservedStore:
    """A store in which somebody else takes every name in a folder a moment earlier."""

    def take(method: str, name: str) -> None:
        if method == "put_new" and f"/{folder}/" in name:
            aging.store.put_new(name, b"somebody else's")

    return ObservedStore(aging.store, before=take)


def replacing(aging: Aging, folder: str, path: Path) -> ObservedStore:
    """A store in which another object takes the place of what was put into a folder."""

    def replace(method: str, name: str) -> None:
        if method == "put_new" and f"/{folder}/" in name:
            (aging.made.root / name).write_bytes(path.read_bytes())

    return ObservedStore(aging.store, after=replace)


def test_a_prune_that_always_loses_gives_up(aging: Aging) -> None:
    aging.live_days(3)
    with pytest.raises(Conflict, match=f"other prunes were faster {pruning.ATTEMPTS} times in a row"):
        aging.prune(store=taking(aging, "prunes"))
    assert aging.prune().statement == pruning.ATTEMPTS + 1


def test_a_run_that_always_loses_gives_up(aging: Aging) -> None:
    with pytest.raises(Conflict, match=f"other backup runs were faster {run.ATTEMPTS} times in a row"):
        aging.back_up(taking(aging, "manifests"))
    assert aging.continue_with().manifest.sequence == 3 + run.ATTEMPTS + 1
    aging.made.verify()


def test_a_prune_that_reads_back_another_statement_deletes_nothing(aging: Aging, tmp_path: Path) -> None:
    aging.live_days(3)
    planned = aging.prune(is_dry_run=True).plan
    other = tmp_path / "other"
    later = pruning._statement(planned, "2029-01-01T00:00:00.000000Z", signer_of(aging.made))
    other.write_bytes(prune_statement.sign(later, signer_of(aging.made)))
    names = aging.names()
    with pytest.raises(Corrupt, match="reads back differently from what was written"):
        aging.prune(store=replacing(aging, "prunes", other))
    assert aging.names() == names


def test_a_run_that_reads_back_another_manifest_does_not_take_it_for_its_own(aging: Aging, tmp_path: Path) -> None:
    newest = aging.made.repository.newest(aging.made.deployment)
    assert newest is not None
    stated = newest.manifest.model_copy(update={"sequence": 4, "previous": newest.sha256})
    other = tmp_path / "other"
    other.write_bytes(manifest.sign(stated, signer_of(aging.made)))
    with pytest.raises(Corrupt, match="reads back differently from what was written"):
        aging.back_up(replacing(aging, "manifests", other))


def test_a_statement_that_contradicts_itself_is_not_written(aging: Aging) -> None:
    """A defect of the planning would show here, and not in the next reader."""
    aging.live_days(3)
    planned = aging.prune(is_dry_run=True).plan
    sound = pruning._statement(planned, host_clock(), signer_of(aging.made))
    contradicting = sound.model_copy(update={"objects": (layout.REPOSITORY_FILE,)})
    with pytest.raises(Corrupt, match="which no backup of this deployment names"):
        pruning._put(Repository.open(aging.store), contradicting, planned, signer_of(aging.made))
    assert not aging.statement(sound.sequence).exists()
    assert pruning._put(Repository.open(aging.store), sound, planned, signer_of(aging.made))
