"""What holds of every event, state and link, whatever happens; the scenarios check it at each step."""

import json
from typing import Any

from domain.control_plane import EVENTS, KINDS
from domain.event import Event
from domain.resource_id import BYTES_MAX, fold
from projections.version import Change

FREE_JSON = frozenset({"policyRule", "metadata", "parameters"})
"""Members that hold JSON as it was given, in which null means something."""


def check_event(event: Event) -> None:
    """An event has its kind's name, the payload that its type promises, and nothing that JSON would change."""
    kind, event_type = EVENTS[event.type]
    assert event.type.startswith(f"{kind.name}."), f"{event.type} is an event of {kind.name}"
    event_type.adapter.validate_python(event.payload)
    check_plain(event.payload)


def check_change(change: Change) -> None:
    """A state is plain JSON under its id, and its links follow from it alone and fit into an index."""
    state = change.after.state
    if state is None:
        assert not change.after.links, f"{change.after.resource} is deleted and has links"
        return
    check_plain(state)
    assert fold(str(state["id"])) == change.after.resource
    links = KINDS[change.after.kind].links
    assert list(links(state)) == list(links(json.loads(json.dumps(state)))), "links follow from the state alone"
    of = KINDS[change.after.kind]
    read = {name: state[name] for name in ("id", *of.linked_by) if name in state}
    assert list(links(read)) == list(links(state)), f"links of a {of.name} follow from its id and {of.linked_by} alone"
    for relation, target in links(state):
        assert len(fold(target).encode()) <= BYTES_MAX, (
            f"{relation} of {change.after.resource} is too long for an index"
        )


def check_plain(value: Any, name: str = "") -> None:
    """JSON gives the value back as it is: no tuples or subclasses, and null only where JSON is kept as it was given."""
    if type(value) is dict:
        for member, content in value.items():
            assert type(member) is str, f"a member of {name} has the name {member!r}"
            if member not in FREE_JSON:
                check_plain(content, member)
    elif type(value) is list:
        for content in value:
            check_plain(content, name)
    else:
        assert type(value) in (str, int, bool), f"{name} is {value!r}, of {type(value).__name__}"
