"""The payload of an age file: STREAM over ChaCha20-Poly1305 in chunks of 64 KiB, one chunk in memory at a time."""

import secrets
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from domain.errors import Corrupt
from infra.backup.age import hkdf
from infra.backup.age.source import Source

CHUNK_BYTES = 64 * 1024
_SEALED_CHUNK_BYTES = CHUNK_BYTES + 16
_NONCE_BYTES = 16


class Writable(Protocol):
    """A binary sink that takes all it is given, or raises: a raw unbuffered file is none."""

    def write(self, data: bytes, /) -> object: ...


class PayloadWriter:
    """Seals what is written to it; the file is complete, and can be opened, only once `close` returned.

    The sink stays open. Left as a context manager by an exception it does not close, so that a half-written file
    never passes for a whole one; whoever wraps it must not close it either when the writing failed.
    """

    def __init__(self, sink: Writable, file_key: bytes) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sink.write(nonce)
        self.file_key = file_key
        self.closed = False
        self._intact = True
        self._sink = sink
        self._aead = _aead(file_key, nonce)
        self._counter = 0
        self._pending = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take all of `data`; a chunk is passed on once it is known not to be the last one."""
        self._require_intact()
        if self.closed:
            raise ValueError("write to a closed age file")
        view = memoryview(data).cast("B")
        start = 0
        if self._pending:
            start = CHUNK_BYTES - len(self._pending)
            self._pending += view[:start]
            if len(view) > start:
                self._seal(self._pending)
                self._pending.clear()
        # Whole chunks go from the caller's buffer straight into the cipher.
        while len(view) - start > CHUNK_BYTES:
            self._seal(view[start : start + CHUNK_BYTES])
            start += CHUNK_BYTES
        if len(view) > start:
            self._pending += view[start:]
        return len(view)

    def close(self) -> None:
        """Seal the last chunk. Closing again does nothing."""
        self._require_intact()
        if not self.closed:
            self._seal(self._pending, last=True)
            self.closed = True

    def _seal(self, chunk: bytearray | memoryview, *, last: bool = False) -> None:
        self._intact = False
        self._sink.write(self._aead.encrypt(_nonce(self._counter, last=last), chunk, None))
        self._counter += 1
        self._intact = True

    def _require_intact(self) -> None:
        """Never go on after the sink failed: it would end a file that lacks a chunk, or use a nonce twice."""
        if not self._intact:
            raise ValueError("age file is incomplete, because its sink failed: write it anew")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.closed = True


class PayloadReader:
    """Opens a payload, as a file (`read`) or chunk by chunk (iteration).

    What it gives is authentic and in its place, but a prefix until the end is reached: the file may still prove cut
    short or damaged, with Corrupt, and then again at every later read.
    """

    def __init__(self, source: Source, file_key: bytes) -> None:
        nonce = source.read(_NONCE_BYTES)
        if len(nonce) < _NONCE_BYTES:
            raise Corrupt("age file is cut short: it ends before its payload")
        self._source = source
        self._aead = _aead(file_key, nonce)
        self._counter = 0
        self._at_end = False
        self._damage = ""
        self._chunk = b""
        self._offset = 0

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes, or all if negative; fewer only at the end."""
        if size < 0:
            return b"".join(self)
        parts = []
        missing = size
        while missing and (part := self._take(missing)):
            missing -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._take(CHUNK_BYTES):
            yield chunk

    def _take(self, size_max: int) -> bytes:
        """Up to `size_max` bytes of one chunk; none only at the end. A whole chunk is passed on without a copy."""
        if self._offset == len(self._chunk):
            self._chunk, self._offset = self._next_chunk(), 0
        part = self._chunk[self._offset : self._offset + size_max]
        self._offset += len(part)
        return part

    def _next_chunk(self) -> bytes:
        """The next chunk of plaintext; empty at the end, which is reached only past an authentic last chunk."""
        if self._damage:
            raise Corrupt(self._damage)
        if self._at_end:
            return b""
        sealed = self._source.read(_SEALED_CHUNK_BYTES)
        try:
            chunk = self._open(sealed)
        except InvalidTag as error:
            what = "damaged or cut short in" if len(sealed) < _SEALED_CHUNK_BYTES else "damaged in"
            raise self._damaged(f"age payload is {what} chunk {self._counter + 1}") from error
        if self._at_end and self._source.read(1):
            raise self._damaged("age payload is damaged: data follows its last chunk")
        if self._at_end and not chunk and self._counter:
            raise self._damaged("age payload is damaged: its last chunk is empty")
        self._counter += 1
        return chunk

    def _open(self, sealed: bytes) -> bytes:
        """Open a chunk as an inner one or, if it is short or will not open so, as the last one."""
        if len(sealed) == _SEALED_CHUNK_BYTES:
            try:
                return self._aead.decrypt(_nonce(self._counter, last=False), sealed, None)
            except InvalidTag:
                pass  # a full chunk may be the last one too
        chunk = self._aead.decrypt(_nonce(self._counter, last=True), sealed, None)
        self._at_end = True
        return chunk

    def _damaged(self, damage: str) -> Corrupt:
        self._damage = damage
        return Corrupt(damage)


def _aead(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(hkdf.derive(file_key, salt=nonce, info=b"payload"))


def _nonce(counter: int, *, last: bool) -> bytes:
    return (counter << 8 | last).to_bytes(12, "big")
