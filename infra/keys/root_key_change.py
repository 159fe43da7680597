"""The change of a root key's file: the new key lies beside it until everything is wrapped by it; then the old one goes.

Whatever ends in between, one of the files FILE and FILE.new opens the store (docs/reference/keys.md).
"""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes, token_hex

from domain.errors import Refused, Unavailable
from infra.keys.root_key import FileRootKey


class RootKeyChange:
    """The files that a change goes through; FILE is followed if it is a symbolic link."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.new = self.path.with_name(self.path.name + ".new")
        self.old = self.path.with_name(self.path.name + ".old")

    def pending(self) -> FileRootKey | None:
        """Return the key of a change that was begun and not finished."""
        return FileRootKey.load(self.new) if self.new.exists() else None

    def prepare(self) -> FileRootKey:
        """Return a key that lies in FILE.new and survives a loss of power; the one of an interrupted change, if any.

        Such a file is never removed here: another process may be about to commit what that key wraps.
        """
        if not self.new.exists():
            whole = self.path.with_name(f"{self.path.name}.{token_hex(8)}.tmp")
            FileRootKey.create(whole)
            with _translated(self.new):
                with suppress(FileExistsError):
                    os.link(whole, self.new)
                whole.unlink()
                _sync_folder(self.path)
        with _translated(self.new):
            self._keep_owner()
        return FileRootKey.load(self.new)

    def _keep_owner(self) -> None:
        """Give the new file to whom the old one belongs: what runs under that account has to read it."""
        if self.path.exists():
            before, now = self.path.stat(), self.new.stat()
            if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
                os.chown(self.new, before.st_uid, before.st_gid)

    def finish(self) -> bool:
        """Put FILE.new in the place of FILE, and destroy the old key; the store is wrapped by the new one.

        Returns whether an old key was overwritten. Can be repeated after an interruption anywhere.
        """
        with _translated(self.path):
            is_overwritten = self._destroy_old()
            if self.new.exists():
                if self.path.exists():
                    os.link(self.path, self.old)
                os.replace(self.new, self.path)
                _sync_folder(self.path)
                is_overwritten = self._destroy_old() or is_overwritten
            return is_overwritten

    def _destroy_old(self) -> bool:
        """Destroy the key in FILE.old; after an interruption before FILE changed, that is only a second name of it."""
        if not self.old.exists():
            return False
        if self.path.exists() and self.old.samefile(self.path):
            self.old.unlink()
            return False
        destroy(self.old)
        return True


def destroy(path: Path) -> None:
    """Overwrite a key's file and remove it; what a file system or a disk keeps elsewhere is beyond us."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "wb", closefd=True) as file:
        file.write(token_bytes(max(os.fstat(descriptor).st_size, 1)))
        file.flush()
        os.fsync(descriptor)
    path.unlink()
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class _translated:
    """Says of an error of the file system what it means to an operator."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, PermissionError):
            raise Refused(
                f"root key file {self._path} cannot be changed: {error.strerror}; run it as who may write its folder"
            ) from error
        if isinstance(error, OSError):
            raise Unavailable(f"root key file {self._path} cannot be changed: {error.strerror}") from error
