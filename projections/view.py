"""The view: everything that can be asked of the state at one position, on whatever holds it."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from domain.event import State
from domain.resource import Resource, World


class Step(NamedTuple):
    """One version of a resource in its history: from `position` on it had `state`, None while deleted."""

    position: int
    sequence: int
    kind: str
    state: State | None


class Difference(NamedTuple):
    """A resource that is not the same at two positions; `before` or `after` is None where it did not exist."""

    resource: str
    kind: str
    before: State | None
    after: State | None


class View(World, Protocol):
    """A World at `position` that can also be listed."""

    @property
    def position(self) -> int:
        """The position that is answered for."""

    def of_kind(self, kind: str) -> Iterator[Resource]:
        """Yield the resources of a kind in the order of their folded ids."""

    def all(self) -> Iterator[Resource]:
        """Yield every resource in the order of the positions at which they became as they are."""

    def history(self, resource_id: str) -> list[Step]:
        """Return every version of a resource up to the position, oldest first."""

    def changed_since(self, position: int) -> Iterator[Difference]:
        """Yield what differs between an earlier position and this one, by folded id; equal states are left out."""
