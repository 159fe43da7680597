"""The timeline: the plain form of every answer of a view, found by looking at all changes instead of by SQL."""

from collections.abc import Iterator, Sequence

from domain.resource import Resource
from domain.resource_id import fold
from projections.version import Change, Version
from projections.view import Difference, Step


class Timeline:
    """A View (see projections.view) as of `position` over all changes of a log, oldest first. It takes O(changes)."""

    def __init__(self, changes: Sequence[Change], position: int) -> None:
        self._changes = changes
        self.position = position

    def find(self, resource_id: str) -> Resource | None:
        """See domain.resource.World."""
        version = self._newest(self.position).get(fold(resource_id))
        return None if version is None else version.shown()

    def sources(self, target: str, relation: str) -> Sequence[str]:
        """See domain.resource.World."""
        newest = self._newest(self.position).values()
        return sorted(version.resource for version in newest if (relation, fold(target)) in version.links)

    def of_kind(self, kind: str) -> Iterator[Resource]:
        """See projections.view.View."""
        return (resource for resource in sorted(self.all(), key=lambda r: fold(r.id)) if resource.kind == kind)

    def all(self) -> Iterator[Resource]:
        """See projections.view.View."""
        for version in sorted(self._newest(self.position).values(), key=lambda v: v.valid_from):
            resource = version.shown()
            if resource is not None:
                yield resource

    def history(self, resource_id: str) -> list[Step]:
        """See projections.view.View."""
        return [
            Step(version.valid_from, version.sequence, version.kind, version.state)
            for version in self._versions(self.position)
            if version.resource == fold(resource_id)
        ]

    def changed_since(self, position: int) -> Iterator[Difference]:
        """See projections.view.View."""
        before = self._newest(position)
        for resource, after in sorted(self._newest(self.position).items()):
            was = before[resource].state if resource in before else None
            if after.state != was:
                yield Difference(resource, after.kind, was, after.state)

    def _versions(self, position: int) -> Iterator[Version]:
        """Yield every version that began up to a position."""
        return (change.after for change in self._changes if change.after.valid_from <= position)

    def _newest(self, position: int) -> dict[str, Version]:
        """Return the newest version of every resource at a position, deleted ones included, by folded id."""
        return {version.resource: version for version in self._versions(position)}
