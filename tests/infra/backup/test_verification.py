"""Verification: with an identity it opens everything, without one it compares what it can."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Corrupt, NotFound
from infra.backup.verification import Expectation
from tests.backup_estate import IDENTITY, Estate, estate, lived_in, verify


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        yield lived_in(one)


@pytest.mark.parametrize("identities", [(), (IDENTITY,)], ids=["without identity", "with identity"])
def test_a_sound_repository_is_told_in_numbers(made: Estate, identities: tuple[object, ...]) -> None:
    found = verify(made.root, made.deployment, identities)  # type: ignore[arg-type]  # ids need plain parameters
    assert found.newest.manifest == made.newest
    assert (found.manifests, found.segments, found.keyrings, found.records) == (3, 3, 1, 22)
    named = [made.root / entry.name(made.deployment) for entry in made.newest.objects()]
    assert found.size_bytes == sum(path.stat().st_size for path in named)
    assert found.opened is bool(identities)
    assert found.unnamed == ()


@pytest.mark.parametrize("folder", ["segments", "keyrings"])
def test_without_an_identity_damage_is_found_too(made: Estate, tmp_path: Path, folder: str) -> None:
    root = made.copied(tmp_path)
    needed = {root / entry.name(made.deployment) for entry in made.newest.objects()}
    for path in (root / made.deployment / folder).iterdir():
        data = path.read_bytes()
        says = "manifest" if path in needed else "name"
        for harmed in (data[:-1], data + b"\n", data[:50] + bytes([data[50] ^ 4]) + data[51:]):
            path.write_bytes(harmed)
            with pytest.raises(Corrupt, match=f"{path.name} is not what its {says} says"):
                verify(root, made.deployment, ())
        path.write_bytes(data)


def test_without_an_identity_a_missing_object_is_found_too(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    for entry in made.newest.objects():
        path = root / entry.name(made.deployment)
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(Corrupt, match=f"{path.name} is missing, but a manifest names it"):
            verify(root, made.deployment, ())
        path.write_bytes(data)


def test_an_expected_checkpoint_must_be_extended(made: Estate) -> None:
    newest = made.newest
    sound = newest.opened_checkpoint().root
    for identities in ((), (IDENTITY,)):
        verify(made.root, made.deployment, identities, Expectation(22, sound))
        with pytest.raises(Corrupt, match="position 23 was backed up: newer manifests are missing"):
            verify(made.root, made.deployment, identities, Expectation(23, sound))
        with pytest.raises(Corrupt, match="another history than the expected checkpoint at position 22"):
            verify(made.root, made.deployment, identities, Expectation(22, bytes(32)))
    inner = newest.segments[0].frontier_after().root()
    verify(made.root, made.deployment, (IDENTITY,), Expectation(15, inner))
    with pytest.raises(Corrupt, match="another history than the expected checkpoint at position 15"):
        verify(made.root, made.deployment, (IDENTITY,), Expectation(15, sound))


def test_an_object_of_a_crashed_run_is_listed_and_does_no_harm(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    (root / made.newest.name).unlink()
    found = verify(root, made.deployment)
    assert len(found.unnamed) == 2
    harmed = root / found.unnamed[0]
    harmed.write_bytes(harmed.read_bytes()[:-1])
    with pytest.raises(Corrupt, match="is not what its name says"):
        verify(root, made.deployment)


def test_a_deployment_without_backups_is_not_found(made: Estate) -> None:
    with pytest.raises(NotFound, match="holds no backup of deployment"):
        verify(made.root, "00000000-0000-4000-8000-000000000000")


def test_an_object_that_an_earlier_backup_alone_needs_is_found_missing_too(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    newest = {entry.sha256 for entry in made.newest.objects()}
    earlier = [entry for stored in made.repository.chain(made.deployment) for entry in stored.manifest.objects()]
    superseded = [entry for entry in earlier if entry.sha256 not in newest]
    assert superseded
    for entry in superseded:
        path = root / entry.name(made.deployment)
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(Corrupt, match=rf"{path.name} is missing, but .*/manifests/\d+.json names it: the newest"):
            verify(root, made.deployment, ())
        path.write_bytes(data)
