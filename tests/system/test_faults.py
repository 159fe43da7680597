"""Faults of a repository, one at a time: `verify` finds each, and `recover` refuses it and leaves its target empty."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import Corrupt, WrongKey
from domain.sealed_value import key_ids
from infra.backup import endorsement, manifest, memory, prune_statement
from infra.backup.prune_statement import PruneStatement
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.backup.verification import Expectation
from infra.control_plane import recovery
from infra.control_plane.clock import host_clock
from infra.control_plane.recovery import Wish
from infra.database.url import open_database
from tests.attestations import attest, signer_of
from tests.backup_estate import (
    FIRST_USE,
    IDENTITY,
    OTHER_IDENTITY,
    Estate,
    estate,
    grown,
    is_empty,
    lived_in,
    recover,
    verify,
)
from tests.forgery import endorsed_by, re_sign, re_signed, stranger, without_key
from tests.infra.control_plane.installation import user_request
from tests.system.harm import assert_not_recovered, is_found, relative

TRUNCATIONS = (0, 1, 10, 100, -100, -17, -16, -1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        yield grown(one)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """As little as there can be of each kind of file, and two of it."""
    with estate(tmp_path_factory.mktemp("small")) as one:
        one.back_up()
        one.record(user_request(1))
        one.back_up()
        attest(one, 2, host_clock())
        state_nothing_pruned(one)
        yield one


def state_nothing_pruned(of: Estate) -> None:
    """Put a prune statement that marks nothing into the repository."""
    newest = of.newest
    copied = ("repository", "repository_sha256", "deployment", "epoch", "verifier", "release")
    stated = PruneStatement(
        **{name: getattr(newest, name) for name in copied},
        sequence=1,
        marked_at=newest.created_at,
        newest=newest.sequence,
        gaps=(),
        manifests=(),
        objects=(),
    )
    of.repository.store.put_new(stated.name, prune_statement.sign(stated, signer_of(of)))


@pytest.fixture
def root(made: Estate, tmp_path: Path) -> Path:
    """A copy of the repository, to be harmed."""
    return made.copied(tmp_path)


def test_what_is_harmed_below_is_sound_before(made: Estate, root: Path) -> None:
    assert verify(root, made.deployment).records == made.plane.head().position
    assert len(made.files()) == 1 + 3 * 3


KINDS = ("*.json", "*/manifests/*", "*/segments/*", "*/keyrings/*", "*/attestations/*", "*/prunes/*")


@pytest.mark.parametrize(
    "pattern", [pytest.param(kind, marks=pytest.mark.slow if "segments" in kind else ()) for kind in KINDS]
)
def test_every_prefix_of_every_object_is_found(small: Estate, tmp_path: Path, pattern: str) -> None:
    root, deployment = small.copied(tmp_path), small.deployment
    missed = []
    for path in relative(sorted(small.root.glob(pattern)), small.root):
        sound = (root / path).read_bytes()
        for length in range(len(sound)):
            (root / path).write_bytes(sound[:length])
            if not is_found(root, deployment):
                missed.append((path, length))
        (root / path).write_bytes(sound)
    assert missed == []
    assert verify(root, deployment).attestations == 1


@pytest.mark.parametrize("pattern", KINDS)
def test_every_single_flipped_byte_is_found(small: Estate, tmp_path: Path, pattern: str) -> None:
    root, deployment = small.copied(tmp_path), small.deployment
    missed = []
    for path in relative(sorted(small.root.glob(pattern)), small.root):
        sound = (root / path).read_bytes()
        for at in range(len(sound)):
            flipped = bytearray(sound)
            flipped[at] ^= 1 << at % 8
            (root / path).write_bytes(flipped)
            if not is_found(root, deployment):
                missed.append((path, at))
        (root / path).write_bytes(sound)
    assert missed == []


def test_a_flipped_byte_anywhere_refuses_a_recovery(made: Estate, root: Path) -> None:
    for path in relative(made.files(), made.root):
        sound = (root / path).read_bytes()
        flipped = bytearray(sound)
        flipped[len(sound) // 2] ^= 1
        (root / path).write_bytes(flipped)
        assert_not_recovered(root)
        (root / path).write_bytes(sound)


def test_every_truncated_file_is_found_and_refuses_a_recovery(made: Estate, root: Path) -> None:
    for path in relative(made.files(), made.root):
        sound = (root / path).read_bytes()
        for length in (length for length in TRUNCATIONS if len(sound[:length]) < len(sound)):
            (root / path).write_bytes(sound[:length])
            assert is_found(root, made.deployment), (path, length)
            assert_not_recovered(root)
        (root / path).write_bytes(sound)


def test_bytes_appended_to_a_file_are_found_and_refuse_a_recovery(made: Estate, root: Path) -> None:
    for path in relative(made.files(), made.root):
        sound = (root / path).read_bytes()
        (root / path).write_bytes(sound + b"\n")
        assert is_found(root, made.deployment), path
        assert_not_recovered(root)
        (root / path).write_bytes(sound)


@pytest.mark.parametrize("folder", ["segments", "keyrings", "manifests"])
def test_two_swapped_files_are_found_and_refuse_a_recovery(made: Estate, root: Path, folder: str) -> None:
    first, second, *_ = sorted((root / made.deployment / folder).iterdir())
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert is_found(root, made.deployment)
    assert_not_recovered(root)


def test_each_missing_object_that_a_manifest_names_is_found_and_refuses_a_recovery(made: Estate, root: Path) -> None:
    newest = relative(made.objects("manifests"), made.root)[-1]
    for path in relative(made.files(), made.root):
        if path == newest:
            continue
        sound = (root / path).read_bytes()
        (root / path).unlink()
        assert is_found(root, made.deployment), path
        assert_not_recovered(root)
        (root / path).write_bytes(sound)


def test_a_missing_newest_manifest_is_refused_with_an_expectation(made: Estate, root: Path) -> None:
    newest = made.newest
    expected = Expectation(newest.last, newest.opened_checkpoint().root)
    assert verify(root, made.deployment, expect=expected)
    (root / newest.name).unlink()
    with pytest.raises(Corrupt, match="newer manifests are missing"):
        verify(root, made.deployment, expect=expected)
    said = assert_not_recovered(root, replace(FIRST_USE, expect=expected))
    assert f"position {newest.last} was backed up: newer manifests are missing" in said


def test_another_history_than_the_expected_one_is_refused(made: Estate, root: Path) -> None:
    for size in (made.newest.last, made.newest.segments[0].last, 3):
        assert "another history" in assert_not_recovered(root, replace(FIRST_USE, expect=Expectation(size, bytes(32))))


@pytest.mark.parametrize("name", ["manifests/stray.json", "segments/stray", "keyrings/.hidden", "stray", "more/of/it"])
def test_a_foreign_object_is_found_but_keeps_nobody_from_recovering(made: Estate, root: Path, name: str) -> None:
    path = root / made.deployment / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"?")
    with pytest.raises(Corrupt, match="somebody else put it there"):
        verify(root, made.deployment)
    database = open_database(f"sqlite:///{root.parent}/target.db", create=True)
    assert recover(database, root.parent, root).recovered_position == made.newest.last
    database.close()


def test_garbage_at_the_next_manifest_s_name_counts_as_damage(made: Estate, root: Path) -> None:
    (root / made.deployment / "manifests" / f"{4:019d}.json").write_bytes(b"garbage")
    assert is_found(root, made.deployment)
    said = assert_not_recovered(root)
    assert "manifest 3, up to position 22, is intact: --accept-damage takes it" in said


def test_an_old_manifest_replayed_as_the_newest_is_refused(made: Estate, root: Path) -> None:
    old, *_ = sorted((root / made.deployment / "manifests").iterdir())
    old.with_name(f"{4:019d}.json").write_bytes(old.read_bytes())
    with pytest.raises(Corrupt, match="it was moved"):
        verify(root, made.deployment)
    assert_not_recovered(root)


def test_a_manifest_of_another_deployment_or_repository_is_refused(made: Estate, root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with estate(tmp_path / "other") as other:
        lived_in(other)
        foreign = other.objects("manifests")[-1].read_bytes()
        (root / made.newest.name).write_bytes(foreign)
        assert is_found(root, made.deployment)
        assert_not_recovered(root)
        shutil.rmtree(root / made.deployment)
        shutil.copytree(other.root / other.deployment, root / other.deployment)
        with pytest.raises(Corrupt, match="belongs to repository"):
            verify(root, other.deployment)
        assert_not_recovered(root)


def test_a_gap_an_overlap_and_a_fork_are_refused(made: Estate, root: Path) -> None:
    with made.database.read() as session:
        signer = memory.get_signer(session, made.root_key)
    first, second, third = made.newest.segments
    shortened = second.model_copy(update={"last": 18})
    for segments in ((first, third), (first, second, second, third), (first, shortened, third)):
        forged = made.newest.model_copy(update={"segments": segments})
        (root / forged.name).write_bytes(manifest.sign(forged, signer))
        assert is_found(root, made.deployment)
        assert_not_recovered(root)
    forked = made.newest.model_copy(update={"previous": "0" * 64})
    (root / forked.name).write_bytes(manifest.sign(forked, signer))
    with pytest.raises(Corrupt, match="a manifest between them is missing or was replaced"):
        verify(root, made.deployment)
    assert_not_recovered(root)


def test_a_chain_that_changes_its_signer_is_refused(made: Estate, root: Path) -> None:
    signer = stranger(made.deployment)
    forged = re_signed(made.newest, signer)
    (root / forged.name).write_bytes(manifest.sign(forged, signer))
    with pytest.raises(Corrupt, match="signed by another signer"):
        verify(root, made.deployment)
    assert_not_recovered(root)


def test_a_repository_signed_anew_by_another_key_is_refused(made: Estate, root: Path) -> None:
    with made.database.read() as session:
        verifier = memory.get_signer(session, made.root_key).verifier
    mine = [endorsement.endorse(IDENTITY, verifier)]
    re_sign(root, made.deployment, stranger(made.deployment), endorsed_by(mine))
    assert "forged endorsement" in assert_not_recovered(root)
    assert "forged endorsement" in assert_not_recovered(root, Wish())
    re_sign(root, made.deployment, stranger(made.deployment), endorsed_by([]))
    assert "that was named" in assert_not_recovered(root, Wish(verifier=verifier))
    said = assert_not_recovered(root, Wish())
    assert "nothing proves the signer SHA256:" in said
    assert "--verifier" in said


def test_only_whoever_trusts_at_first_use_takes_a_repository_signed_anew(made: Estate, root: Path) -> None:
    re_sign(root, made.deployment, stranger(made.deployment))
    assert_not_recovered(root, Wish())
    database = open_database(f"sqlite:///{root.parent}/target.db", create=True)
    assert recover(database, root.parent, root, FIRST_USE).plan.trust.reason == "FirstUse"
    database.close()


def test_a_keyring_that_lacks_a_live_key_fails_the_drill_and_names_the_resource(made: Estate, root: Path) -> None:
    with made.database.read() as session:
        signer = memory.get_signer(session, made.root_key)
    with made.plane.read() as reading:
        [*_, needed] = reading.state.of_kind("secret-version")
    [key_id] = key_ids(needed.state)
    changed = without_key(root, made.newest, IDENTITY, key_id)
    (root / changed.name).write_bytes(manifest.sign(changed, signer))
    named = f"the keyring lacks the key {key_id} of {needed.id}"
    assert named in assert_not_recovered(root)
    scratch = open_database(f"sqlite:///{root.parent}/scratch.db", create=True)
    repository = Repository.open(DirectoryStore(root))
    with pytest.raises(Corrupt, match=named):
        recovery.drill(scratch, repository, [IDENTITY], FIRST_USE, host_clock())
    scratch.close()


def test_a_wrong_identity_is_a_wrong_key(made: Estate, root: Path) -> None:
    with pytest.raises(WrongKey, match="segment 1-15: no identity opens"):
        verify(root, made.deployment, [OTHER_IDENTITY])
    database = open_database(f"sqlite:///{root.parent}/target.db", create=True)
    for wish in (Wish(), FIRST_USE):
        with pytest.raises(WrongKey, match=r"is encrypted to [0-9a-f]{16}"):
            recover(database, root.parent, root, wish, [OTHER_IDENTITY])
    assert is_empty(database)
    database.close()
