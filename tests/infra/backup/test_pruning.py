"""Pruning: in two phases, it takes what it may and nothing else, and refuses where it cannot know."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import Conflict, Corrupt, NotFound, Refused, ResurgamError, Unavailable, WrongKey
from infra.backup import attestation, layout, memory, pruning
from infra.backup.repository import Repository
from infra.backup.retention import Policy
from tests.backup_estate import IDENTITY, estate, recovered
from tests.infra.backup.aging import DAY, TWO_DAYS, Aging, check_backups, check_whole
from tests.infra.control_plane.installation import ROOT_KEY
from tests.observed_store import ObservedStore


def test_the_first_prune_marks_and_the_next_one_deletes(aging: Aging) -> None:
    aging.live_days(5)
    before = aging.made.files()
    first = aging.prune()
    assert (first.statement, first.deleted_manifests, first.deleted_objects) == (1, [], [])
    assert [path for path in aging.made.files() if path not in before] == [aging.statement(1)]
    assert first.plan.marked_manifests == list(range(2, 10))
    assert {name.split("/")[1] for name in first.plan.marked_objects} == {"segments", "keyrings"}
    assert aging.prune().statement is None
    aging.live_days(1)
    second = aging.prune()
    assert second.deleted_manifests == first.plan.marked_manifests
    assert second.deleted_objects == first.plan.marked_objects
    assert aging.numbers() == [1, *range(10, 16)]
    check_backups(aging.made, set(range(10, 16)))
    check_whole(aging.made)
    assert aging.made.verify().unnamed == ()


def test_what_is_left_is_recovered(marked: Aging, tmp_path: Path) -> None:
    marked.prune()
    with recovered(marked.made.root, tmp_path / "new") as (after, report):
        assert {measure.result for measure in report.measures} == {"equal"}
        assert after.back_up().manifest.sequence == 1


def test_nothing_is_deleted_before_the_grace_is_over(aging: Aging) -> None:
    aging.live_days(5)
    aging.prune()
    aging.pass_time(DAY - timedelta(seconds=1))
    aging.back_up()
    before = aging.names()
    assert aging.prune().deleted_objects == []
    assert aging.names() == before


def test_nothing_is_deleted_before_a_newer_backup_is_there(aging: Aging) -> None:
    aging.live_days(5)
    aging.prune(Policy(days=4))
    aging.pass_time(2 * DAY)
    before = aging.names()
    outcome = aging.prune(Policy(days=4))
    assert (outcome.plan.due, aging.names()) == ([], before)
    aging.back_up()
    assert len(aging.prune(Policy(days=4)).deleted_manifests) == 4


def test_a_dry_run_says_what_a_prune_does_and_changes_nothing(marked: Aging) -> None:
    before = marked.made.files()
    told = marked.prune(is_dry_run=True)
    assert marked.made.files() == before
    done = marked.prune()
    assert told.plan.marked_manifests == done.plan.marked_manifests == [10, 11]
    assert told.deleted_manifests == done.deleted_manifests
    assert told.deleted_objects == done.deleted_objects
    assert (told.statement, done.statement) == (None, 2)


def test_a_prune_that_finds_nothing_to_do_writes_nothing(aging: Aging) -> None:
    aging.live_days(1)
    aging.prune()  # marks the keyrings that were replaced
    before = aging.made.files()
    assert aging.prune().statement is None
    assert aging.made.files() == before


def test_old_statements_go_but_the_newest_two_and_what_they_allow_stays_allowed(aging: Aging) -> None:
    aging.live_days(5)
    for _ in range(4):
        aging.prune()
        aging.live_days(1)
    assert [path.stem[-1] for path in aging.made.objects("prunes")] == ["3", "4"]
    list(aging.made.repository.chain(aging.made.deployment))
    aging.made.verify()


def test_the_policy_may_change_its_mind_while_the_grace_lasts(marked: Aging) -> None:
    outcome = marked.prune(Policy(days=30))
    assert [*outcome.deleted_manifests, *outcome.deleted_objects] == []
    check_backups(marked.made, set(range(1, 15)))
    assert marked.prune().deleted_manifests == list(range(2, 10))


def test_the_first_manifest_stays_and_what_it_names_goes(marked: Aging) -> None:
    first = next(marked.made.repository.chain(marked.made.deployment)).manifest
    marked.prune()
    assert marked.path(1).exists()
    with pytest.raises(Corrupt, match="is missing, but a manifest names it"):
        for entry in first.objects():
            marked.made.repository.get_object(marked.made.deployment, entry)
    assert 1 not in marked.prune(Policy(days=30)).plan.kept


def test_the_first_manifest_is_kept_whole_if_the_policy_keeps_it(aging: Aging) -> None:
    policy = Policy(days=2, last=14)
    aging.live_days(5)
    aging.prune(policy)
    aging.live_days(1)
    aging.prune(policy)
    check_backups(aging.made, {1, *range(3, 16)} & set(aging.numbers()))
    assert aging.numbers() == [1, *range(3, 16)] or 2 in aging.numbers()


def test_other_deployments_of_the_repository_are_not_touched(marked: Aging, tmp_path: Path) -> None:
    with recovered(marked.made.root, tmp_path / "new") as (other, _):
        other.back_up()
        theirs = [path for path in other.files() if other.deployment in str(path)]
        marked.prune()
        assert all(path.exists() for path in theirs)
        other.verify()


def test_what_nobody_named_is_left_alone(marked: Aging) -> None:
    strange = marked.made.root / marked.made.deployment / "segments" / "README"
    strange.write_text("not ours")
    marked.prune()
    assert strange.exists()


def test_void_objects_go_with_the_manifests_around_them_and_stay_where_a_manifest_lists_them(aging: Aging) -> None:
    aging.live_days(1)
    aging.path(6).write_bytes(b"garbage")
    aging.live_days(4)
    aging.path(15).write_bytes(b"garbage")
    aging.back_up()
    first = aging.prune()
    assert 6 in first.plan.marked_manifests
    assert 15 not in first.plan.marked_manifests
    aging.pass_time(DAY)
    aging.back_up()
    aging.prune()
    assert not aging.path(6).exists()
    assert aging.path(15).exists()
    check_whole(aging.made)


def refusal(aging: Aging, error: type[ResurgamError], match: str, policy: Policy = TWO_DAYS) -> None:
    before = {path: path.read_bytes() for path in aging.made.files()}
    with pytest.raises(error, match=match):
        aging.prune(policy)
    assert {path: path.read_bytes() for path in aging.made.files()} == before


def test_a_prune_by_a_wrong_clock_is_refused(marked: Aging) -> None:
    now = marked.now
    marked.pass_time(-timedelta(minutes=6))
    refusal(marked, Refused, "in the future of this host")
    marked.now = now
    marked.pass_time(2 * DAY + timedelta(seconds=1))
    refusal(marked, Refused, "backups have stopped, or its clock is wrong")


def test_a_prune_of_a_damaged_chain_is_refused(marked: Aging) -> None:
    marked.path(12).write_bytes(b"garbage")
    refusal(marked, Corrupt, r"12\.json")


def test_a_prune_of_a_repository_that_went_backwards_is_refused(marked: Aging) -> None:
    marked.path(14).unlink()
    refusal(marked, Refused, "went backwards")


def test_a_prune_is_refused_if_a_kept_backup_lacks_an_object(marked: Aging) -> None:
    newest = marked.made.newest
    (marked.made.root / newest.segments[0].name(newest.deployment)).unlink()
    refusal(marked, Corrupt, "is missing, but manifest 1[0-9], which is to be kept, names it")


def test_a_prune_without_a_backup_is_refused(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        aging = Aging(made)
        assert made.repository.deployments() == []
        refusal(aging, NotFound, "holds no backup")


def refuse_deleting(error: ResurgamError, of: Callable[[str], bool]) -> Callable[[str, str], None]:
    def observe(method: str, name: str) -> None:
        if method == "delete" and of(name):
            raise error

    return observe


@pytest.mark.parametrize("error", [Conflict("it is held"), Unavailable("it is held"), Refused("it is held")])
def test_what_is_held_is_reported_and_stays_whole_and_goes_when_it_is_let_go(
    marked: Aging, error: ResurgamError
) -> None:
    held = ObservedStore(marked.store, refuse_deleting(error, lambda name: name.endswith(f"{4:019d}.json")))
    outcome = marked.prune(store=held)
    failed, *untried = outcome.failures
    assert (failed.name, failed.reason) == (layout.manifest(marked.made.deployment, 4), "it is held")
    assert {failure.reason for failure in untried} == {""}
    assert outcome.deleted_manifests == [2, 3, 5, 6, 7, 8, 9]
    check_whole(marked.made)
    list(marked.made.repository.chain(marked.made.deployment))
    after = marked.prune()
    assert after.deleted_manifests == [4]
    assert list(after.deleted_objects) == [failure.name for failure in untried]


def test_a_writer_without_the_right_to_delete_lists_what_is_to_be_deleted(marked: Aging) -> None:
    denied = ObservedStore(marked.store, refuse_deleting(WrongKey("no right to delete"), lambda _: True))
    outcome = marked.prune(store=denied)
    assert [*outcome.deleted_manifests, *outcome.deleted_objects] == []
    assert [f.reason for f in outcome.failures[:8]] == ["no right to delete"] * 8
    assert {f.reason for f in outcome.failures[8:]} == {""}
    assert {f.name for f in outcome.failures} == {
        *(layout.manifest(marked.made.deployment, number) for number in range(2, 10)),
        *Repository.open(marked.store)
        .prune_statement(layout.prune(marked.made.deployment, 1), marked.made.newest)
        .objects,
    }
    before = marked.made.files()
    assert [f.name for f in marked.prune(store=denied).failures] == [f.name for f in outcome.failures]
    assert marked.made.files() == before


def test_a_prune_that_may_not_delete_gives_up_after_some_deletions_in_a_row(
    marked: Aging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "FAILURES_MAX", 3)
    tried: list[str] = []

    def observe(method: str, name: str) -> None:
        if method == "delete":
            tried.append(name)
            if not name.endswith("3.json"):
                raise WrongKey("no right to delete")

    outcome = marked.prune(store=ObservedStore(marked.store, before=observe))
    assert [layout.manifest_sequence(name) for name in tried] == [2, 3, 4, 5, 6]
    assert outcome.deleted_manifests == [3]


# Attestations


def test_attestations_go_with_the_backup_that_they_are_of(marked: Aging) -> None:
    deployment = marked.made.deployment
    names = [layout.attestation(deployment, number, f"{number:064x}") for number in (1, 5, 12, 14)]
    for name in names:
        marked.store.put_new(name, b"{}")
    assert set(marked.prune().plan.marked_objects) >= set(names[:2])
    marked.live_days(1)
    marked.back_up()
    assert set(marked.prune().deleted_objects) >= set(names[:2])
    assert list(marked.store.list(layout.attestations(deployment))) == names[2:]


def test_the_newest_verified_backup_and_all_that_it_needs_is_kept(marked: Aging) -> None:
    with marked.made.database.read() as session:
        signer = memory.get_signer(session, ROOT_KEY)
    for number, by in ((3, signer), (6, signer), (4, IDENTITY), (5, IDENTITY)):
        of = marked.made.repository.read(layout.manifest(marked.made.deployment, number))
        attestation.put(marked.made.repository, of, attestation.of_manifest(of, 1, marked.now, by))
    marked.store.put_new(layout.attestation(marked.made.deployment, 8, "0" * 64), b"")
    outcome = marked.prune()
    assert outcome.plan.kept[6] == outcome.plan.kept[5] == ["verified"]
    assert outcome.deleted_manifests == [2, 3, 4, 7, 8, 9]
    check_backups(marked.made, {5, 6})
