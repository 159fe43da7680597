"""Pruning beside runs, readers, other prunes and crashes: nothing that is kept is harmed."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import Refused
from infra.backup import layout, memory, pruning, run, verification
from infra.backup.pruning import Outcome
from infra.backup.repository import Repository
from infra.backup.retention import Policy
from infra.log import local_fact
from tests.backup_estate import set_secret
from tests.infra.backup.aging import DAY, TWO_DAYS, Aging, check_backups, check_whole
from tests.infra.control_plane.installation import ROOT_KEY, user_request
from tests.observed_store import Crash, CrashAt, ObservedStore


def test_what_a_crashed_run_left_is_pruned_wherever_it_crashed(aging: Aging) -> None:
    for call in range(1, 60):
        try:
            aging.back_up(ObservedStore(aging.store, after=CrashAt(call)))
            break
        except Crash:
            pass
    else:
        pytest.fail("the run never came to its end")
    garbage = aging.made.verify().unnamed
    assert len(garbage) > 5
    assert set(aging.prune().plan.marked_objects) >= set(garbage)
    aging.live_days(2)
    outcome = aging.prune()
    assert set(outcome.deleted_objects) >= set(garbage)
    assert aging.made.verify().unnamed == ()
    check_whole(aging.made)


def paused_run(
    aging: Aging, meanwhile: Callable[[], object], at: tuple[str, str] = ("put_new", "/manifests/")
) -> run.Outcome:
    """A run that stops right before its first call of a kind, to write its manifest, until something else was done."""
    waiting = [meanwhile]

    def observe(method: str, name: str) -> None:
        if method == at[0] and at[1] in name and waiting:
            waiting.pop()()

    return aging.back_up(ObservedStore(aging.store, before=observe))


def test_what_a_run_in_progress_put_is_safe_however_long_it_takes(aging: Aging) -> None:
    aging.live_days(5)

    def prune_for_days() -> None:
        assert aging.made.verify().unnamed != ()
        for _ in range(5):
            aging.prune(Policy(days=9))
            aging.pass_time(DAY)

    outcome = paused_run(aging, prune_for_days)
    assert outcome.is_new
    check_backups(aging.made, {outcome.manifest.sequence})
    aging.pass_time(DAY)
    aging.back_up()
    aging.prune(Policy(days=9))
    check_backups(aging.made, {outcome.manifest.sequence})


@pytest.mark.parametrize("at", [("head", "/segments/"), ("head", "/keyrings/"), ("put_new", "/manifests/")])
def test_a_run_that_was_overtaken_and_whose_objects_were_pruned_plans_again(aging: Aging, at: tuple[str, str]) -> None:
    aging.users = 101  # so that the next backup has a changed key
    aging.live_days(2)

    def overtake() -> None:
        aging.back_up()
        aging.prune()
        aging.live_days(2)
        assert len(aging.prune().deleted_objects) > 0

    outcome = paused_run(aging, overtake, at)
    assert outcome.manifest.sequence == aging.numbers()[-1]
    check_backups(aging.made, {outcome.manifest.sequence})
    assert outcome.manifest.last == aging.made.plane.head().position


def test_a_run_that_fills_a_gap_finds_that_it_lost(aging: Aging) -> None:
    """The manifest's number was taken, marked and deleted while the run waited, and so is free again."""
    aging.live_days(2)
    number = aging.numbers()[-1] + 1

    def overtake_and_forget() -> None:
        aging.live_days(4)
        aging.prune()
        aging.live_days(1)
        aging.prune()
        assert not aging.path(number).exists()

    outcome = paused_run(aging, overtake_and_forget)
    assert aging.path(number).exists()
    assert outcome.manifest.sequence == aging.numbers()[-1] > number
    check_backups(aging.made, {outcome.manifest.sequence})
    aging.prune()
    aging.live_days(1)
    aging.prune()
    assert not aging.path(number).exists()
    check_whole(aging.made)


def test_two_prunes_at_once_do_not_harm_each_other(marked: Aging) -> None:
    others = [marked.prune]

    def observe(method: str, name: str) -> None:
        if method in ("put_new", "delete") and others:
            others.pop()()

    outcome = marked.prune(store=ObservedStore(marked.store, before=observe))
    assert outcome.failures == []
    check_whole(marked.made)
    list(marked.made.repository.chain(marked.made.deployment))
    others.append(marked.prune)
    marked.live_days(3)
    marked.prune(store=ObservedStore(marked.store, before=observe))
    check_whole(marked.made)


