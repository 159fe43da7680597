"""Gaps: of a chain that was pruned, what was marked may be missing, and nothing else."""

from pathlib import Path

import pytest

from domain.errors import Corrupt, NotFound
from infra.backup import choice, layout, manifest, memory
from infra.backup.repository import Repository
from infra.backup.retention import Policy
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane.clock import host_clock
from tests.forgery import re_signed, stranger
from tests.infra.backup.aging import Aging, check_whole
from tests.infra.control_plane.installation import ROOT_KEY
from tests.observed_store import ObservedStore


def test_any_of_the_marked_manifests_may_be_missing(marked: Aging) -> None:
    for number in (5, 9, 2, 3, 8, 4, 7, 6):
        marked.path(number).unlink()
        chain = list(marked.made.repository.chain(marked.made.deployment))
        assert chain[-1].manifest.sequence == 14
    marked.made.verify()
    assert choice.newest_good(marked.made.repository, marked.made.deployment).manifest.sequence == 14
    marked.back_up()


def test_a_marked_manifest_may_be_damaged_but_not_another_signer_s(marked: Aging) -> None:
    whole = marked.path(5).read_bytes()
    marked.path(5).write_bytes(b"garbage")
    assert len(list(marked.made.repository.chain(marked.made.deployment))) == 13
    signer = stranger(marked.made.deployment)
    forged = re_signed(manifest.decode(whole, "manifest"), signer)
    marked.path(5).write_bytes(manifest.sign(forged, signer))
    with pytest.raises(Corrupt, match=r"5.json is signed by another signer"):
        list(marked.made.repository.chain(marked.made.deployment))


def test_any_other_manifest_that_is_missing_is_named(marked: Aging, tmp_path: Path) -> None:
    outcome = marked.prune()
    for number in {1, *outcome.plan.kept} - {14}:
        root = marked.made.copied(tmp_path / str(number))
        (root / layout.manifest(marked.made.deployment, number)).unlink()
        with pytest.raises(Corrupt, match=r"does not follow|is the oldest manifest here, but not the first"):
            list(Repository.open(DirectoryStore(root)).chain(marked.made.deployment))


def test_a_gap_does_not_hide_that_the_manifest_before_or_after_it_was_replaced(marked: Aging, tmp_path: Path) -> None:
    with marked.made.database.read() as session:
        signer = memory.get_signer(session, ROOT_KEY)
    marked.prune()
    for number in (1, 12):
        root = marked.made.copied(tmp_path / str(number))
        path = root / layout.manifest(marked.made.deployment, number)
        other = manifest.decode(path.read_bytes(), "manifest").model_copy(update={"created_at": host_clock()})
        path.write_bytes(manifest.sign(other, signer))
        with pytest.raises(Corrupt, match="does not follow"):
            list(Repository.open(DirectoryStore(root)).chain(marked.made.deployment))


def test_damage_to_one_statement_breaks_no_chain_and_damage_to_all_is_named(marked: Aging) -> None:
    marked.prune()
    kept = {number: marked.statement(number).read_bytes() for number in (1, 2)}
    for number, data in kept.items():
        marked.statement(number).write_bytes(data[:-10] + b"A" + data[-9:])
        list(marked.made.repository.chain(marked.made.deployment))
        with pytest.raises(Corrupt, match=rf"prunes/0+{number}\.json"):
            marked.made.verify()
        marked.statement(number).write_bytes(data)
    for number in kept:
        marked.statement(number).write_bytes(b"")
    with pytest.raises(Corrupt, match=r"10.json does not follow .*1.json"):
        list(marked.made.repository.chain(marked.made.deployment))
    assert (
        choice.newest_good(marked.made.repository, marked.made.deployment, accept_damage=True).manifest.sequence
        == marked.numbers()[-1]
    )


def test_a_statement_is_not_carried_out_before_there_is_a_newer_one_even_if_nothing_else_is_marked(
    marked: Aging,
) -> None:
    outcome = marked.prune(Policy(days=2, last=5))
    assert (outcome.statement, outcome.plan.marked_manifests, outcome.plan.marked_objects) == (2, [], [])
    assert outcome.deleted_manifests == list(range(2, 10))
    for number in (1, 2):
        data = marked.statement(number).read_bytes()
        marked.statement(number).write_bytes(b"garbage")
        check_whole(marked.made)
        marked.statement(number).write_bytes(data)


def test_a_newer_statement_heals_what_a_damaged_one_allowed(marked: Aging) -> None:
    marked.prune()
    marked.statement(2).write_bytes(b"garbage")
    marked.live_days(2)
    assert marked.prune().statement == 3
    marked.statement(1).unlink(missing_ok=True)
    check_whole(marked.made)


def test_what_a_newer_statement_does_not_allow_is_marked_again_before_it_is_deleted(marked: Aging) -> None:
    """A prune that could not read the newest statement, and kept what that marks, wrote another one."""

    def hide(method: str, name: str) -> None:
        if method == "head" and name.endswith(f"prunes/{1:019d}.json"):
            raise NotFound(name)

    garbage = layout.segment(marked.made.deployment, 1, 1, "0" * 64)
    marked.store.put_new(garbage, b"")
    blind = marked.prune(Policy(days=30), ObservedStore(marked.store, before=hide))
    others = [name for name in blind.plan.marked_objects if name not in blind.plan.superseded]
    assert (blind.statement, others, list(blind.plan.gaps)) == (2, [garbage], [])
    after = marked.prune()
    assert after.deleted_manifests == list(range(2, 10))
    assert set(after.plan.marked_manifests) >= set(range(2, 10))
    check_whole(marked.made)


def test_a_statement_that_leaves_no_number_for_another_is_named(marked: Aging) -> None:
    marked.store.put_new(layout.prune(marked.made.deployment, layout.SEQUENCE_MAX), b"")
    with pytest.raises(Corrupt, match="leaves no number for another statement: somebody else put it there, remove it"):
        marked.prune()
