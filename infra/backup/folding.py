"""Folding: the state side of a rebuild, from records in their order to finished rows of versions and links."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from domain.errors import Corrupt
from domain.resource_id import fold
from domain.sealed_value import SEALED_MARK, SealedValue, sealed_values
from infra.canonical_json import encode
from infra.log.mapper import present_events
from infra.log.proven import ProvenRecord, decode_proven, flawed
from infra.state.newest import NewestVersions
from projections.fold import change
from projections.version import OPEN, LinkRow, Version, VersionRow

PAGE_ROWS = 3_000


class Rows(Protocol):
    """What takes finished rows, which are not changed afterwards."""

    def put_versions(self, rows: Sequence[VersionRow]) -> None:
        """Take rows of versions."""

    def put_links(self, rows: Sequence[LinkRow]) -> None:
        """Take rows of links."""


class Sealed(NamedTuple):
    """A sealed value of the newest state, and the id of the resource that holds it, as it was written."""

    resource: str
    value: SealedValue


class Fold(Protocol):
    """What folds records: here, or in a process of its own."""

    def add(self, records: Sequence[bytes]) -> None:
        """Fold records that follow those before."""

    def finish(self) -> Iterator[Sealed]:
        """Put all rows that are still open, too, and yield the sealed values of the newest state."""


class Folding:
    """Folds in this process; see Fold."""

    def __init__(self, newest: NewestVersions, rows: Rows) -> None:
        self._newest = newest
        self._rows = rows
        self._versions: list[VersionRow] = []
        self._links: list[LinkRow] = []

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
            self._versions.append(version.row(OPEN))
            self._links.extend([(version.resource, *key, since, OPEN) for key, since in version.links.items()])
            if len(self._versions) >= PAGE_ROWS:
                self._put_rows()
            if SEALED_MARK in version.content:
                yield from _sealed(version)
        self._put_rows()

    def _fold(self, record: ProvenRecord) -> None:
        position, event = record.position, record.event
        before = self._newest.take(fold(event.resource))
        events = present_events(event.type, event.schema, event.resource, event.payload)
        _, after, closed, _ = change(before, position, events, encode)
        if after.sequence != event.sequence:
            raise Corrupt(f"position {position} is number {event.sequence} of {after.resource}, not {after.sequence}")
        if before is not None:
            self._versions.append(before.row(position))
        for key, since in closed:
            self._links.append((after.resource, *key, since, position))
        self._newest.put(after)

    def _put_rows(self) -> None:
        self._rows.put_versions(self._versions)
        self._rows.put_links(self._links)
        self._versions, self._links = [], []


def _sealed(version: Version) -> Iterator[Sealed]:
    state = version.state or {}
    for value in sealed_values(state):
        yield Sealed(str(state["id"]), value)
