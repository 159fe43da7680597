"""The doctor finds every kind of store good, and names what a bad one does."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3  # type: ignore[import-untyped]  # it comes with moto, and brings no annotations
import pytest

from domain.errors import Conflict, NotFound, Unavailable, WrongKey
from infra.backup import doctor
from infra.backup.doctor import Level
from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.store import Capabilities, Store
from infra.backup.stores.url import open_store
from tests.store_servers import Place

CHECKS = ["list", "write", "read", "create-only", "race", "large-object", "order", "missing", "clock"]


def now() -> datetime:
    return datetime.now(UTC)


def examined(store: Store) -> dict[str, tuple[Level, str]]:
    return {finding.check: (finding.level, finding.words) for finding in doctor.examine(store, now)}


def bad(store: Store) -> dict[str, str]:
    return {check: words for check, (level, words) in examined(store).items() if level is Level.BAD}


def test_every_kind_of_store_is_found_good_and_left_as_it_was(repository_url: str) -> None:
    store = open_store(repository_url, create=True)
    store.put_new("resurgam-repository.json", b"{}")
    found = examined(store)
    assert [found[check][0] for check in (*CHECKS, "delete")] == [Level.GOOD] * 10, found
    assert {"versions", "retention"} <= found.keys()
    assert list(store.list()) == ["resurgam-repository.json"]


def test_a_bucket_that_keeps_versions_is_told(s3_server: Place, store_environment: Callable[[Place], str]) -> None:
    store_environment(s3_server)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="versioned")
    client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    assert examined(open_store("s3://versioned/a"))["versions"][0] is Level.GOOD


class Flawed(DirectoryStore):
    """A directory whose promises are broken one by one."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, create=True)
        self.root = root

    def overwrite(self, name: str, data: bytes) -> None:
        (self.root / name).parent.mkdir(exist_ok=True, parents=True)
        (self.root / name).write_bytes(data)


class Overwrites(Flawed):
    def put_new(self, name: str, data: bytes) -> None:
        self.overwrite(name, data)


class OverwritesAndComplains(Flawed):
    def put_new(self, name: str, data: bytes) -> None:
        taken = (self.root / name).exists()
        self.overwrite(name, data)
        if taken:
            raise Conflict(f"{name} is taken")


class IsReadOnly(Flawed):
    def put_new(self, name: str, data: bytes) -> None:
        raise Unavailable(f"{name}: Read-only file system")


class CannotBeListed(Flawed):
    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        raise WrongKey("no right to list")


class ListsBackwards(Flawed):
    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        return iter(sorted(super().list(prefix, after=after), reverse=True))


class Forgets(Flawed):
    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        return (name for name in super().list(prefix, after=after) if not name.endswith("/c"))


class ListsForeign(Flawed):
    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        return iter([f"{prefix}foreign"])


class IgnoresRanges(Flawed):
    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        return super().get(name)


class CutsLargeObjects(Flawed):
    def put_new(self, name: str, data: bytes) -> None:
        super().put_new(name, data[: 1 << 20])


class RefusesLargeObjects(Flawed):
    def put_new(self, name: str, data: bytes) -> None:
        if len(data) > 1 << 20:
            raise Unavailable("413 Request Entity Too Large")
        super().put_new(name, data)


class InventsObjects(Flawed):
    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        try:
            return super().get(name, start=start, length=length)
        except NotFound:
            return b""


class IsAheadOfTime(Flawed):
    def written_at(self, name: str) -> datetime:
        return super().written_at(name) + timedelta(seconds=90)


class KeepsWhatIsDeleted(Flawed):
    def delete(self, name: str) -> None:
        """Nothing is deleted."""


class TellsManyThatTheyWon(Flawed):
    def put_new(self, name: str, data: bytes) -> None:
        try:
            super().put_new(name, data)
        except Conflict:
            if not name.endswith("race"):
                raise


FLAWS = {
    Overwrites: {"create-only": "no conditional create", "race": "are told that they won"},
    OverwritesAndComplains: {"create-only": "replaced the object all the same"},
    IsReadOnly: {"write": "Read-only"},
    CannotBeListed: {"list": "no right to list"},
    ListsForeign: {"list": "nobody has written to"},
    ListsBackwards: {"order": "order of their characters"},
    Forgets: {"order": "not listed whole"},
    IgnoresRanges: {"read": "reads back differently"},
    CutsLargeObjects: {"large-object": "8 MiB reads back differently"},
    RefusesLargeObjects: {"large-object": "413"},
    InventsObjects: {"missing": "nobody wrote"},
    IsAheadOfTime: {"clock": r"90 seconds ahead|89 seconds ahead"},
    KeepsWhatIsDeleted: {"delete": "still listed"},
    TellsManyThatTheyWon: {"race": "8 are told that they won"},
}


@pytest.mark.parametrize("flawed", FLAWS, ids=lambda flawed: flawed.__name__)
def test_a_broken_promise_is_named(flawed: type[Flawed], tmp_path: Path) -> None:
    found = bad(flawed(tmp_path / "repository"))
    assert FLAWS[flawed].keys() <= found.keys()
    for check, words in FLAWS[flawed].items():
        assert any(part in found[check] for part in words.split("|")), found[check]


def test_without_the_right_to_write_nothing_more_is_tried(tmp_path: Path) -> None:
    assert list(examined(IsReadOnly(tmp_path / "repository"))) == ["list", "write"]


def test_with_the_right_to_read_alone_what_is_there_is_read(tmp_path: Path) -> None:
    DirectoryStore(tmp_path / "repository", create=True).put_new("resurgam-repository.json", b"{}")
    found = examined(IsReadOnly(tmp_path / "repository"))
    assert [(check, level) for check, (level, _) in found.items()] == [
        ("list", Level.GOOD),
        ("write", Level.BAD),
        ("read", Level.GOOD),
    ]
    assert "verified and recovered, but not backed up" in found["read"][1]


class MayNotDelete(Flawed):
    def delete(self, name: str) -> None:
        raise WrongKey(f"cannot delete {name}: AccessDenied")


def test_a_writer_that_may_not_delete_is_no_fault_and_what_it_left_is_named(tmp_path: Path) -> None:
    level, words = examined(MayNotDelete(tmp_path / "repository"))["delete"]
    assert level is Level.LACKING
    assert "what was written stays below doctor-" in words


class IsNearlyFull(Flawed):
    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(retention=None, versions=True, free_bytes=1 << 20)


class CannotTell(Flawed):
    @property
    def capabilities(self) -> Capabilities:
        raise Unavailable("no answer")


def test_what_the_place_lacks_is_said(tmp_path: Path) -> None:
    plain = examined(Flawed(tmp_path / "plain"))
    assert (plain["versions"][0], plain["retention"][0]) == (Level.LACKING, Level.LACKING)
    nearly_full = examined(IsNearlyFull(tmp_path / "full"))
    assert nearly_full["capacity"] == (Level.LACKING, "0.0 GiB are free")
    assert "cannot be seen from here" in nearly_full["retention"][1]
    assert nearly_full["versions"][0] is Level.GOOD
    assert examined(CannotTell(tmp_path / "silent"))["offers"] == (Level.LACKING, "no answer")
