"""Versions and links: what one record makes of one resource, as rows of the two temporal tables.

The rows are specified in docs/reference/state.md.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from domain.event import State
from domain.resource import Resource

OPEN = 2**63 - 1
"""The `valid_to` of a row that nothing has ended yet."""

FOLD_GENERATION = 1
"""Rises whenever the same records would give different rows: an upcaster, an `evolve` or a row's form changed."""

LinkKey = tuple[str, str]
"""(relation, folded target) of one source."""


VersionRow = tuple[str, int, str, int, int, bytes]
"""resource, sequence, kind, valid_from, valid_to, content."""

LinkRow = tuple[str, str, str, int, int]
"""source, relation, target, valid_from, valid_to."""

NO_LINKS: Mapping[LinkKey, int] = MappingProxyType({})


class Version(NamedTuple):
    """A resource from `valid_from` on: `content` is the canonical bytes of its state, empty if it is deleted.

    `resource` is the folded id; `links` maps each link of the source to the position that opened it.
    """

    resource: str
    kind: str
    sequence: int
    valid_from: int
    state: State | None
    content: bytes
    links: Mapping[LinkKey, int] = NO_LINKS

    def row(self, valid_to: int) -> VersionRow:
        """Return it as a row that ends at `valid_to`."""
        return (self.resource, self.sequence, self.kind, self.valid_from, valid_to, self.content)

    def shown(self) -> Resource | None:
        """Return the resource as a decision sees it; None if it is deleted."""
        if self.state is None:
            return None
        return Resource(str(self.state["id"]), self.kind, self.sequence, self.state)


class Change(NamedTuple):
    """What one record did: one version ended and one began, some links closed and others opened.

    Each closed link stands with the position that had opened it.
    """

    before: Version | None
    after: Version
    closed: Sequence[tuple[LinkKey, int]]
    opened: Sequence[LinkKey]
