"""The root key, which wraps the data keys of sealed values: the port, and keys held in a file or in the environment."""

import base64
import os
import re
import stat
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import BinaryIO, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import Corrupt, NotFound, Refused, Unavailable, Usage, WrongKey
from infra.keys import associated_data

KEY_BYTES = 32
NONCE_BYTES = 12
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + 16

_PREFIX = "RESURGAM-ROOT-KEY-1-"
_CHECKSUM_BYTES = 3
_TEXT_LENGTH = (KEY_BYTES + _CHECKSUM_BYTES) * 8 // 5
_FOREIGN_CHARACTER = re.compile("[^A-Z2-7]")
_FILE_BYTES_MAX = 4096
_COMMENT = """\
# Root key of a Resurgam deployment. Who holds it and the store can read every
# sealed value. Keep a copy of it, apart from the store and from the backups.
"""


class RootKey(Protocol):
    """A key that wraps data keys; it may live in another process or device."""

    @property
    def id(self) -> str:
        """16 hexadecimal digits that tell root keys apart and reveal nothing of them."""

    def wrap(self, key_id: str, data_key: bytes) -> bytes:
        """Return the 32-byte data key encrypted and bound to its id and to this root key; each call differs."""

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """Return the data key that was wrapped under this id.

        Raises Corrupt if it has the wrong length, and WrongKey if it does not open: it was wrapped by another root key
        or under another id, or was altered, and nothing tells which.
        """


class HeldRootKey:
    """A root key whose bytes are in this process; see `RootKey`."""

    __slots__ = ("_cipher", "id")

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_BYTES
        self._cipher = AESGCM(key)
        self.id = _key_id(key)

    def wrap(self, key_id: str, data_key: bytes) -> bytes:
        """See `RootKey.wrap`."""
        assert len(data_key) == KEY_BYTES
        nonce = token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data_key, self._binding(key_id))

    def unwrap(self, key_id: str, wrapped: bytes) -> bytes:
        """See `RootKey.unwrap`."""
        if len(wrapped) != WRAPPED_BYTES:
            raise Corrupt(f"wrapped data key {key_id} has {len(wrapped)} bytes, not {WRAPPED_BYTES}")
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], self._binding(key_id))
        except InvalidTag as error:
            raise WrongKey(
                f"root key {self.id} does not open data key {key_id}: another root key wrapped it, or it was altered"
            ) from error

    def _binding(self, key_id: str) -> bytes:
        return associated_data.encode("resurgam-root-key-wrap-1", key_id, self.id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id})"


class EnvironmentRootKey(HeldRootKey):
    """A root key given as the text of its line, such as a service manager puts into the environment."""

    __slots__ = ()

    def __init__(self, line: str) -> None:
        super().__init__(_decode(line.strip(), "root key in the environment"))


