"""Exact reads over anything that has `read`, whose single reads may be short without being at the end."""

from typing import Protocol


class Readable(Protocol):
    """A binary source: up to `size` bytes, none only at the end."""

    def read(self, size: int, /) -> bytes: ...


class Source:
    """Lines first, blocks afterwards; holds no more than the bytes it read past the last line."""

    _AHEAD_BYTES = 4096

    def __init__(self, readable: Readable) -> None:
        self._readable = readable
        self._pending = b""

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; fewer only at the end."""
        block, self._pending = self._pending[:size], self._pending[size:]
        while len(block) < size:
            part = self._readable.read(size - len(block))
            if not part:
                break
            block = block + part if block else part
        return block

    def read_line(self, size_max: int) -> bytes:
        """A line with its line feed; empty if the source ends, or `size_max` bytes pass, before one."""
        while b"\n" not in self._pending and len(self._pending) < size_max:
            part = self._readable.read(self._AHEAD_BYTES)
            if not part:
                break
            self._pending += part
        end = self._pending.find(b"\n", 0, size_max) + 1
        line, self._pending = self._pending[:end], self._pending[end:]
        return line
