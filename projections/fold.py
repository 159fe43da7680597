"""The fold: the version and the links that the events of one record make of those before."""

from collections.abc import Callable, Sequence

from domain.control_plane import EVENTS
from domain.errors import Corrupt
from domain.event import Event, State
from domain.resource_id import fold
from projections.version import NO_LINKS, Change, Version

Encode = Callable[[State], bytes]
"""Canonical JSON of a state; injected, because the same bytes are recorded, stored and compared."""


def change(before: Version | None, position: int, events: Sequence[Event], encode: Encode) -> Change:
    """Fold the present events of one record, all of one resource, onto the version before it.

    A record changes exactly one version row, however many present events it upcasts to; one that upcasts to none
    repeats the state before, so that sequences stay gapless.
    """
    if not events:
        return _repeated(before, position)
    resource = fold(events[0].resource)
    state = None if before is None else before.state
    for name, resource_id, payload in events:
        if resource_id is not events[0].resource and fold(resource_id) != resource:
            raise Corrupt(f"the record at position {position} changes two resources, {resource} and {resource_id}")
        kind, event_type = EVENTS[name]
        state = event_type.evolve(state, resource_id, payload)
    sequence = 1 if before is None else before.sequence + 1
    old = NO_LINKS if before is None else before.links
    if state is None:
        after = Version(resource, kind.name, sequence, position, None, b"")
        return Change(before, after, list(old.items()), ())
    content = encode(state)
    if before is not None and before.state is not None and _stay(kind.linked_by, before.state, state):
        return Change(before, Version(resource, kind.name, sequence, position, state, content, old), (), ())
    links = {(relation, fold(target)): position for relation, target in kind.links(state)}
    opened = [key for key in links if key not in old]
    closed = [(key, since) for key, since in old.items() if key not in links]
    links.update((key, since) for key, since in old.items() if key in links)
    return Change(before, Version(resource, kind.name, sequence, position, state, content, links), closed, opened)


def _stay(members: Sequence[str], before: State, after: State) -> bool:
    for name in members:  # noqa: SIM110, a generator would take twice as long
        if before.get(name) != after.get(name):
            return False
    return True


def _repeated(before: Version | None, position: int) -> Change:
    if before is None:
        raise Corrupt("the first record of a resource upcasts to no event at all")
    return Change(before, before._replace(sequence=before.sequence + 1, valid_from=position), (), ())
