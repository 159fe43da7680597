"""Choice: of several deployments none before it was named, and of a damaged chain no backup in silence."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Corrupt, NotFound, Refused
from infra.backup import choice
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from tests.backup_estate import Estate, estate, lived_in, recovered


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        yield lived_in(one)


def opened(root: Path) -> Repository:
    return Repository.open(DirectoryStore(root))


def test_the_newest_backup_of_the_only_deployment_is_taken(made: Estate) -> None:
    assert choice.choose(made.repository, None).manifest == made.newest
    assert choice.choose(made.repository, made.deployment).manifest == made.newest


def test_an_empty_repository_has_nothing_to_choose(tmp_path: Path) -> None:
    empty = Repository.open_or_create(DirectoryStore(tmp_path))
    assert choice.candidates(empty) == []
    with pytest.raises(NotFound, match="holds no backup"):
        choice.choose(empty, None)


def test_of_several_deployments_one_must_be_named(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    with recovered(root, tmp_path / "new") as (second, _):
        second.back_up()
        ids = sorted([made.deployment, second.deployment])
        assert [one.deployment for one in choice.candidates(opened(root))] == ids
        with pytest.raises(Refused, match="holds 2 deployments, name one") as refusal:
            choice.choose(opened(root), None)
        for line in (f"--deployment {made.deployment}  newest backup", f"recovered from {made.deployment}"):
            assert line in str(refusal.value)
        assert choice.choose(opened(root), second.deployment).manifest == second.newest
        with pytest.raises(NotFound, match="holds no backup of deployment x: it has"):
            choice.choose(opened(root), "x")
        (root / second.newest.name).write_bytes(b"garbage")
        damaged = [one for one in choice.candidates(opened(root)) if one.newest is None]
        assert [one.deployment for one in damaged] == [second.deployment]
        assert "damaged: " in damaged[0].line()
        assert choice.choose(opened(root), made.deployment).manifest == made.newest


@pytest.mark.parametrize(("sequence", "taken"), [(1, 3), (2, 3), (3, 2)])
def test_a_damaged_manifest_is_passed_over_only_by_choice(
    made: Estate, tmp_path: Path, sequence: int, taken: int
) -> None:
    root = made.copied(tmp_path)
    (root / made.deployment / "manifests" / f"{sequence:019d}.json").write_bytes(b"garbage")
    with pytest.raises(
        Corrupt, match=f"{sequence}.json is not a signed manifest; manifest {taken}, .* --accept-damage"
    ):
        choice.choose(opened(root), None)
    assert choice.choose(opened(root), None, accept_damage=True).manifest.sequence == taken


def test_where_no_manifest_is_intact_there_is_nothing_to_accept(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    for path in (root / made.deployment / "manifests").iterdir():
        path.write_bytes(b"garbage")
    with pytest.raises(Corrupt, match=r"is not a signed manifest$"):
        choice.choose(opened(root), None, accept_damage=True)


def test_a_deployment_whose_manifests_vanished_meanwhile_has_no_backup(made: Estate) -> None:
    with pytest.raises(NotFound, match="holds no backup of deployment"):
        choice.newest_good(made.repository, "00000000-0000-4000-8000-000000000000")
