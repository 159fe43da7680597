"""Objects that are missing, swapped, renamed, spliced, set back or forked, each in turn."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from domain.errors import Corrupt, Refused
from infra.backup import lines_file, verification
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.backup.stores.directory import DirectoryStore
from infra.backup.verification import Expectation
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.control_plane.recovery import Wish
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from tests.attestations import attest
from tests.backup_estate import FIRST_USE, IDENTITY, Estate, estate, grown, records_of, recovered, set_secret, verify
from tests.infra.control_plane.installation import ROOT_KEY
from tests.system.harm import assert_not_recovered, is_found, relative

FOLDERS = ("segments", "keyrings", "manifests", "attestations")
NOT_NAMED = ("attestations",)
"""What no recovery reads."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        for sequence in range(1, 4):
            attest(grown(one) if sequence == 1 else one, sequence, host_clock())
        yield one


@pytest.fixture(scope="module")
def other(made: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Another deployment, with the same recipients, in a repository of its own."""
    with estate(tmp_path_factory.mktemp("other")) as one:
        for sequence in range(1, 4):
            attest(grown(one) if sequence == 1 else one, sequence, host_clock())
        yield one


@pytest.fixture
def root(made: Estate, tmp_path: Path) -> Path:
    return made.copied(tmp_path)


def at(position: int) -> Wish:
    return replace(FIRST_USE, at=str(position))


@pytest.mark.parametrize("harm", ["missing", "cut off", "empty"])
def test_with_any_one_segment_harmed_exactly_what_is_before_it_can_be_recovered(
    made: Estate, root: Path, tmp_path: Path, harm: str
) -> None:
    for entry in made.newest.segments:
        path, sound = root / entry.name(made.deployment), entry.first - 1
        data = path.read_bytes()
        path.unlink() if harm == "missing" else path.write_bytes(data[:-1] if harm == "cut off" else b"")
        said = assert_not_recovered(root)
        assert (f"--at {sound} recovers that" in said) == (sound > 0)
        for wish in (at(entry.first), at(entry.last), at(made.newest.last)):
            assert_not_recovered(root, wish)
        if sound:
            with recovered(root, tmp_path / f"until-{sound}", wish=at(sound)) as (found, report):
                assert report.recovered_position == sound
                assert records_of(found.database, sound) == records_of(made.database, sound)
        path.write_bytes(data)


@pytest.mark.parametrize("harm", ["missing", "cut off", "empty"])
def test_with_any_one_manifest_harmed_the_newest_intact_one_is_named_and_taken_by_choice(
    made: Estate, root: Path, tmp_path: Path, harm: str
) -> None:
    manifests = [stored.manifest for stored in made.repository.chain(made.deployment)]
    for of in manifests:
        if of is manifests[-1] and harm == "missing":
            continue  # only an expectation finds that, see below
        path = root / of.name
        data = path.read_bytes()
        path.unlink() if harm == "missing" else path.write_bytes(data[:-1] if harm == "cut off" else b"")
        newest = manifests[-2] if of is manifests[-1] else manifests[-1]
        said = assert_not_recovered(root)
        assert f"manifest {newest.sequence}, up to position {newest.last}, is intact: --accept-damage takes it" in said
        wish = replace(FIRST_USE, accept_damage=True)
        with recovered(root, tmp_path / f"without-{of.sequence}", wish=wish) as (_, report):
            assert report.recovered_position == newest.last
        path.write_bytes(data)


@pytest.mark.parametrize("folder", FOLDERS)
def test_any_two_objects_of_a_kind_swapped_are_found(made: Estate, root: Path, folder: str) -> None:
    pairs = list(combinations(sorted((root / made.deployment / folder).iterdir()), 2))
    assert len(pairs) == 3
    for first, second in pairs:
        kept = first.read_bytes(), second.read_bytes()
        first.write_bytes(kept[1])
        second.write_bytes(kept[0])
        assert is_found(root, made.deployment), (first, second)
        if folder not in NOT_NAMED:
            assert_not_recovered(root)
        first.write_bytes(kept[0])
        second.write_bytes(kept[1])


def other_names(path: Path) -> Iterator[str]:
    """Names that an object of this kind could have, with one part of it changed."""
    stem, _, suffix = path.name.partition(".")
    parts = stem.split("-")
    for number, part in enumerate(parts):
        changed = f"{int(part) + 7:019d}" if len(part) == 19 else part[::-1]
        yield "-".join([*parts[:number], changed, *parts[number + 1 :]]) + f".{suffix}"


@pytest.mark.parametrize("is_copied", [False, True], ids=["renamed", "copied"])
def test_any_object_under_any_other_name_is_found(made: Estate, root: Path, is_copied: bool) -> None:
    names = 0
    for path in sorted((root / made.deployment).rglob("*.*")):
        for name in other_names(path):
            if is_copied and path.parent.name in ("segments", "keyrings") and path.name[-78:] == name[-78:]:
                continue  # a second name that holds the right hash: what no manifest names harms nobody
            elsewhere = path.with_name(name)
            shutil.copyfile(path, elsewhere) if is_copied else path.rename(elsewhere)
            # Of a manifest that is not there, an attestation says nothing.
            if path.parent.name not in NOT_NAMED or int(name[:19]) <= made.newest.sequence:
                assert is_found(root, made.deployment), elsewhere
            if path.parent.name not in NOT_NAMED and not is_copied:
                assert_not_recovered(root)
            elsewhere.unlink() if is_copied else elsewhere.rename(path)
            names += 1
    assert names >= 15
    verify(root, made.deployment)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("place", ["in the place of its own", "beside its own"])
def test_any_object_of_another_deployment_or_repository_is_found(
    made: Estate, other: Estate, root: Path, folder: str, place: str
) -> None:
    ours, theirs = made.objects(folder), other.objects(folder)
    for own, foreign in zip(relative(ours, made.root), theirs, strict=True):
        sound = (root / own).read_bytes()
        if place == "in the place of its own":
            (root / own).write_bytes(foreign.read_bytes())
            assert is_found(root, made.deployment), own
            if folder not in NOT_NAMED:
                assert_not_recovered(root)
            (root / own).write_bytes(sound)
        elif folder == "attestations":
            beside = (root / own).with_name(foreign.name)
            shutil.copyfile(foreign, beside)
            assert is_found(root, made.deployment), own
            beside.unlink()
        elif folder == "manifests":
            beside = (root / own).with_name(f"{int(own.stem) + 3:019d}.json")
            shutil.copyfile(foreign, beside)
            assert is_found(root, made.deployment), own
            assert_not_recovered(root)
            beside.unlink()
        else:  # under its own name, which holds its hash, no manifest names it
            shutil.copyfile(foreign, (root / own).with_name(foreign.name))
    if place == "beside its own" and folder in ("segments", "keyrings"):
        assert len(verify(root, made.deployment).unnamed) == 3


def expectation(of: Estate) -> Expectation:
    return Expectation(of.newest.last, of.newest.opened_checkpoint().root)


def rolled_back(of: Estate, root: Path, to: int) -> None:
    """Take out of a repository all that came after a manifest: as an old copy of it was."""
    kept = next(stored.manifest for stored in of.repository.chain(of.deployment) if stored.manifest.sequence == to)
    needed = {entry.name(of.deployment) for entry in kept.objects()}
    for path in relative(of.files(), of.root):
        later = path.parent.name in ("manifests", "attestations") and int(path.name[:19]) > to
        if later or (path.parent.name in ("segments", "keyrings") and str(path) not in needed):
            (root / path).unlink()


def test_a_repository_set_back_to_any_earlier_manifest_is_refused_by_the_store_and_by_an_expectation(
    tmp_path: Path,
) -> None:
    with estate(tmp_path) as made:
        grown(made)
        expected = expectation(made)
        original = made.copied(tmp_path / "original")
        for to in (2, 1):
            rolled_back(made, made.root, to)
            assert verify(made.root, made.deployment).newest.manifest.sequence == to, "the copy is sound in itself"
            made.record(set_secret("Database", f"after {to}"))
            with pytest.raises(
                Refused, match=f"went backwards: this deployment wrote manifest 3 .* newest there is {to}"
            ):
                made.back_up()
            with pytest.raises(Corrupt, match="newer manifests are missing"):
                made.verify(expect=expected)
            assert_not_recovered(made.root, replace(FIRST_USE, expect=expected))
            shutil.rmtree(made.root)
            shutil.copytree(original, made.root)
        assert made.back_up().is_new


def test_an_older_manifest_in_the_place_of_the_newest_is_refused_by_all(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        grown(made)
        first, second, newest = made.objects("manifests")
        sound = newest.read_bytes()
        for older in (first, second):
            newest.write_bytes(older.read_bytes())
            assert "it was moved" in assert_not_recovered(made.root)
            with pytest.raises(Corrupt, match="it was moved"):
                made.verify()
            newest.write_bytes(sound)
        assert made.verify()


def test_of_two_forks_with_the_same_sequence_neither_takes_the_other(tmp_path: Path) -> None:
    """A machine's snapshot is started beside the machine: both write manifest 4, into copies of the repository."""
    with estate(tmp_path) as one:
        grown(one)
        twin_folder = tmp_path / "twin"
        twin_folder.mkdir()
        for file in tmp_path.glob("store.db*"):
            shutil.copy(file, twin_folder)
        one.copied(twin_folder)
        database = open_database(f"sqlite:///{twin_folder}/store.db")
        twin = Estate(twin_folder, database, ControlPlane(database, ROOT_KEY, cost=TEST_COST))
        for estate_ in (one, twin):
            estate_.record(set_secret("Database", f"of {estate_.folder}"))
            estate_.back_up()
        assert one.newest.sequence == twin.newest.sequence == 4
        expected = expectation(one)
        one.record(set_secret("Database", "more"))
        shutil.copytree(one.root, tmp_path / "kept")
        shutil.rmtree(one.root)
        shutil.copytree(twin.root, one.root)
        with pytest.raises(Corrupt, match=r"another manifest 4 of .* than this deployment wrote"):
            one.back_up()
        opener_of = OpenerOf(lines_file.with_identities([IDENTITY]))
        with pytest.raises(Corrupt, match="has another history than the expected checkpoint"):
            verification.verify(Repository.open(DirectoryStore(one.root)), one.deployment, opener_of, expected)
        assert "another history" in assert_not_recovered(one.root, replace(FIRST_USE, expect=expected))
        shutil.rmtree(one.root)
        shutil.copytree(tmp_path / "kept", one.root)
        one.back_up()
        shutil.rmtree(twin.root)
        shutil.copytree(one.root, twin.root)
        with pytest.raises(
            Corrupt, match=r"the log ends at position|no longer agrees|another manifest|does not follow"
        ):
            twin.back_up()
        database.close()
