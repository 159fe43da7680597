"""Files that the command line is given: read with a limit, made for their owner alone, and never overwritten."""

import getpass
import os
import sys
from pathlib import Path

from domain.errors import NotFound, Refused, Unavailable, Usage

SECRET_BYTES_MAX = 64 * 1024


def read(path: Path, size_bytes_max: int) -> bytes:
    """Return the content of a file that is no larger."""
    try:
        with path.open("rb") as file:
            data = file.read(size_bytes_max + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > size_bytes_max:
        raise Usage(f"{path} is larger than {size_bytes_max} bytes")
    return data


def read_secret(path: Path | None, what: str) -> str:
    """Return a secret from a file, else from standard input, else asked for at a terminal; one line end is cut off."""
    if path is not None:
        data = read(path, SECRET_BYTES_MAX)
    elif sys.stdin.isatty():
        return _not_empty(getpass.getpass(f"{what}: "), what)
    else:
        data = sys.stdin.buffer.read(SECRET_BYTES_MAX + 1)
        if len(data) > SECRET_BYTES_MAX:
            raise Usage(f"the {what} is larger than {SECRET_BYTES_MAX} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Not chained: the foreign error holds the secret.
        raise Usage(f"the {what} is not UTF-8") from None
    return _not_empty(text.removesuffix("\n").removesuffix("\r"), what)


def create_private(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 that survives a loss of power, or leave nothing; never overwrites."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise Refused(f"{path} exists: it is never overwritten, name another file", rule="file-is-new") from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be made: {error.strerror}") from error
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink()
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error


def _not_empty(text: str, what: str) -> str:
    if not text:
        raise Usage(f"the {what} is empty: give it in a file or on standard input")
    return text
