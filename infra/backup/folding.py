"""Folding: the state side of a rebuild, from records in their order to finished rows of versions and links."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from domain.errors import Corrupt
from domain.resource_id import fold
from domain.sealed_value import SEALED_MARK, SealedValue, sealed_values
from infra.canonical_json import encode
from infra.log.mapper import present_events
from infra.log.record import Recorded, decode_proven, flawed
from infra.state import tables
from infra.state.newest import NewestVersions
from projections.digest import Digest, DigestSum
from projections.version import OPEN, LinkRow, Version, VersionRow, change

PAGE_ROWS = 3_000

Put = Callable[[str, Sequence[str], Sequence[Sequence[object]]], None]
"""(table, columns, rows): takes finished rows, which are not changed afterwards."""


class Sealed(NamedTuple):
    """A sealed value of the newest state, and the id of the resource that holds it, as it was written."""

    resource: str
    value: SealedValue


class Fold(Protocol):
    """What folds records: here, or in a process of its own."""

    def add(self, records: Sequence[bytes]) -> None:
        """Fold records that follow those before."""

    def finish(self) -> Iterator[Sealed]:
        """End all rows that are still open; yield the sealed values of the newest state. Afterwards `digest` stands."""

    @property
    def digest(self) -> Digest:
        """The state digest of everything folded, once `finish` is exhausted."""


class Folding:
    """Folds in this process; see Fold."""

    def __init__(self, newest: NewestVersions, put: Put) -> None:
        self._newest = newest
        self._put = put
        self._digest = DigestSum()
        self._versions: list[VersionRow] = []
        self._links: list[LinkRow] = []

    @property
    def digest(self) -> Digest:
        """See Fold."""
        return self._digest.digest()

    def add(self, records: Sequence[bytes]) -> None:
        """See Fold; Refused for an event that this release does not know, Corrupt for one out of turn."""
        for record in records:
            try:
                self._fold(decode_proven(record))
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                raise flawed(record) from error
        if len(self._versions) >= PAGE_ROWS:
            self._put_rows()

    def finish(self) -> Iterator[Sealed]:
        """See Fold."""
        for version in self._newest:
            self._versions.append(self._digest.finished_version(version, OPEN))
            for key, since in version.links.items():
                self._links.append(self._digest.finished_link(version.resource, key, since, OPEN))
            if len(self._versions) >= PAGE_ROWS:
                self._put_rows()
            if SEALED_MARK in version.content:
                yield from _sealed(version)
        self._put_rows()

    def _fold(self, recorded: Recorded) -> None:
        position, _, inner = recorded
        before = self._newest.take(fold(inner["resource"]))
        _, after, closed, _ = change(before, position, present_events(inner), encode)
        if after.sequence != inner["sequence"]:
            number = inner["sequence"]
            raise Corrupt(f"position {position} is number {number} of {after.resource}, not {after.sequence}")
        if before is not None:
            self._versions.append(self._digest.finished_version(before, position))
        for key, since in closed:
            self._links.append(self._digest.finished_link(after.resource, key, since, position))
        self._newest.put(after)

    def _put_rows(self) -> None:
        self._put("versions", tables.VERSION_COLUMNS, self._versions)
        self._put("links", tables.LINK_COLUMNS, self._links)
        self._versions, self._links = [], []


def _sealed(version: Version) -> Iterator[Sealed]:
    state = version.state or {}
    for value in sealed_values(state):
        yield Sealed(str(state["id"]), value)
