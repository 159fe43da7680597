"""Calls that change files, seen before they happen: a test can fail them, crash at them, and lose what was not synced.

What SQLite does in C is not among them. A crash is an exception here, so every call after it must crash too.
"""

import builtins
import io
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from tests.observed_store import Crash

Observer = Callable[[str, str], None]
"""Is told the call and the path, and may raise."""


@dataclass(frozen=True, slots=True)
class _Unsynced:
    """A name that was made or removed in a directory, and how to undo that."""

    directory: Path
    undo: Callable[[], object]


class FileCalls:
    """As a context, tells of every call that changes files; `lose_unsynced` afterwards is a loss of power.

    `spare` is a folder on the same file system.
    """

    def __init__(self, before: Observer, spare: Path) -> None:
        self._observer = before
        self._is_dead = False
        self._spare = spare
        self._names: list[_Unsynced] = []
        self._files: dict[tuple[int, int], int] = {}
        self._patches = pytest.MonkeyPatch()
        self._open, self._fsync, self._os_open = builtins.open, os.fsync, os.open
        self._unlink, self._rmdir, self._link, self._mkdir = os.unlink, os.rmdir, os.link, os.mkdir
        self._fchmod = os.fchmod

    def __enter__(self) -> Self:
        self._spare.mkdir(exist_ok=True)
        for name in ("fsync", "unlink", "rmdir", "link", "mkdir", "fchmod"):
            self._patches.setattr(os, name, getattr(self, name))
        self._patches.setattr(os, "remove", self.unlink)
        self._patches.setattr(os, "open", self.os_open)
        self._patches.setattr(os, "fdopen", self.open)
        self._patches.setattr(io, "open", self.open)
        self._patches.setattr(builtins, "open", self.open)
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.undo()

    def close(self) -> None:
        """Forget what was not synced."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        self._names.clear()
        shutil.rmtree(self._spare, ignore_errors=True)

    def lose_unsynced(self) -> None:
        """Undo what no sync made durable: names that were made or removed, and what is in files."""
        for descriptor in self._files.values():
            os.ftruncate(descriptor, 0)
        for name in reversed(self._names):
            if name.directory.is_dir():
                name.undo()
        self.close()

    def _before(self, call: str, path: str) -> None:
        try:
            self._observer(call, path)
        except Crash:
            self._is_dead = True
            raise

    def fsync(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        self._before("fsync", str(path))
        self._fsync(descriptor)
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            self._names = [name for name in self._names if name.directory != path]
        elif (kept := self._files.pop((found.st_dev, found.st_ino), None)) is not None:
            os.close(kept)

    def os_open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not flags & os.O_CREAT:
            return self._os_open(path, flags, mode, dir_fd=dir_fd)
        whole = _whole(path, dir_fd)
        self._before("open", str(whole))
        was_there = whole.exists()
        descriptor = self._os_open(path, flags, mode, dir_fd=dir_fd)
        if not was_there:
            self._made(whole, lambda: whole.unlink(missing_ok=True))
        return descriptor

    def open(self, file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **options: Any) -> Any:
        if "b" not in mode or not set(mode) & set("wxa+"):
            return self._open(file, mode, buffering, *arguments, **options)
        if not isinstance(file, int) and options.get("opener") is None:
            whole = Path(file).absolute()
            self._before("open", str(whole))
            self._made(whole, lambda: whole.unlink(missing_ok=True))
        raw = _WatchedFile(self, file, mode, options.get("opener"))
        if buffering == 0:
            return raw
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

    def write(self, descriptor: int, data: bytes, write: Callable[[bytes], int]) -> int:
        """Write; what is written when the process crashes is written in part."""
        found, was_dead = os.fstat(descriptor), self._is_dead
        if (found.st_dev, found.st_ino) not in self._files:
            self._files[found.st_dev, found.st_ino] = os.dup(descriptor)
        try:
            self._before("write", os.readlink(f"/proc/self/fd/{descriptor}"))
        except Crash:
            if not was_dead:
                write(data[: len(data) // 2])
            raise
        return write(data)

    def link(self, source: Any, target: Any, *, dst_dir_fd: int | None = None, **options: Any) -> None:
        whole = _whole(target, dst_dir_fd)
        self._before("link", str(whole))
        self._link(source, target, dst_dir_fd=dst_dir_fd, **options)
        self._made(whole, lambda: whole.unlink(missing_ok=True))

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        whole = _whole(path, dir_fd)
        self._before("mkdir", str(whole))
        self._mkdir(path, mode, dir_fd=dir_fd)
        self._made(whole, lambda: shutil.rmtree(whole, ignore_errors=True))

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        whole = _whole(path, dir_fd)
        self._before("unlink", str(whole))
        kept = self._spare / str(len(list(self._spare.iterdir())))
        if whole.is_file():
            self._link(whole, kept)
        self._unlink(path, dir_fd=dir_fd)
        self._made(whole, lambda: None if whole.exists() else os.link(kept, whole))

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        whole = _whole(path, dir_fd)
        self._before("rmdir", str(whole))
        self._rmdir(path, dir_fd=dir_fd)
        self._made(whole, lambda: whole.mkdir(exist_ok=True))

    def fchmod(self, descriptor: int, mode: int) -> None:
        self._before("fchmod", os.readlink(f"/proc/self/fd/{descriptor}"))
        self._fchmod(descriptor, mode)

    def _made(self, whole: Path, undo: Callable[[], object]) -> None:
        self._names.append(_Unsynced(whole.parent, undo))


class _WatchedFile(io.FileIO):
    """A file that tells of every write."""

    def __init__(self, calls: FileCalls, file: Any, mode: str, opener: Any) -> None:
        super().__init__(file, mode.replace("b", ""), opener=opener)
        self._calls = calls

    def write(self, data: Any, /) -> int:
        return self._calls.write(self.fileno(), bytes(data), super().write)


class Full:
    """An observer of a disk that is full from one call on, counted from 1, until it `has_room`."""

    def __init__(self, call: int, error: int) -> None:
        self._left = call
        self.error = error
        self.has_room = False

    @property
    def was_reached(self) -> bool:
        """Whether there were so many calls."""
        return self._left <= 0

    def __call__(self, call: str, path: str) -> None:
        if call in ("unlink", "rmdir", "fchmod"):
            return
        self._left -= 1
        if self._left <= 0 and not self.has_room:
            raise OSError(self.error, os.strerror(self.error), path)


def _whole(path: Any, dir_fd: int | None) -> Path:
    return Path(path).absolute() if dir_fd is None else Path(os.readlink(f"/proc/self/fd/{dir_fd}")) / path
