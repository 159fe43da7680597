"""Lines files: JSON Lines, compressed by zstd, encrypted by age; segments and keyrings are such files."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import zstandard

from domain.errors import Corrupt, Unavailable, WrongKey
from infra.backup.age import Identity, Readable, Recipient, decrypt, encrypt, open_with_file_key

COMPRESSION_LEVEL = 3
READ_BYTES = 64 * 1024

Opener = Callable[[Readable], Readable]
"""Takes an age file and returns its payload; raises WrongKey or Corrupt."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A lines file that was written: what a manifest says of it, and the file key that opens it without an identity."""

    size_bytes: int
    sha256: str
    file_key: bytes = field(repr=False)


def with_identities(identities: Sequence[Identity]) -> Opener:
    """Return an opener that tries identities."""
    return lambda source: decrypt(source, identities)


def with_file_key(file_key: bytes) -> Opener:
    """Return an opener for the one file that this key belongs to."""
    return lambda source: open_with_file_key(source, file_key)


def write(path: Path, lines: Iterable[bytes], recipients: Sequence[Recipient], *, allow_mixed: bool) -> Sealed:
    """Write the lines, each with a line feed, to a new local file; memory does not grow with them."""
    try:
        with open(path, "xb") as file:
            sink = _HashingSink(file)
            payload = encrypt(sink, recipients, allow_mixed=allow_mixed)
            # Not `stream_writer`, which on its way out of an error writes once more to what has just failed.
            compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True).compressobj()
            with payload:
                for line in lines:
                    payload.write(compressor.compress(line + b"\n"))
                payload.write(compressor.flush())
            return Sealed(sink.size_bytes, sink.hash.hexdigest(), payload.file_key)
    except OSError as error:
        raise Unavailable(f"cannot write the temporary file {path}: {os.strerror(error.errno or 0)}") from error


def read(data: bytes, opener: Opener, what: str) -> Iterator[bytes]:
    """Yield the lines without their line feeds; raise Corrupt, naming `what`, unless the file is whole.

    The caller compares the SHA-256 of `data` first. What was yielded before an error is authentic, but not all.
    """
    try:
        yield from _lines(opener(io.BytesIO(data)))
    except (Corrupt, WrongKey) as error:
        raise type(error)(f"{what}: {error}") from error


def _lines(payload: Readable) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    rest = b""
    try:
        while chunk := payload.read(READ_BYTES):
            if frame.eof:
                raise Corrupt("bytes follow its compressed lines")
            lines = (rest + frame.decompress(chunk)).split(b"\n")
            rest = lines.pop()
            yield from lines
    except zstandard.ZstdError as error:
        raise Corrupt(f"it does not decompress: {error}") from error
    if not frame.eof or frame.unused_data or rest:
        raise Corrupt("its compressed lines end in the middle")


class _HashingSink:
    """Writes to a file and hashes what it writes."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self._file = file
        self.hash = sha256()
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size_bytes += len(data)
        return self._file.write(data)