class FileRootKey(HeldRootKey):
    """A root key in a file that only its owner can read."""

    __slots__ = ()

    @classmethod
    def create(cls, path: Path) -> Self:
        """Write a fresh root key to a new file of mode 0600; when this returns, it survives a loss of power.

        Refuses to overwrite. An interruption leaves nothing, or the whole file; where the file system knows no files
        without a name, at most a file that `load` refuses.
        """
        key = token_bytes(KEY_BYTES)
        text = f"{_COMMENT}# id: {_key_id(key)}\n{_encode(key)}\n"
        try:
            _write_new(path, text.encode("ascii"))
        except FileExistsError as error:
            raise Refused(f"root key file {path} exists: it is never overwritten, name another") from error
        except FileNotFoundError as error:
            raise NotFound(f"folder {path.parent} of the root key file does not exist: create it first") from error
        except OSError as error:
            raise Unavailable(f"root key file {path} cannot be written: {error.strerror}") from error
        return cls(key)

    @classmethod
    def take(cls, path: Path) -> Self:
        """Return the root key of a file, made now if there is none; an interruption's empty file never held one."""
        if path.is_file() and path.stat().st_size == 0:
            path.unlink()
        if not path.exists():
            return cls.create(path)
        try:
            return cls.load(path)
        except Usage as error:
            raise Usage(f"{error}; or, if an interrupted recovery left this file, remove it and run again") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the root key.

        Raises NotFound if there is no such file, Refused if others than its owner have access to it, Usage if it does
        not hold exactly one intact root key, and Unavailable if it cannot be read.
        """
        try:
            text = _read_private(path)
        except FileNotFoundError as error:
            raise NotFound(f"root key file {path} does not exist: restore it from its copy") from error
        except OSError as error:
            raise Unavailable(f"root key file {path} cannot be read: {error.strerror}") from error
        lines = [line.strip() for line in text.splitlines()]
        keys = [line for line in lines if line and not line.startswith("#")]
        if len(keys) != 1:
            raise Usage(f"root key file {path} holds {len(keys)} key lines, not 1: restore it from its copy")
        return cls(_decode(keys[0], f"root key in {path}"))


def _key_id(key: bytes) -> str:
    return sha256(b"resurgam-root-key-id-1\n" + key).hexdigest()[:16]


def _checksum(key: bytes) -> bytes:
    return sha256(b"resurgam-root-key-checksum-1\n" + key).digest()[:_CHECKSUM_BYTES]


def _encode(key: bytes) -> str:
    return _PREFIX + base64.b32encode(key + _checksum(key)).decode("ascii")


def _decode(line: str, subject: str) -> bytes:
    """Return the key of a line; raise Usage that names the mistake in `subject` and never quotes it."""
    if not line.startswith(_PREFIX):
        raise Usage(f"{subject} does not begin with {_PREFIX}")
    text = line.removeprefix(_PREFIX)
    if foreign := _FOREIGN_CHARACTER.search(text):
        raise Usage(
            f"{subject} has a typing error: character {foreign.start() + 1} after {_PREFIX} is none of A-Z and 2-7"
        )
    if len(text) != _TEXT_LENGTH:
        raise Usage(f"{subject} has {len(text)} characters after {_PREFIX}, not {_TEXT_LENGTH}")
    data = base64.b32decode(text)
    key, checksum = data[:KEY_BYTES], data[KEY_BYTES:]
    if checksum != _checksum(key):
        raise Usage(f"{subject} has a typing error: its checksum does not match")
    return key


def _write_new(path: Path, data: bytes) -> None:
    """Create the file with mode 0600 and make it and its name durable, or leave nothing."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            _write_whole(path, folder, data)
        except FileExistsError:
            raise
        except (AttributeError, OSError):  # no such files here, or another reason, which is met once more
            _write_named(path, data)
        try:
            os.fsync(folder)
        except OSError:
            path.unlink()
            raise
    finally:
        os.close(folder)


def _write_whole(path: Path, folder: int, data: bytes) -> None:
    """Write a file that has no name, and name it when all of it is durable: a crash leaves none or all of it."""
    descriptor = os.open(path.parent, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        _fill(file, data)
        # Only with a folder's descriptor the link is made to the file, and not to what names it here.
        os.link(f"/proc/self/fd/{descriptor}", path.name, dst_dir_fd=folder)


def _write_named(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            _fill(file, data)
    except OSError:
        path.unlink()
        raise


def _fill(file: BinaryIO, data: bytes) -> None:
    os.fchmod(file.fileno(), 0o600)
    file.write(data)
    file.flush()
    os.fsync(file.fileno())


def _read_private(path: Path) -> str:
    """Return the text of a file that only its owner can access, checked on the open file."""
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Refused(f"root key file {path} is open to others than its owner: chmod 600 {path}")
        data = file.read(_FILE_BYTES_MAX + 1)
    if len(data) > _FILE_BYTES_MAX or not data.isascii():
        raise Usage(f"root key file {path} is no root key file")
    return data.decode("ascii")
