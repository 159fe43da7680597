"""Damage that goes away again: a mended manifest, one wrong read, and a repository that was not there a moment ago."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Corrupt, NotFound
from infra.backup import layout, manifest, repository
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from tests.backup_estate import Estate, estate, lived_in, recovered
from tests.infra.backup.aging import Aging, check_whole
from tests.infra.control_plane.installation import user_request
from tests.observed_store import ObservedStore


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path) as one:
        yield lived_in(one)


def damaged(made: Estate, *numbers: int) -> dict[Path, bytes]:
    """Damage these manifests, and return what they were."""
    paths = [made.root / layout.manifest(made.deployment, number) for number in numbers]
    before = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.write_bytes(b"garbage")
    return before


def mend(before: dict[Path, bytes]) -> None:
    for path, data in before.items():
        path.write_bytes(data)


@pytest.mark.parametrize("numbers", [(3,), (2, 3), (1, 2, 3)])
def test_a_manifest_that_was_listed_as_void_and_is_mended_counts_for_nothing_and_breaks_no_chain(
    made: Estate, tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    before = damaged(made, *numbers)
    made.record(user_request(50))
    outcome = made.back_up()
    assert len(outcome.manifest.void) == len(numbers)
    mend(before)
    assert (made.verify().manifests, made.verify().records) == (4 - len(numbers), made.plane.head().position)
    made.record(user_request(51))
    made.back_up()
    assert made.verify().records == made.plane.head().position
    with recovered(made.root, tmp_path / "recovered") as (_, report):
        assert report.recovered_position == made.plane.head().position
    aging = Aging(made)
    aging.live_days(4)
    aging.prune()
    aging.live_days(1)
    assert aging.prune().deleted_manifests != []
    check_whole(made)


def test_more_in_a_row_than_are_held_back_are_damage(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "HELD_MAX", 1)
    before = damaged(made, 2, 3)
    made.record(user_request(50))
    made.back_up()
    mend(before)
    with pytest.raises(Corrupt, match="does not follow"):
        made.verify()


def test_one_wrong_read_does_not_make_a_manifest_void(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    store, name = DirectoryStore(made.root), made.newest.name
    right = Repository.signed

    def wrong_once(self: Repository, asked: str) -> object:
        reads.append(asked)
        if reads.count(name) == 1 and asked == name:
            return manifest.parse(store.get(name)[:-3], name)
        return right(self, asked)

    monkeypatch.setattr(Repository, "signed", wrong_once)
    made.record(user_request(50))
    assert made.back_up().manifest.void == ()
    assert reads.count(name) >= 2


def test_a_first_backup_by_another_run_is_not_taken_for_a_lost_repository_file(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        waiting = [made.back_up]

        def observe(method: str, name: str) -> None:
            if method == "list" and waiting:
                waiting.pop()()

        store = ObservedStore(DirectoryStore(made.root, create=True), before=observe)
        assert Repository.open(store).id == made.repository.id
        (made.root / layout.REPOSITORY_FILE).unlink()
        with pytest.raises(Corrupt, match="is missing: put it back from a copy"):
            Repository.open(DirectoryStore(made.root))
        (tmp_path / "y").mkdir()
        with pytest.raises(NotFound, match="holds no backup repository"):
            Repository.open(DirectoryStore(tmp_path / "y"))
