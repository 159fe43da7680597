"""The directory store keeps the contract, and names what a file system does to it."""

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Conflict, NotFound, Unavailable
from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.store import TEMPORARY_SECONDS_MAX
from tests.contracts.store import LARGE_BYTES, StoreContract, large_object
from tests.disk import small_disk

PUT_FILE = """
import sys
from pathlib import Path
from infra.backup.stores.directory import DirectoryStore
DirectoryStore(Path(sys.argv[1])).put_file_new("d/segment", Path(sys.argv[2]))
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "repository"


@pytest.fixture
def store(root: Path) -> DirectoryStore:
    return DirectoryStore(root, create=True)


@pytest.fixture
def full_soon(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "small"
    mount.mkdir()
    with small_disk(mount):
        yield mount


class TestDirectoryStore(StoreContract):
    pass


def files_below(root: Path) -> list[str]:
    return [name for _, _, files in os.walk(root) for name in files]


def test_a_missing_directory_is_unavailable(root: Path) -> None:
    with pytest.raises(Unavailable, match=f"{root}: No such file"):
        DirectoryStore(root)
    assert not root.exists()


def test_a_missing_directory_is_made_with_its_parents_when_asked(root: Path) -> None:
    DirectoryStore(root / "a" / "b", create=True).put_new("c", b"1")
    assert (root / "a" / "b" / "c").read_bytes() == b"1"


@pytest.mark.parametrize("create", [False, True])
def test_a_file_in_the_place_of_the_directory_is_unavailable(root: Path, create: bool) -> None:
    root.touch()
    with pytest.raises(Unavailable, match=f"{root}: Not a directory"):
        DirectoryStore(root, create=create)


def test_a_directory_that_goes_away_is_unavailable(store: DirectoryStore, root: Path) -> None:
    root.rmdir()
    with pytest.raises(Unavailable, match=str(root)):
        store.get("a")
    with pytest.raises(Unavailable, match=str(root)):
        store.put_new("a", b"")
    with pytest.raises(Unavailable, match=str(root)):
        list(store.list())


def test_a_file_in_the_place_of_a_folder_is_unavailable(store: DirectoryStore) -> None:
    store.put_new("a", b"")
    with pytest.raises(Unavailable, match="a/b: Not a directory"):
        store.put_new("a/b", b"")
    with pytest.raises(Unavailable, match="a/b: Not a directory"):
        store.get("a/b")


def test_a_folder_in_the_place_of_an_object_is_a_conflict(store: DirectoryStore) -> None:
    store.put_new("a/b", b"")
    with pytest.raises(Conflict):
        store.put_new("a", b"")


def test_a_link_in_the_place_of_a_folder_is_not_followed(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a").write_bytes(b"1")
    (root / "d").symlink_to(tmp_path / "outside")
    with pytest.raises(Unavailable, match="d/a"):
        store.get("d/a")
    with pytest.raises(Unavailable, match="d/b"):
        store.put_new("d/b", b"2")
    assert list(store.list()) == ["d"]
    assert os.listdir(tmp_path / "outside") == ["a"]


def test_a_link_in_the_place_of_an_object_is_listed_and_not_followed(
    store: DirectoryStore, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_bytes(b"1")
    (root / "a").symlink_to(tmp_path / "outside")
    assert list(store.list()) == ["a"]
    for ask in (store.get, store.open, store.head):
        with pytest.raises(Unavailable, match=f"{root / 'a'}: Too many levels of symbolic links"):
            ask("a")
    with pytest.raises(Conflict):
        store.put_new("a", b"2")
    store.delete("a")
    assert (tmp_path / "outside").read_bytes() == b"1"


def test_a_pipe_in_the_place_of_an_object_does_not_hang_the_reader(store: DirectoryStore, root: Path) -> None:
    os.mkfifo(root / "a")
    with pytest.raises(Unavailable, match="not a regular file"):
        store.get("a")


def test_the_root_may_be_a_link(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    store = DirectoryStore(tmp_path / "link")
    store.put_new("d/a", b"1")
    assert list(store.list()) == ["d/a"]
    make_old(root / "d" / ".tmp-1")
    assert store.sweep() == 1


def test_a_foreign_file_is_no_object(store: DirectoryStore, root: Path) -> None:
    (root / "read me.txt").touch()
    assert list(store.list()) == []


def test_reading_a_stream_names_the_object_that_fails(store: DirectoryStore, root: Path) -> None:
    store.put_new("a", b"1")
    with store.open("a") as reader, open(os.devnull, "wb") as unreadable:
        os.dup2(unreadable.fileno(), reader.fileno())
        with pytest.raises(Unavailable, match=str(root / "a")):
            reader.read(1)
        with pytest.raises(Unavailable, match=str(root / "a")):
            reader.read()


def test_a_full_disk_is_unavailable_and_leaves_nothing(full_soon: Path) -> None:
    store = DirectoryStore(full_soon)
    store.put_new("d/a", b"1")
    with pytest.raises(Unavailable, match=f"{full_soon}/d/b: No space left on device"):
        store.put_new("d/b", large_object())
    assert files_below(full_soon) == ["a"]
    store.put_new("d/b", bytes(500_000))
    assert list(store.list()) == ["d/a", "d/b"]


def test_a_read_only_directory_is_unavailable_and_can_be_read(full_soon: Path) -> None:
    store = DirectoryStore(full_soon)
    store.put_new("a", b"1")
    subprocess.run(["mount", "-o", "remount,ro", str(full_soon)], check=True)
    with pytest.raises(Unavailable, match=f"{full_soon}/b: Read-only file system"):
        store.put_new("b", b"2")
    with pytest.raises(Unavailable, match=f"{full_soon}/a: Read-only file system"):
        store.delete("a")
    assert store.get("a") == b"1"


def test_a_write_that_fails_in_the_middle_leaves_nothing(store: DirectoryStore, root: Path) -> None:
    limit, hard_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    on_limit = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGE_BYTES // 2, hard_limit))
    try:
        with pytest.raises(Unavailable, match=f"{root}/d/a: File too large"):
            store.put_new("d/a", large_object())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard_limit))
        signal.signal(signal.SIGXFSZ, on_limit)
    assert files_below(root) == []


def test_a_writer_killed_in_the_middle_leaves_no_object(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen([sys.executable, "-c", PUT_FILE, str(root), str(pipe)])
    with pipe.open("wb", buffering=0) as source:
        # More than the pipe holds, so the writer has begun; it goes on waiting for the rest.
        source.write(large_object())
        writer.kill()
        assert writer.wait() == -signal.SIGKILL
    assert len(files_below(root)) == 1
    assert list(store.list()) == []
    with pytest.raises(NotFound):
        store.get("d/segment")
    store.put_new("d/segment", b"1")
    assert list(store.list()) == ["d/segment"]


def test_only_a_sweep_removes_temporary_files_and_only_old_ones(store: DirectoryStore, root: Path) -> None:
    store.put_new("d/a", b"1")
    make_old(root / "d" / ".tmp-old")
    make_old(root / "d" / "a")
    (root / "d" / ".tmp-new").touch()
    store.put_new("d/b", b"2")
    assert sorted(files_below(root)) == [".tmp-new", ".tmp-old", "a", "b"]
    assert store.sweep() == 1
    assert sorted(files_below(root)) == [".tmp-new", "a", "b"]


def test_a_file_system_without_hard_links_is_named(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # FAT and some network mounts answer so; none can be mounted in a test without their tools.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(Unavailable, match="has no hard links"):
        store.put_new("a", b"1")
    assert list(store.list()) == []


def test_every_folder_on_the_way_is_synced(store: DirectoryStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    store.put_new("d/e/a", b"1")
    assert [path for path in synced if ".tmp-" not in path] == [str(root), str(root / "d"), str(root / "d" / "e")]
    assert len(synced) == 4


def make_old(path: Path) -> None:
    path.touch()
    old = path.stat().st_mtime - TEMPORARY_SECONDS_MAX - 1
    os.utime(path, (old, old))