@pytest.mark.parametrize("days", [0, 4])
@pytest.mark.parametrize("paused", ["list", "head", "get"])
def test_a_reader_passes_over_what_is_deleted_meanwhile_however_long_it_takes(
    marked: Aging, paused: str, days: int
) -> None:
    def prune_for_days() -> None:
        marked.prune()
        for _ in range(days):
            marked.live_days(1)
            marked.prune()

    waiting: list[Callable[[], None]] = [prune_for_days]

    def observe(method: str, name: str) -> None:
        if method == paused and "/manifests/" in name and waiting:
            waiting.pop()()

    reader = Repository.open(ObservedStore(marked.store, after=observe))
    numbers = [stored.manifest.sequence for stored in reader.chain(marked.made.deployment)]
    assert numbers[0] == 1
    assert numbers[1:] == [10, 11, 12, 13, 14] if not days else numbers[-1] == marked.numbers()[-1]


def test_the_newest_intact_backup_and_a_verification_are_found_beside_a_prune(marked: Aging) -> None:
    waiting: list[Callable[[], Outcome]] = [marked.prune]

    def observe(method: str, name: str) -> None:
        if method == "list" and name == paused and waiting:
            waiting.pop()()

    deployment = marked.made.deployment
    reader = Repository.open(ObservedStore(marked.store, after=observe))
    paused = layout.manifests(deployment)
    intact = reader.newest_intact(deployment)
    assert intact is not None
    assert intact.manifest.sequence == 14
    marked.live_days(2)
    waiting.append(marked.prune)
    paused = f"{deployment}/"
    verification.verify(reader, deployment, None)
    assert waiting == []


def kept_keys(of: Aging) -> set[str]:
    """The segments whose file keys the deployment keeps."""
    with of.made.database.read() as session:
        facts = local_fact.with_prefix(session, memory.SEGMENT_KEY)
    return {name.removeprefix(memory.SEGMENT_KEY) for name in facts}


def test_keys_of_deleted_segments_are_forgotten_and_others_kept(marked: Aging) -> None:
    before = kept_keys(marked)
    marked.prune()
    there = {path.name.split("-")[2].split(".")[0] for path in marked.made.objects("segments")}
    assert kept_keys(marked) == before & there
    assert kept_keys(marked) < before


def test_keys_of_segments_that_a_crashed_prune_deleted_are_forgotten_by_the_next(marked: Aging) -> None:
    for name in marked.made.repository.prune_statement(
        layout.prune(marked.made.deployment, 1), marked.made.newest
    ).objects:
        marked.store.delete(name)
    for number in range(2, 10):
        marked.path(number).unlink()
    before = kept_keys(marked)
    marked.prune()
    assert kept_keys(marked) < before


def test_a_prune_that_crashes_at_any_call_leaves_every_kept_backup_and_the_next_one_ends_it(
    aging: Aging, tmp_path: Path
) -> None:
    aging.live_days(3)
    aging.prune()
    aging.live_days(1)
    original = aging.made.copied(tmp_path / "original")
    kept = set(aging.prune(is_dry_run=True).plan.kept)
    aging.prune()
    expected, call = aging.names(), 0
    while call := call + 1:
        shutil.rmtree(aging.made.root)
        shutil.copytree(original, aging.made.root)
        try:
            aging.prune(store=ObservedStore(aging.store, before=CrashAt(call)))
            break
        except Crash:
            check_backups(aging.made, kept)
            check_whole(aging.made)
            aging.prune()
            assert aging.names() == expected
    assert call > 40


def test_runs_prunes_and_readers_at_once_harm_nothing_even_without_a_grace(aging: Aging) -> None:
    """Three hours pass with every reading of the clock, so that there is always something to prune."""
    lock, done = threading.Lock(), threading.Event()

    def clock() -> str:
        with lock:
            aging.pass_time(timedelta(hours=3))
            return aging.now

    def record() -> None:
        for number in range(200, 215):
            aging.made.record(user_request(number), set_secret("Database", f"value {number}"))

    def back_up() -> None:
        for _ in range(15):
            run.run(aging.made.database, ROOT_KEY, Repository.open(aging.store), clock)

    def prune() -> None:
        while not done.is_set():
            repository = Repository.open(aging.store)
            with suppress(Refused):  # the newest backup is of a later hour than this one began
                pruning.prune(aging.made.database, ROOT_KEY, repository, TWO_DAYS, timedelta(0), clock)

    def read() -> None:
        while not done.is_set():
            list(Repository.open(aging.store).chain(aging.made.deployment))

    with ThreadPoolExecutor(6) as pool:
        working = [pool.submit(work) for work in (record, back_up, back_up)]
        beside = [pool.submit(work) for work in (prune, prune, read)]
        wait(working)
        done.set()
    for future in (*working, *beside):
        future.result()
    aging.back_up()
    check_whole(aging.made)
    check_backups(aging.made, {aging.numbers()[-1]})
    assert len(aging.numbers()) < aging.numbers()[-1]
