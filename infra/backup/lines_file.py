"""Lines files: JSON Lines, compressed by zstd, encrypted by age; segments and keyrings are such files."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path

import zstandard

from domain.errors import Corrupt, Unavailable, WrongKey
from infra.backup.age import Identity, Readable, Recipient, decrypt, encrypt, open_with_file_key

COMPRESSION_LEVEL = 1
"""Ids, digests and ciphertexts do not get smaller at higher levels, which only take longer."""

LINES_PER_BLOCK = 1_000
READ_BYTES = 256 * 1024
CHECKED_BYTES = 1024 * 1024
"""Larger than what is read: few and long steps, in which another thread can work."""

Opener = Callable[[Readable], Readable]
"""Takes an age file and returns its payload; raises WrongKey or Corrupt."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A lines file that was written: its own size and SHA-256, and those of what is in it.

    The file key opens it without an identity.
    """

    size_bytes: int
    sha256: str
    lines: int
    content_sha256: bytes
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
            settings = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True, threads=1)
            compressor = settings.compressobj()
            remaining, count, content = iter(lines), 0, sha256()
            with payload:
                while block := list(islice(remaining, LINES_PER_BLOCK)):
                    count += len(block)
                    block.append(b"")
                    text = b"\n".join(block)
                    content.update(text)
                    payload.write(compressor.compress(text))
                payload.write(compressor.flush())
            return Sealed(sink.size_bytes, sink.hash.hexdigest(), count, content.digest(), payload.file_key)
    except OSError as error:
        raise Unavailable(f"cannot write the temporary file {path}: {os.strerror(error.errno or 0)}") from error


def check(data: bytes, sealed: Sealed, what: str) -> None:
    """Raise Corrupt, naming `what`, unless a file that was read back holds exactly the lines that were written.

    The caller compares the SHA-256 of `data` first.
    """
    count, content = 0, sha256()
    for block in _blocks(data, with_file_key(sealed.file_key), what, CHECKED_BYTES):
        count += block.count(b"\n")
        content.update(block)
    if (count, content.digest()) != (sealed.lines, sealed.content_sha256):
        raise Corrupt(f"{what} reads back with other lines than were written: run it again, and check this machine")


def read(data: bytes, opener: Opener, what: str) -> Iterator[bytes]:
    """Yield the lines; see `pages`."""
    for page in pages(data, opener, what):
        yield from page


def pages(data: bytes, opener: Opener, what: str) -> Iterator[list[bytes]]:
    """Yield the lines without their line feeds, page by page; raise Corrupt, naming `what`, unless the file is whole.

    The caller compares the SHA-256 of `data` first. What was yielded before an error is authentic, but not all.
    """
    rest = b""
    for block in _blocks(data, opener, what, READ_BYTES):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        if lines:
            yield lines


def _blocks(data: bytes, opener: Opener, what: str, size_bytes: int) -> Iterator[bytes]:
    """Yield the content in blocks, each from so many compressed bytes; raise Corrupt unless the file is whole."""
    try:
        yield from _decompressed(opener(io.BytesIO(data)), size_bytes)
    except (Corrupt, WrongKey) as error:
        raise type(error)(f"{what}: {error}") from error


def _decompressed(payload: Readable, size_bytes: int) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    last = b"\n"
    try:
        while chunk := payload.read(size_bytes):
            if frame.eof:
                raise Corrupt("bytes follow its compressed lines")
            if block := frame.decompress(chunk):
                last = block[-1:]
                yield block
    except zstandard.ZstdError as error:
        raise Corrupt(f"it does not decompress: {error}") from error
    if not frame.eof or frame.unused_data or last != b"\n":
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
