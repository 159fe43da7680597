"""The altered world: a world as it would be if some of its resources had other states."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from domain.event import State
from domain.resource import Kind, Resource, World
from domain.resource_id import fold


class Alteration(NamedTuple):
    """One resource's state now and the one that it would have; None where it does not exist."""

    kind: Kind[Any]
    id: str
    before: State | None
    after: State | None

    @property
    def key(self) -> str:
        """The folded id."""
        return fold(self.id)


class AlteredWorld:
    """A World over another one and alterations of it."""

    def __init__(self, world: World, alterations: Iterable[Alteration]) -> None:
        self._world = world
        self._altered = {one.key: one for one in alterations}
        self._sources: dict[tuple[str, str], set[str]] = {}
        for source, one in self._altered.items():
            for relation, target in one.kind.links(one.after) if one.after is not None else ():
                self._sources.setdefault((fold(target), relation), set()).add(source)

    def find(self, resource_id: str) -> Resource | None:
        """See domain.resource.World."""
        one = self._altered.get(fold(resource_id))
        if one is None:
            return self._world.find(resource_id)
        return None if one.after is None else Resource(one.id, one.kind.name, 0, one.after)

    def sources(self, target: str, relation: str) -> Sequence[str]:
        """See domain.resource.World."""
        others = (source for source in self._world.sources(target, relation) if source not in self._altered)
        return sorted({*others, *self._sources.get((fold(target), relation), ())})
