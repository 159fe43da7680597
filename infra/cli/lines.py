"""Lines of a file or of standard input, read ahead by a thread, so that what has arrived is worked on together."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from domain.errors import NotFound, Unavailable
from infra.control_plane.request import LINE_BYTES_MAX

CHUNK_BYTES = 256 * 1024
AHEAD_LINES_MAX = 1_000
AHEAD_BYTES_MAX = 16 * 1024 * 1024
STANDARD_INPUT = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. Of one that is longer than `LINE_BYTES_MAX` the data is cut off after one byte more."""

    number: int
    data: bytes


class LinesAhead:
    """What was read and not taken yet; bounded, so that a fast writer waits."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._waiting: deque[Line] = deque()
        self._size_bytes = 0
        self._is_ended = False
        self._error: OSError | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def take(self) -> list[Line]:
        """Return all lines that have arrived, at least one; none at the end."""
        with self._changed:
            while not self._waiting and not self._is_ended:
                self._changed.wait()
            taken = list(self._waiting)
            self._waiting.clear()
            self._size_bytes = 0
            self._changed.notify_all()
        if not taken and self._error is not None:
            raise Unavailable(f"the input cannot be read: {self._error.strerror}") from self._error
        return taken

    def _read(self) -> None:
        try:
            for line in self._lines:
                with self._changed:
                    while len(self._waiting) >= AHEAD_LINES_MAX or self._size_bytes >= AHEAD_BYTES_MAX:
                        self._changed.wait()
                    self._waiting.append(line)
                    self._size_bytes += len(line.data)
                    self._changed.notify_all()
        except OSError as error:
            self._error = error
        finally:
            with self._changed:
                self._is_ended = True
                self._changed.notify_all()


def lines_ahead(path: Path | None) -> LinesAhead:
    """Read the lines of a file, or of standard input if there is none or it is `-`."""
    if path is None or str(path) == "-":
        return LinesAhead(split(lambda: os.read(STANDARD_INPUT, CHUNK_BYTES)))
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115, closed by the thread that reads it
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from error
    return LinesAhead(_lines_of(file))


def _lines_of(file: FileIO) -> Iterator[Line]:
    with file:
        yield from split(lambda: file.read(CHUNK_BYTES))


def split(read: Callable[[], bytes]) -> Iterator[Line]:
    """Yield the lines of what `read` returns piece by piece, nothing at the end; the last one may lack its end."""
    number, pending = 1, bytearray()
    while chunk := read():
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            _extend(pending, piece)
            yield Line(number, bytes(pending))
            number += 1
            pending.clear()
        _extend(pending, rest)
    if pending:
        yield Line(number, bytes(pending))


def _extend(pending: bytearray, piece: bytes) -> None:
    """Add a piece, but never more than shows that the line is too long."""
    pending += piece[: LINE_BYTES_MAX + 1 - len(pending)]
