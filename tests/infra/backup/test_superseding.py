"""Superseding: destroyed keys leave the repository after a grace of their own, and every backup stays of use."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from domain.errors import Corrupt, Refused
from infra.backup import keyring_file, layout, lines_file, manifest, pruning, superseding
from infra.backup.endorsement import Trust
from infra.backup.manifest import Manifest
from infra.backup.pruning import Outcome
from infra.backup.rebuild import Limit
from infra.backup.repository import Repository, Stored
from infra.backup.retention import Policy
from infra.backup.segment import OpenerOf
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import recovery, verified_backup
from infra.control_plane.recovery import Plan, Report, Wish
from tests.backup_estate import IDENTITY, estate, lived_in, set_password
from tests.forgery import re_signed, stranger
from tests.infra.backup.aging import DAY, Aging
from tests.observed_store import ObservedStore

EVERYTHING = Policy(days=60)
GRACE = superseding.KEYRING_GRACE
OPENER_OF = OpenerOf(lines_file.with_identities([IDENTITY]))


@pytest.fixture
def purged(tmp_path: Path) -> Iterator[Aging]:
    """Five backups that are all kept; what the fifth destroyed is in the keyrings of the others."""
    with estate(tmp_path) as made:
        aging = Aging(lived_in(made))
        aging.back_up()
        aging.pass_time(DAY)
        made.record(set_password(1, "a third long password"))
        aging.back_up()
        yield aging


def names(aging: Aging) -> list[str]:
    return [str(path.relative_to(aging.made.root)) for path in aging.made.objects("keyrings")]


def destroyed_that_open(aging: Aging) -> set[str]:
    """The destroyed keys that whoever holds the identity still finds in the repository."""
    with aging.made.database.read() as session:
        destroyed = {row[0] for row in session.execute("SELECT key_id FROM keyring WHERE shredded_at > 0")}
    found = set()
    for path in aging.made.objects("keyrings"):
        for line in lines_file.read(path.read_bytes(), lines_file.with_identities([IDENTITY]), path.name):
            entry = json.loads(line)
            found |= {entry["key_id"]} if "key" in entry else set()
    return found & destroyed


def after(aging: Aging, time: timedelta) -> Outcome:
    aging.pass_time(time)
    aging.back_up()
    return aging.prune(EVERYTHING)


def gone(aging: Aging) -> Aging:
    """The superseded keyrings are marked, have outlived their grace, and are gone."""
    aging.prune(EVERYTHING)
    after(aging, GRACE)
    return aging


def manifests(aging: Aging) -> list[Stored]:
    return list(aging.made.repository.chain(aging.made.deployment))


def replayed(aging: Aging, stored: Stored) -> Report:
    with verified_backup.scratch() as scratch:
        planned = Plan(stored, Trust("Named", stored.manifest.signer()), Limit())
        return recovery.replay(
            scratch, aging.made.repository, planned, OPENER_OF, Wish(), lambda what, done, total: None
        )


def test_superseded_keyrings_go_after_their_own_grace_whatever_is_kept(purged: Aging) -> None:
    before = names(purged)
    assert destroyed_that_open(purged)
    marked = purged.prune(EVERYTHING)
    assert sorted(marked.plan.marked_objects) == before[:-1]
    assert len(marked.plan.kept) == 5
    earlier = after(purged, GRACE - timedelta(seconds=1))
    assert list(earlier.deleted_objects) == before[:2], "the third backup, a day before, replaced these"
    assert destroyed_that_open(purged)
    done = after(purged, timedelta(seconds=1))
    assert list(done.deleted_objects) == before[2:-1]
    assert destroyed_that_open(purged) == set()
    assert purged.numbers() == list(range(1, 8))


def test_they_are_not_deleted_before_they_were_marked(purged: Aging) -> None:
    assert not after(purged, 2 * GRACE).deleted_objects
    assert after(purged, DAY).deleted_objects


def test_what_is_left_is_verified_pruned_and_recovered_from_every_manifest(purged: Aging) -> None:
    gone(purged)
    purged.made.verify()
    live = keyring_file.read_all(purged.made.repository, purged.made.newest, OPENER_OF).live
    for stored in manifests(purged):
        contents = keyring_file.read_all(purged.made.repository, stored.manifest, OPENER_OF)
        assert (contents.sequence, contents.live) == (purged.made.newest.sequence, live) or (
            contents.sequence == stored.manifest.sequence >= 5
        )
    found = replayed(purged, manifests(purged)[0])
    assert {measure.result for measure in found.measures} == {"equal"}
    assert found.lost, "what was destroyed since stays destroyed"
    again = purged.prune(EVERYTHING)
    assert (again.plan.marked_objects, again.deleted_objects, len(again.plan.kept)) == ([], [], 6)


def test_a_drill_of_a_backup_whose_keyring_is_gone_attests_nothing(purged: Aging) -> None:
    gone(purged)
    attested = verified_backup.attest_drill(
        purged.made.repository, replayed(purged, manifests(purged)[1]), [IDENTITY], purged.now
    )
    assert "the keys are those of manifest 6" in attested.reason


def test_the_number_before_which_keyrings_may_be_missing_never_falls(purged: Aging) -> None:
    numbers = []
    for n in range(4):
        outcome = after(purged, DAY)
        numbers.append(outcome.plan.missable_keyrings)
        if n == 1:
            purged.made.record(set_password(1, "a fourth long password"))
    assert numbers == sorted(numbers)
    assert numbers[-1] > numbers[0] > 0


def test_a_held_keyring_is_reported_and_goes_when_it_is_let_go(purged: Aging) -> None:
    held = names(purged)[0]

    def observe(method: str, name: str) -> None:
        if method == "delete" and name == held:
            raise Refused("it is held until 2027")

    purged.prune(EVERYTHING)
    purged.pass_time(GRACE)
    purged.back_up()
    outcome = purged.prune(EVERYTHING, ObservedStore(purged.store, observe))
    assert [(failure.name, failure.reason) for failure in outcome.failures] == [(held, "it is held until 2027")]
    assert held in names(purged)
    purged.made.verify()
    assert purged.prune(EVERYTHING).deleted_objects == [held]


def test_a_keyring_that_is_missing_before_a_statement_allows_it_is_corrupt(purged: Aging) -> None:
    (purged.made.root / names(purged)[0]).unlink()
    with pytest.raises(Corrupt, match="is missing, but manifest 2, which is to be kept, names it"):
        purged.prune(EVERYTHING)
    with pytest.raises(Corrupt, match="is missing, but a manifest names it"):
        keyring_file.read_all(purged.made.repository, manifests(purged)[0].manifest, OPENER_OF)


def test_the_newest_keyring_may_never_be_missing(purged: Aging) -> None:
    gone(purged)
    (purged.made.root / names(purged)[-1]).unlink()
    for stored in manifests(purged)[0], manifests(purged)[-1]:
        with pytest.raises(Corrupt, match="is missing, but a manifest names it"):
            keyring_file.read_all(purged.made.repository, stored.manifest, OPENER_OF)


def test_only_a_keyring_of_the_same_signer_serves(purged: Aging) -> None:
    gone(purged)
    newest = purged.made.newest
    signer = stranger(purged.made.deployment)
    forged = re_signed(newest.model_copy(update={"sequence": newest.sequence + 1}), signer)
    (purged.made.root / forged.name).write_bytes(manifest.sign(forged, signer))
    first = purged.made.repository.read(layout.manifest(purged.made.deployment, 1)).manifest
    assert superseding.serving(purged.made.repository, first) == newest


def test_a_newer_keyring_from_before_they_were_superseded_does_not_serve(purged: Aging) -> None:
    gone(purged)
    for number in (5, 6):
        purged.path(number).unlink()
    first: Manifest = purged.made.repository.read(layout.manifest(purged.made.deployment, 1)).manifest
    with pytest.raises(Corrupt, match="is missing, but a manifest names it"):
        keyring_file.read_all(purged.made.repository, first, OPENER_OF)


def test_a_prune_removes_what_crashed_writers_left(purged: Aging) -> None:
    class Sweeping(DirectoryStore):
        def sweep(self) -> int:
            return 3

    store = Sweeping(purged.made.root)
    assert purged.prune(EVERYTHING, store, is_dry_run=True).swept == 0
    assert purged.prune(EVERYTHING, store).swept == 3
    assert pruning.prune(
        purged.made.database,
        purged.made.root_key,
        Repository.open(store),
        EVERYTHING,
        pruning.GRACE,
        purged.clock,
        keyring_grace=timedelta(0),
    ).plan.outlived_keyrings == frozenset(names(purged)[:-1])
