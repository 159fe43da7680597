"""A store in a directory of a local or mounted file system, which must know hard links."""

import errno
import io
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from domain.errors import Conflict, NotFound, Unavailable
from infra.backup.stores.folders import Entries, names
from infra.backup.stores.store import TEMPORARY_PREFIX, TEMPORARY_SECONDS_MAX, Capabilities, check_name, check_prefix

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

COPY_BYTES = 1 << 20

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe that somebody put in the place of an object would hang.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})


class DirectoryStore:
    """See `infra.backup.stores.store.Store`.

    An object is written to a temporary file beside its name and appears there by a hard link, which never replaces
    anything. Below the root no symbolic link is followed. Objects get the permissions that the process's umask leaves.
    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        """Raise `Unavailable` when the directory is not there; with `create` it is made, and its parents."""
        self._root = root.absolute()
        if create:
            _make_directory(self._root)
        with self._folder(()):
            pass

    @property
    def location(self) -> str:
        return self._root.as_uri()

    @property
    def capabilities(self) -> Capabilities:
        with _reporting("ask", self._root):
            disk = os.statvfs(self._root)
        return Capabilities(retention=False, versions=False, free_bytes=disk.f_bavail * disk.f_frsize)

    def put_new(self, name: str, data: bytes) -> None:
        self._put(name, io.BytesIO(data))

    def put_file_new(self, name: str, path: Path) -> None:
        with _reporting("read", path):
            source = path.open("rb")
        with source:
            self._put(name, source)

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        with self.open(name) as reader:
            reader.seek(start)
            return reader.read(-1 if length is None else length)

    def open(self, name: str) -> BinaryIO:
        return io.BufferedReader(_ObjectFile(self._descriptor(name), self._root / name), COPY_BYTES)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        check_prefix(prefix)
        return names(self._entries, prefix, after)

    def head(self, name: str) -> int:
        return self._status(name).st_size

    def written_at(self, name: str) -> datetime:
        return datetime.fromtimestamp(self._status(name).st_mtime, UTC)

    def delete(self, name: str) -> None:
        folders, last = _parts(name)
        with self._finding(name, "delete"), self._folder(folders) as folder:
            os.unlink(last, dir_fd=folder)
            os.fsync(folder)

    def sweep(self) -> int:
        oldest = time.time() - TEMPORARY_SECONDS_MAX
        removed = 0
        with _reporting("sweep", self._root), self._folder(()) as root:
            for _, _, files, folder in os.fwalk(dir_fd=root):
                for file in files:
                    if not file.startswith(TEMPORARY_PREFIX):
                        continue
                    if os.stat(file, dir_fd=folder, follow_symlinks=False).st_mtime < oldest:
                        os.unlink(file, dir_fd=folder)
                        removed += 1
        return removed

    def _put(self, name: str, source: BinaryIO) -> None:
        folders, last = _parts(name)
        temporary = TEMPORARY_PREFIX + secrets.token_hex(16)
        with _reporting("write", self._root / name), self._folder(folders, create=True) as folder:
            descriptor = os.open(temporary, _CREATE, 0o666, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as target:
                    shutil.copyfileobj(source, target, COPY_BYTES)
                    target.flush()
                    os.fsync(descriptor)
                os.link(temporary, last, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError as error:
                raise Conflict(f"{self.location} already has an object {name}, which is never overwritten") from error
            except OSError as error:
                if error.errno in _NO_HARD_LINKS:
                    raise Unavailable(f"{self._root} has no hard links: use another file system") from error
                raise
            finally:
                os.unlink(temporary, dir_fd=folder)
                # Also when the name was taken: the writer who took it may not have come as far as this line.
                os.fsync(folder)

    def _status(self, name: str) -> os.stat_result:
        descriptor = self._descriptor(name)
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def _descriptor(self, name: str) -> int:
        folders, last = _parts(name)
        with self._finding(name, "read"):
            with self._folder(folders) as folder:
                descriptor = os.open(last, _READ, dir_fd=folder)
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISREG(mode):
                return descriptor
            os.close(descriptor)
            if stat.S_ISDIR(mode):
                raise IsADirectoryError
            raise Unavailable(f"cannot read {self._root / name}: not a regular file")

    def _entries(self, folder: str) -> Entries:
        with _reporting("list", self._root / folder):
            try:
                with self._folder(folder.split("/")[:-1]) as descriptor, os.scandir(descriptor) as entries:
                    return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
            except FileNotFoundError:  # removed since its parent was listed
                return []

    @contextmanager
    def _folder(self, folders: Sequence[str], *, create: bool = False) -> Iterator[int]:
        """The descriptor of a folder below the root; with `create` it is made where it is missing, and durable."""
        with _reporting("open directory", self._root):
            descriptor = os.open(self._root, _FOLDER)
        try:
            for folder in folders:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=descriptor)
                    # Also when it was there: the writer who made it may not have come as far as this line.
                    os.fsync(descriptor)
                child = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = child
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _finding(self, name: str, action: str) -> Iterator[None]:
        with _reporting(action, self._root / name):
            try:
                yield
            except (FileNotFoundError, IsADirectoryError) as error:
                raise NotFound(f"{self.location} has no object {name}") from error


class _ObjectFile(io.FileIO):
    """An object's bytes; an error while reading them names the object."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, "rb")
        self._path = path

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        with _reporting("read", self._path):
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with _reporting("read", self._path):
            return super().readall()


def _parts(name: str) -> tuple[list[str], str]:
    check_name(name)
    *folders, last = name.split("/")
    return folders, last


def _make_directory(root: Path) -> None:
    with _reporting("create directory", root):
        missing = [folder for folder in (root, *root.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            parent = os.open(folder.parent, _FOLDER)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)


@contextmanager
def _reporting(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"cannot {action} {path}: {error.strerror}") from error
