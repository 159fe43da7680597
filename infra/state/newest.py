"""The newest version of every resource while records are folded: recent ones in memory, the others in a file."""

import gc
import marshal
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Self

from domain.errors import Unavailable
from domain.resource_id import originator_id
from infra.canonical_json import decode
from projections.version import Version

RECENT_MAX = 5_000
"""How many versions are held in memory; half of them, those that changed longest ago, leave it together."""

_LENGTH_BITS = 32


class NewestVersions:
    """A mapping from folded id to version whose memory grows by some 150 bytes for each resource, whatever its state.

    While it is open, Python's cyclic collector rests.

    What does not fit into memory lies in a temporary file that has no name, so nothing of it outlives the process. It
    takes as much room as the versions that left memory: at most as much as all versions of the log.
    """

    def __init__(self) -> None:
        self._recent_max = RECENT_MAX
        self._recent: dict[str, Version] = {}
        self._places: dict[bytes, int] = {}
        self._end = 0
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, it is closed in __exit__
        except OSError as error:
            raise Unavailable(f"cannot make a temporary file, TMPDIR names another place: {error.strerror}") from error

    def __enter__(self) -> Self:
        # States and versions have no cycles: looking for some among so many objects would take a third of the time.
        self._collects = gc.isenabled()
        gc.disable()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
        if self._collects:
            gc.enable()

    def __len__(self) -> int:
        return len(self._recent) + len(self._places)

    def __iter__(self) -> Iterator[Version]:
        """Yield every version, in no order; put none meanwhile."""
        yield from self._recent.values()
        for place in self._places.values():
            yield self._load(place)

    def take(self, resource: str) -> Version | None:
        """Return the version of a folded id and forget it: `put` follows with the next one."""
        recent = self._recent.pop(resource, None)
        if recent is not None or not self._places:
            return recent
        place = self._places.pop(originator_id(resource), None)
        return None if place is None else self._load(place)

    def put(self, version: Version) -> None:
        """Keep the version of a resource that has none here."""
        self._recent[version.resource] = version
        if len(self._recent) > self._recent_max:
            self._spill()

    def _spill(self) -> None:
        """Write the older half of the recent versions to the file."""
        pieces = []
        for resource in list(self._recent)[: (self._recent_max + 1) // 2]:
            version = self._recent.pop(resource)
            links = tuple((*key, since) for key, since in version.links.items())
            piece = marshal.dumps((resource, *version[1:4], version.content, links))
            self._places[originator_id(resource)] = self._end << _LENGTH_BITS | len(piece)
            self._end += len(piece)
            pieces.append(piece)
        waiting = memoryview(b"".join(pieces))
        try:
            while waiting:
                waiting = waiting[self._file.write(waiting) :]
        except OSError as error:
            raise Unavailable(f"cannot write a temporary file, TMPDIR names another place: {error.strerror}") from error

    def _load(self, place: int) -> Version:
        piece = os.pread(self._file.fileno(), place & (1 << _LENGTH_BITS) - 1, place >> _LENGTH_BITS)
        resource, kind, sequence, valid_from, content, links = marshal.loads(piece)  # noqa: S302, written by this process
        state = decode(content, "a version in the temporary file") if content else None
        found = {(relation, target): since for relation, target, since in links}
        return Version(resource, kind, sequence, valid_from, state, content, found)
