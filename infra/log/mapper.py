"""The mapper: from stored inner events to the present events of this release, by an explicit registry alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from domain.control_plane import EVENTS
from domain.errors import Corrupt, Refused
from domain.event import Event
from domain.resource_id import fold, originator_id
from infra.canonical_json import decode_canonical, encode
from infra.log.record import checked_event


@dataclass(frozen=True, slots=True)
class Envelope:
    """One stored event and the 0 to n present events that it stands for in this release."""

    originator_id: UUID
    originator_version: int
    inner: Mapping[str, Any] = field(repr=False)
    events: tuple[Event, ...]


def present_events(name: str, schema: int, resource: str, payload: Mapping[str, Any]) -> tuple[Event, ...]:
    """Return what this release makes of a stored event; Refused for a type or schema that it does not know.

    Unknown and newer events are never guessed at: whoever wrote them meant something that this release cannot keep.
    """
    known = EVENTS.get(name)
    if known is None:
        raise Refused(
            f"event type {name} is unknown to this release: use the release that recorded it", rule="known-events"
        )
    if schema != known[1].schema:
        raise Refused(
            f"event {name} has schema {schema}, this release knows {known[1].schema}: use the release that recorded it",
            rule="known-events",
        )
    return (Event(name, resource, payload),)


class RecordMapper(Mapper[UUID]):
    """The library's mapper over inner events; it imports nothing that a stored topic names."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Return the stored form of an envelope, as it was."""
        inner = domain_event.inner
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, inner["type"], encode(inner))

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """Return the envelope of a stored event."""
        inner = decode_canonical(stored_event.state, "a stored event")
        what = f"a stored event of topic {stored_event.topic}"
        checked_event(inner, what)
        given = stored_event.originator_id
        originator = given if isinstance(given, UUID) else UUID(given)
        version = stored_event.originator_version
        own = (UUID(bytes=originator_id(fold(inner["resource"]))), inner["sequence"], inner["type"])
        if own != (originator, version, stored_event.topic):
            raise Corrupt(f"{what} stands in the place of another: {originator} {version}")
        events = present_events(inner["type"], inner["schema"], inner["resource"], inner["payload"])
        return Envelope(originator, version, inner, events)
