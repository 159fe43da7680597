"""A repository: made once, told apart from an empty folder, and its chain of manifests read as a whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Corrupt, NotFound
from infra.backup import manifest, memory
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from tests.backup_estate import Estate, estate, lived_in
from tests.infra.control_plane.installation import ROOT_KEY
from tests.observed_store import ObservedStore


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        yield lived_in(one)


@pytest.fixture
def root(made: Estate, tmp_path: Path) -> Path:
    return made.copied(tmp_path)


def opened(root: Path) -> Repository:
    return Repository.open(DirectoryStore(root))


def test_a_new_repository_is_made_once(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "new", create=True)
    with pytest.raises(NotFound, match="holds no backup repository: check the location"):
        Repository.open(store)
    first, second = Repository.open_or_create(store), Repository.open_or_create(store)
    assert (first.id, first.sha256) == (second.id, second.sha256)
    assert first.deployments() == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b'{"format":2,"repository":"00000000-0000-4000-8000-000000000000"}\n',
        b'{"format":1,"repository":"00000000-0000-4000-8000-000000000000"}',
        b'{"format":1,"repository":"00000000-0000-4000-8000-000000000000"}\n\n',
        b'{"repository":"00000000-0000-4000-8000-000000000000","format":1}\n',
        b'{"format":1,"repository":7}\n',
        b'{"format":1,"repository":"00000000-0000-4000-8000-00000000000A"}\n',
    ],
)
def test_a_repository_file_of_another_form_is_corrupt(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "resurgam-repository.json").write_bytes(data)
    with pytest.raises(Corrupt, match=r"resurgam-repository\.json"):
        opened(tmp_path)


def test_deployments_are_found_among_other_things(root: Path, made: Estate) -> None:
    (root / "README").write_text("not ours")
    (root / "folder").mkdir()
    (root / "folder" / "file").touch()
    (root / "00000000-0000-4000-8000-000000000000" / "segments").mkdir(parents=True)
    (root / "00000000-0000-4000-8000-000000000000" / "segments" / "left").touch()
    (root / "ffffffff-ffff-4fff-8fff-ffffffffffff" / "manifests").mkdir(parents=True)
    (root / "ffffffff-ffff-4fff-8fff-ffffffffffff" / "manifests" / f"{1:019d}.json").touch()
    assert opened(root).deployments() == [made.deployment, "ffffffff-ffff-4fff-8fff-ffffffffffff"]


def test_the_chain_is_read_oldest_first(made: Estate) -> None:
    assert [stored.manifest.sequence for stored in made.repository.chain(made.deployment)] == [1, 2, 3]


def test_names_of_manifests_are_listed_from_a_sequence_on(made: Estate) -> None:
    names = made.repository.manifest_names(made.deployment)
    for since in range(5):
        assert made.repository.manifest_names(made.deployment, since=since) == names[max(since - 1, 0) :]


def test_missing_manifests_break_the_chain(root: Path, made: Estate) -> None:
    first, second, _ = sorted((root / made.deployment / "manifests").iterdir())
    kept = second.read_bytes()
    second.unlink()
    with pytest.raises(Corrupt, match=r"3.json does not follow .*1.json: a manifest between them is missing"):
        list(opened(root).chain(made.deployment))
    second.write_bytes(kept)
    first.unlink()
    with pytest.raises(Corrupt, match="is the oldest manifest here, but not the first"):
        list(opened(root).chain(made.deployment))


def test_a_chain_that_goes_back_in_positions_is_refused(root: Path, made: Estate) -> None:
    with made.database.read() as session:
        signer = memory.get_signer(session, ROOT_KEY)
    first = next(made.repository.chain(made.deployment)).manifest
    newest = made.repository.newest(made.deployment)
    assert newest is not None
    shorter = first.model_copy(update={"sequence": 4, "previous": newest.sha256})
    (root / shorter.name).write_bytes(manifest.sign(shorter, signer))
    with pytest.raises(Corrupt, match=r"4.json covers less than .*3.json"):
        list(opened(root).chain(made.deployment))


def test_a_manifest_that_is_too_large_is_not_read_into_memory(root: Path, made: Estate) -> None:
    with (root / made.deployment / "manifests" / f"{4:019d}.json").open("wb") as file:
        file.truncate(manifest.BYTES_MAX + 1)
    with pytest.raises(Corrupt, match="is larger than"):
        opened(root).newest(made.deployment)


def test_the_newest_intact_manifest_is_one_of_the_oldest_s_signer(root: Path, made: Estate) -> None:
    manifests = sorted((root / made.deployment / "manifests").iterdir())
    manifests[1].write_bytes(b"garbage")
    intact = opened(root).newest_intact(made.deployment)
    assert intact is not None
    assert intact.manifest.sequence == 3
    manifests[2].unlink()
    manifests[0].write_bytes(b"")
    assert opened(root).newest_intact(made.deployment) is None


def test_a_newest_manifest_that_vanishes_meanwhile_is_named(root: Path, made: Estate) -> None:
    newest = root / made.newest.name

    def vanish(method: str, name: str) -> None:
        if method == "head" and newest.exists():
            newest.unlink()

    repository = Repository.open(ObservedStore(DirectoryStore(root), before=vanish))
    with pytest.raises(Corrupt, match=f"{made.newest.name} was the newest manifest, and is missing since"):
        list(repository.chain(made.deployment))
