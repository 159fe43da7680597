"""Removal: the stored names by which it knows the kinds are those of the kinds."""

from domain.control_plane import EVENTS
from domain.event import Nothing
from domain.removal import REMOVED


def test_every_removal_is_an_event_of_its_kind_without_a_payload_that_leaves_nothing() -> None:
    for kind_name, event_name in REMOVED.items():
        kind, event = EVENTS[event_name]
        assert kind.name == kind_name
        assert event.payload is Nothing
        assert event.evolve({"id": "/x"}, "/x", {}) is None
