"""A store on an SMB 3 share: a Windows file server, a NAS or Samba."""

import errno
import io
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import smbclient
from smbprotocol.exceptions import SMBException, SMBOSError, SMBResponseException

from domain.errors import Conflict, NotFound, Unavailable
from infra.backup.stores.folders import Entries, names
from infra.backup.stores.smb_share import Share
from infra.backup.stores.store import TEMPORARY_PREFIX, TEMPORARY_SECONDS_MAX, Capabilities, check_name, check_prefix

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Result = TypeVar("Result")

COPY_BYTES = 1 << 20
# Others may read and delete what is being read.
_READING = {"mode": "rb", "share_access": "rwd"}
_FOLDER = {
    "mode": "rb",
    "file_type": "dir",
    "share_access": "rwd",
    "desired_access": 0x2 | 0x4,
}  # to add files, folders
# Not supported, not implemented, and the wrong class, device or parameter for the server's file system.
_NO_LINKS = frozenset({0xC00000BB, 0xC0000002, 0xC0000003, 0xC0000010, 0xC000000D})
_MISSING = frozenset({errno.ENOENT, errno.EISDIR, errno.ENOTDIR})


class SmbStore:
    """See `infra.backup.stores.store.Store`.

    An object is written to a temporary file beside its name, flushed, and linked to the name, or renamed to it where
    the server has no links; neither replaces anything, and the link is atomic on Samba too, whose rename looks first
    and renames then. Names that differ in case only are one to most servers; the port has no such names.
    """

    def __init__(self, share: Share, path: str, *, create: bool = False) -> None:
        """`path` is below the share, with slashes. Raise `Unavailable` when it is not there; `create` makes it."""
        self.location = share.location
        self._share = share
        self._path = path
        if create:
            SmbStore(share, "")._make_folders(path)
        try:
            found = share.retrying("cannot open the folder", lambda: share.do(smbclient.stat, self._unc()))
        except OSError as error:
            raise Unavailable(f"cannot open {self.location}: {error.strerror}") from error
        if not stat.S_ISDIR(found.st_mode):
            raise Unavailable(f"cannot open {self.location}: not a directory")

    @property
    def capabilities(self) -> Capabilities:
        volume = self._share.retrying("cannot ask", lambda: self._share.do(smbclient.stat_volume, self._unc()))
        return Capabilities(retention=False, versions=None, free_bytes=volume.caller_available_size)

    def put_new(self, name: str, data: bytes) -> None:
        self._put(name, io.BytesIO(data))

    def put_file_new(self, name: str, path: Path) -> None:
        check_name(name)
        try:
            source = path.open("rb")
        except OSError as error:
            raise Unavailable(f"cannot read {path}: {error.strerror}") from error
        with source:
            self._put(name, source)

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        def attempt() -> bytes:
            with self._share.open(self._unc(name), **_READING) as file:
                file.seek(start)
                rest = max(0, file.fd.end_of_file - start)
                rest = rest if length is None else min(rest, length)
                found, piece = io.BytesIO(), memoryview(bytearray(min(rest, COPY_BYTES)))
                while rest and (count := file.readinto(piece[:rest])):
                    found.write(piece[:count])
                    rest -= count
                return found.getvalue()

        check_name(name)
        return self._finding("read", name, attempt)

    def open(self, name: str) -> BinaryIO:
        check_name(name)
        reader = _ObjectFile(
            lambda attempt: self._finding("read", name, attempt),
            lambda: self._share.open(self._unc(name), **_READING),
        )
        reader.readinto(bytearray())  # an object that is missing is found missing here
        return io.BufferedReader(reader, COPY_BYTES)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        check_prefix(prefix)
        return names(self._entries, prefix, after)

    def head(self, name: str) -> int:
        return int(self._status(name).st_size)

    def written_at(self, name: str) -> datetime:
        return datetime.fromtimestamp(self._status(name).st_mtime, UTC)

    def delete(self, name: str) -> None:
        self._status(name)
        with suppress(NotFound):  # a try that broke may have deleted it
            self._finding("delete", name, lambda: self._share.do(smbclient.remove, self._unc(name)))
        self._flush(_parent(name))

    def sweep(self) -> int:
        return self._sweep("")

    def _sweep(self, folder: str) -> int:
        oldest = time.time() - TEMPORARY_SECONDS_MAX
        removed = 0
        for entry in self._scan(folder):
            name = folder + entry.name
            if entry.is_dir():
                removed += self._sweep(f"{name}/")
            elif entry.name.startswith(TEMPORARY_PREFIX) and entry.smb_info.last_write_time.timestamp() < oldest:
                with suppress(NotFound):
                    self._finding("sweep", name, partial(self._share.do, smbclient.remove, self._unc(name)))
                    removed += 1
        return removed

    def _put(self, name: str, source: BinaryIO) -> None:
        def attempt() -> None:
            try:
                self._write(name, source)
            except FileNotFoundError:
                self._make_folders(_parent(name))
                self._write(name, source)

        check_name(name)
        failed = f"cannot write {name}"
        try:
            self._share.retrying(failed, attempt)
        except FileExistsError as error:
            # It may be there by a try that broke.
            if not self._holds(name, source):
                raise Conflict(f"{self.location} already has an object {name}, which is never overwritten") from error
        except OSError as error:
            raise Unavailable(f"{failed} in {self.location}: {error.strerror}") from error
        # Also when the name was taken: the writer who took it may not have come as far as this line.
        self._flush(_parent(name))

    def _write(self, name: str, source: BinaryIO) -> None:
        temporary = self._unc(f"{_parent(name)}/{TEMPORARY_PREFIX}{secrets.token_hex(16)}")
        try:
            source.seek(0)
            with self._share.open(temporary, mode="xb") as file:
                while chunk := source.read(COPY_BYTES):
                    rest = memoryview(chunk)
                    while rest:
                        rest = rest[file.write(rest) :]
                file.fd.flush()
            self._name(temporary, self._unc(name))
        finally:
            with suppress(SMBException, OSError, ValueError):  # else `sweep` finds it
                self._share.do(smbclient.remove, temporary)

    def _name(self, temporary: str, target: str) -> None:
        try:
            self._share.do(smbclient.link, temporary, target)
        except SMBOSError as error:
            if error.ntstatus not in _NO_LINKS:
                raise
            self._share.do(smbclient.rename, temporary, target)

    def _holds(self, name: str, source: BinaryIO) -> bool:
        """Whether what took a name has the same bytes."""
        source.seek(0)
        try:
            return self.get(name) == source.read()
        except NotFound:  # a folder, or deleted since
            return False

    def _make_folders(self, folder: str) -> None:
        """Make a folder below the share's own and those above it where they are missing, each durable."""
        parts = folder.split("/") if folder else []
        for index in range(len(parts)):
            path = self._unc("/".join(parts[: index + 1]))
            with suppress(FileExistsError):
                self._share.retrying("cannot make a folder", partial(self._share.do, smbclient.mkdir, path))
            self._flush("/".join(parts[:index]))

    def _flush(self, folder: str) -> None:
        """Make the names in a folder durable where the server knows how: Samba does, and NTFS keeps a journal."""

        def attempt() -> None:
            with self._share.open(self._unc(folder), **_FOLDER) as opened, suppress(SMBResponseException):
                opened.fd.flush()

        with suppress(OSError):
            self._share.retrying("cannot flush a folder", attempt)

    def _entries(self, folder: str) -> Entries:
        return [(entry.name, entry.is_dir()) for entry in self._scan(folder)]

    def _scan(self, folder: str) -> Sequence[Any]:
        def attempt() -> Sequence[Any]:
            with self._share.do(smbclient.scandir, self._unc(folder)) as entries:
                return tuple(entries)

        try:
            return self._share.retrying("cannot list", attempt)
        except OSError as error:
            if folder:  # removed since its parent was listed
                return ()
            raise Unavailable(f"cannot list {self.location}: {error.strerror}") from error

    def _status(self, name: str) -> Any:
        check_name(name)
        found = self._finding("read", name, lambda: self._share.do(smbclient.stat, self._unc(name)))
        if stat.S_ISDIR(found.st_mode):
            raise NotFound(f"{self.location} has no object {name}")
        return found

    def _finding(self, action: str, name: str, attempt: Callable[[], Result]) -> Result:
        try:
            return self._share.retrying(f"cannot {action} {name}", attempt)
        except OSError as error:
            if error.errno in _MISSING:
                raise NotFound(f"{self.location} has no object {name}") from error
            raise Unavailable(f"cannot {action} {name} in {self.location}: {error.strerror}") from error

    def _unc(self, name: str = "") -> str:
        parts = [part for part in f"{self._path}/{name}".split("/") if part]
        return "\\".join((self._share.unc, *parts))


class _ObjectFile(io.RawIOBase):
    """An object's bytes; after a break it is opened again where the reader is."""

    def __init__(self, finding: Callable[[Callable[[], int]], int], open_file: Callable[[], Any]) -> None:
        self._finding, self._open_file = finding, open_file
        self._file: Any = None
        self._offset = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        return self._finding(lambda: self._read(target))

    def close(self) -> None:
        if self._file is not None:
            with suppress(SMBException, OSError):
                self._file.close()
        super().close()

    def _read(self, target: memoryview) -> int:
        file, self._file = self._file or self._open_file(), None
        file.seek(self._offset)
        count: int = file.readinto(target)
        self._file = file
        self._offset += count
        return count


def _parent(name: str) -> str:
    return name.rpartition("/")[0]
