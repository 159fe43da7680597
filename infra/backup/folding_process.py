"""Folding in a process of its own: Python uses one core a process, and half of a rebuild's work is folding.

The two speak through pipes in frames: eight bytes of length, and a value in Python's marshal format. The worker is
given records and gives back rows; it reads no file, opens no database and knows no key.
"""

import fcntl
import marshal
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import Queue
from struct import Struct
from threading import Thread
from typing import IO, Any, NoReturn, Self

from domain.errors import Unavailable
from infra.backup.folding import Folding, Rows, Sealed
from infra.state.newest import NewestVersions
from projections.version import LinkRow, VersionRow

SEALED_PER_FRAME = 500
FRAMES_WAITING_MAX = 2
PIPE_BYTES = 1024 * 1024
"""The most that Linux grants to everybody."""

_length = Struct(">Q")


class FoldingProcess:
    """See infra.backup.folding.Fold. A context; the process ends with it, whatever happens."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._error: BaseException | None = None
        self._sealed: Queue[list[Sealed] | None] = Queue(FRAMES_WAITING_MAX)
        # It imports from where this process does, and -P keeps the current folder from coming before that.
        command = [sys.executable, "-P", "-m", "infra.backup.folding_process"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        for pipe in (self._process.stdin, self._process.stdout):
            _widen(_pipe(pipe))
        self._reader = Thread(target=self._read, name="folding", daemon=True)

    def add(self, records: Sequence[bytes]) -> None:
        """See Fold; errors of the worker are raised by the call after, or by `finish`."""
        if records:
            self._send(list(records))

    def finish(self) -> Iterator[Sealed]:
        """See Fold."""
        self._send([])
        while (values := self._sealed.get()) is not None:
            yield from values
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        with suppress(OSError):
            _pipe(self._process.stdin).close()
        while self._reader.is_alive():
            self._drain()
            self._reader.join(0.01)
        _pipe(self._process.stdout).close()
        self._process.wait()

    def _send(self, records: list[bytes]) -> None:
        if self._error is None:
            try:
                _send(_pipe(self._process.stdin), records)
                return
            except OSError:
                self._reader.join()  # it knows, or finds out, why nobody listens
        raise self._error or _ended(self._process)

    def _read(self) -> None:
        try:
            while self._take(*_receive(_pipe(self._process.stdout))):
                pass
        except EOFError:
            self._process.kill()  # it has ended, or else it would wait for ever for somebody to take its rows
            self._error = _ended(self._process)
        except BaseException as error:  # noqa: BLE001, raised again in the caller's thread
            self._error = error
            self._process.kill()  # it would wait for ever for somebody to take its rows
        self._sealed.put(None)

    def _take(self, what: str, value: Any) -> bool:
        """Take one frame of the worker; return whether more follow."""
        if what == "versions":
            self._rows.put_versions(value)
        elif what == "links":
            self._rows.put_links(value)
        elif what == "sealed":
            self._sealed.put([Sealed(*each) for each in value])
        elif what == "error":
            self._error = pickle.loads(value)  # noqa: S301, of our own worker
        return what in ("versions", "links", "sealed")

    def _drain(self) -> None:
        while not self._sealed.empty():
            self._sealed.get()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _widen(pipe: IO[bytes]) -> None:
    """Let a page fit into a pipe: by 64 KiB at a time the two would wait for each other at every step."""
    if sys.platform == "linux":
        with suppress(OSError):  # whoever has many pipes is granted less, which is only slower
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _ended(process: subprocess.Popen[bytes]) -> Unavailable:
    return Unavailable(
        f"the process that folds records ended with status {process.wait()}: if nothing was printed, memory may have "
        "been short; run it again"
    )


def _send(pipe: IO[bytes], value: Any) -> None:
    data = marshal.dumps(value)
    pipe.write(_length.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    head = pipe.read(_length.size)
    if len(head) < _length.size:
        raise EOFError
    data = pipe.read(_length.unpack(head)[0])
    return marshal.loads(data)  # noqa: S302, of our own worker


class _Sink:
    """See infra.backup.folding.Rows: sends them to the caller."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink

    def put_versions(self, rows: Sequence[VersionRow]) -> None:
        _send(self._sink, ("versions", rows))

    def put_links(self, rows: Sequence[LinkRow]) -> None:
        _send(self._sink, ("links", rows))


def work(source: IO[bytes], sink: IO[bytes]) -> None:
    """Fold what comes until an empty page ends it, and tell of it; a caller that is gone ends it too."""
    with NewestVersions() as newest:
        folding = Folding(newest, _Sink(sink))
        try:
            while records := _receive(source):
                folding.add(records)
            values: list[tuple[object, ...]] = []
            for sealed in folding.finish():
                values.append(tuple(sealed))
                if len(values) == SEALED_PER_FRAME:
                    _send(sink, ("sealed", values))
                    values = []
            _send(sink, ("sealed", values))
            _send(sink, ("end", None))
        except Exception as error:  # noqa: BLE001, it is raised in the caller's process
            _send(sink, ("error", pickle.dumps(error)))


def main() -> NoReturn:
    """Be the worker. Interruptions are for the caller, whose end closes the pipes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work(sys.stdin.buffer, sys.stdout.buffer)
    except (BrokenPipeError, EOFError):
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    main()
