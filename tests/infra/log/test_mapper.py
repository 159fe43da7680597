"""The mapper gives present events and back again, and refuses by name what this release cannot mean."""

import sys
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from domain.control_plane import EVENTS
from domain.errors import Corrupt, Refused
from domain.event import Event
from domain.resource_id import originator_id
from infra.log.mapper import RecordMapper, present_events
from tests.infra.log.inner_events import inner

MAPPER = RecordMapper()
PAYLOAD = {"displayName": "User 1"}


def stored(
    topic: str = "user.created", version: int = 1, originator: UUID | None = None, **fields: object
) -> StoredEvent:
    """Return a stored event as the recorder would."""
    state = inner("/Users/1", **{"payload": PAYLOAD, "sequence": version, "type_name": topic, **fields})  # type: ignore[arg-type]  # see `inner`
    return StoredEvent(originator or UUID(bytes=originator_id("/users/1")), version, topic, state)


def test_a_stored_event_is_read_and_written_as_it_was() -> None:
    event = stored()
    envelope = MAPPER.to_domain_event(event)
    assert envelope.events == (Event("user.created", "/Users/1", PAYLOAD),)
    assert (envelope.originator_id, envelope.originator_version) == (event.originator_id, 1)
    assert MAPPER.to_stored_event(envelope) == event


def test_an_originator_id_may_come_as_text() -> None:
    event = stored()
    named = StoredEvent(str(event.originator_id), 1, event.topic, event.state)
    assert MAPPER.to_domain_event(named) == MAPPER.to_domain_event(event)


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_type_of_this_release_is_known_in_its_schema_alone(name: str) -> None:
    schema = EVENTS[name][1].schema
    assert present_events(name, schema, "/users/1", {}) == (Event(name, "/users/1", {}),)
    with pytest.raises(Refused, match=f"{name} has schema {schema + 1}, this release knows {schema}"):
        present_events(name, schema + 1, "/users/1", {})


@pytest.mark.parametrize("topic", ["user.married", "infra.log.head:create", "antigravity:fly", ""])
def test_an_unknown_type_is_refused_by_name_and_never_imported(topic: str) -> None:
    with pytest.raises(Refused, match=f"event type {topic} is unknown") as caught:
        MAPPER.to_domain_event(stored(topic))
    assert caught.value.rule == "known-events"
    assert "antigravity" not in sys.modules


def test_a_newer_schema_is_refused_by_name() -> None:
    with pytest.raises(Refused, match=r"user\.created has schema 2"):
        MAPPER.to_domain_event(stored(schema=2))


@pytest.mark.parametrize(
    "damaged",
    [
        StoredEvent(UUID(bytes=originator_id("/users/2")), 1, "user.created", stored().state),
        StoredEvent(UUID(bytes=originator_id("/users/1")), 2, "user.created", stored().state),
        StoredEvent(UUID(bytes=originator_id("/users/1")), 1, "user.changed", stored().state),
        StoredEvent(uuid4(), 1, "user.created", b"{}"),
        StoredEvent(uuid4(), 1, "user.created", b"[]"),
        StoredEvent(uuid4(), 1, "user.created", b"\xff"),
        StoredEvent(uuid4(), 1, "user.created", b" " + stored().state),
        StoredEvent(uuid4(), 1, "user.created", stored().state.replace(b'"format":1', b'"format":2')),
    ],
    ids=["other resource", "other sequence", "other type", "no members", "no object", "no JSON", "spaces", "format 2"],
)
def test_an_event_in_the_place_of_another_or_in_another_form_is_corrupt(damaged: StoredEvent) -> None:
    with pytest.raises(Corrupt):
        MAPPER.to_domain_event(damaged)
