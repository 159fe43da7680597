"""Reads the temporal tables as of one position, within one transaction of the database."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from domain.event import State
from domain.resource import Resource
from domain.resource_id import fold
from infra.canonical_json import decode
from infra.database.session import Session
from projections.version import OPEN, Version
from projections.view import Difference, Step

AS_OF = "valid_from <= ? AND valid_to > ?"


class Snapshot:
    """A View (see projections.view) over a session's snapshot, as of `position`."""

    def __init__(self, session: Session, position: int) -> None:
        self._session = session
        self.position = position

    def find(self, resource_id: str) -> Resource | None:
        """See domain.resource.World."""
        rows = self._session.execute(
            f"SELECT kind, sequence, state FROM versions WHERE resource = ? AND {AS_OF}",
            (fold(resource_id), self.position, self.position),
        )
        return _resource(*rows[0]) if rows else None

    def sources(self, target: str, relation: str) -> Sequence[str]:
        """See domain.resource.World."""
        rows = self._session.execute(
            f"SELECT source FROM links WHERE target = ? AND relation = ? AND {AS_OF} ORDER BY source",
            (fold(target), relation, self.position, self.position),
        )
        return [source for (source,) in rows]

    def of_kind(self, kind: str) -> Iterator[Resource]:
        """See projections.view.View."""
        return self._resources("kind = ? AND ", (kind,))

    def all(self) -> Iterator[Resource]:
        """See projections.view.View."""
        return self._resources("", ())

    def history(self, resource_id: str) -> list[Step]:
        """See projections.view.View."""
        rows = self._session.execute(
            "SELECT valid_from, sequence, kind, state FROM versions "
            "WHERE resource = ? AND valid_from <= ? ORDER BY valid_from",
            (fold(resource_id), self.position),
        )
        return [Step(since, sequence, kind, _state(state)) for since, sequence, kind, state in rows]

    def changed_since(self, position: int) -> Iterator[Difference]:
        """See projections.view.View. Takes O(rows that opened or closed in between)."""
        before = self._ended(position)
        after = self._begun(position)
        for resource in sorted(before.keys() | after.keys()):
            kind = (after.get(resource) or before[resource])[0]
            old, new = before.get(resource, (kind, b""))[1], after.get(resource, (kind, b""))[1]
            if old != new:
                yield Difference(resource, kind, _state(old), _state(new))

    def counts(self) -> dict[str, int]:
        """Return how many resources of each kind exist."""
        rows = self._session.execute(
            f"SELECT kind, count(*) FROM versions WHERE {AS_OF} AND length(state) > 0 GROUP BY kind ORDER BY kind",
            (self.position, self.position),
        )
        return dict(rows)

    def _resources(self, where: str, parameters: tuple[object, ...]) -> Iterator[Resource]:
        rows = self._session.stream(
            f"SELECT kind, sequence, state FROM versions WHERE {where}{AS_OF} AND length(state) > 0 ORDER BY resource",
            (*parameters, self.position, self.position),
        )
        for row in rows:
            found = _resource(*row)
            if found is not None:
                yield found

    def _ended(self, position: int) -> dict[str, tuple[str, bytes]]:
        """Return what was open at `position` and ended by now."""
        rows = self._session.execute(
            "SELECT resource, kind, state FROM versions WHERE valid_to > ? AND valid_to <= ? AND valid_from <= ?",
            (position, self.position, position),
        )
        return {resource: (kind, bytes(state)) for resource, kind, state in rows}

    def _begun(self, position: int) -> dict[str, tuple[str, bytes]]:
        """Return what began after `position` and is open now."""
        rows = self._session.execute(
            "SELECT resource, kind, state FROM versions WHERE valid_from > ? AND valid_from <= ? AND valid_to > ?",
            (position, self.position, self.position),
        )
        return {resource: (kind, bytes(state)) for resource, kind, state in rows}


class HeadLoader:
    """Loads current rows for `projections.current.Current`; its session is exchanged with each transaction."""

    session: Session

    def version(self, resource: str) -> Version | None:
        """See projections.current.Loader."""
        rows = self.session.execute(
            "SELECT kind, sequence, valid_from, state FROM versions "
            "WHERE resource = ? ORDER BY valid_from DESC LIMIT 1",
            (resource,),
        )
        if not rows:
            return None
        kind, sequence, valid_from, content = rows[0]
        # The plus keeps SQLite from walking all open links by their own index.
        links = self.session.execute(
            "SELECT relation, target, valid_from FROM links WHERE source = ? AND +valid_to = ?", (resource, OPEN)
        )
        return Version(
            resource=resource,
            kind=kind,
            sequence=sequence,
            valid_from=valid_from,
            state=_state(content),
            content=bytes(content),
            links={(relation, target): since for relation, target, since in links},
        )

    def sources(self, target: str, relation: str) -> Iterable[str]:
        """See projections.current.Loader."""
        rows = self.session.execute(
            "SELECT source FROM links WHERE target = ? AND relation = ? AND valid_to = ?", (target, relation, OPEN)
        )
        return [source for (source,) in rows]


def _state(content: bytes) -> State | None:
    return decode(bytes(content), "a stored state") if content else None


def _resource(kind: str, sequence: int, content: Any) -> Resource | None:
    state = _state(content)
    return None if state is None else Resource(str(state["id"]), kind, sequence, state)
