"""Versions and links: what one record makes of one resource, as rows of the two temporal tables.

The rows are specified in docs/reference/state.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from domain.control_plane import EVENTS
from domain.errors import Corrupt
from domain.event import Event, State
from domain.resource import Resource
from domain.resource_id import fold

OPEN = 2**63 - 1
"""The `valid_to` of a row that nothing has ended yet."""

FOLD_GENERATION = 1
"""Rises whenever the same records would give different rows: an upcaster, an `evolve` or a row's form changed."""

Encode = Callable[[State], bytes]
"""Canonical JSON of a state; injected, because the same bytes are recorded, stored and compared."""

LinkKey = tuple[str, str]
"""(relation, folded target) of one source."""


@dataclass(frozen=True, slots=True)
class Version:
    """A resource from `valid_from` on: `content` is the canonical bytes of its state, empty if it is deleted.

    `resource` is the folded id; `links` maps each link of the source to the position that opened it.
    """

    resource: str
    kind: str
    sequence: int
    valid_from: int
    state: State | None
    content: bytes
    links: Mapping[LinkKey, int] = field(default_factory=dict)

    def shown(self) -> Resource | None:
        """Return the resource as a decision sees it; None if it is deleted."""
        if self.state is None:
            return None
        return Resource(str(self.state["id"]), self.kind, self.sequence, self.state)


@dataclass(frozen=True, slots=True)
class Change:
    """What one record did: one version ended and one began, some links closed and others opened.

    Each closed link stands with the position that had opened it.
    """

    before: Version | None
    after: Version
    closed: Sequence[tuple[LinkKey, int]]
    opened: Sequence[LinkKey]


def change(before: Version | None, position: int, events: Sequence[Event], encode: Encode) -> Change:
    """Fold the present events of one record, all of one resource, onto the version before it.

    A record changes exactly one version row, however many present events it upcasts to; one that upcasts to none
    repeats the state before, so that sequences stay gapless.
    """
    resource = fold(events[0].resource) if events else _dropped(before).resource
    state = before.state if before is not None else None
    kind = EVENTS[events[0].type][0] if events else EVENTS_BY_KIND[_dropped(before).kind]
    for event in events:
        if fold(event.resource) != resource:
            raise Corrupt(f"the record at position {position} changes two resources, {resource} and {event.resource}")
        state = EVENTS[event.type][1].evolve(state, event.resource, event.payload)
    targets = {} if state is None else {(relation, fold(target)): position for relation, target in kind.links(state)}
    old = before.links if before is not None else {}
    links = {key: old.get(key, position) for key in targets}
    after = Version(
        resource=resource,
        kind=kind.name,
        sequence=1 if before is None else before.sequence + 1,
        valid_from=position,
        state=state,
        content=b"" if state is None else encode(state),
        links=links,
    )
    closed = [(key, since) for key, since in old.items() if key not in links]
    opened = [key for key in links if key not in old]
    return Change(before, after, closed, opened)


def _dropped(before: Version | None) -> Version:
    if before is None:
        raise Corrupt("the first record of a resource upcasts to no event at all")
    return before


EVENTS_BY_KIND = {kind.name: kind for kind, _ in EVENTS.values()}
