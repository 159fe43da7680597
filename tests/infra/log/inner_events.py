"""Inner events for tests: of a user, as they are before the lock."""

from typing import Any

from domain.event import Event
from domain.resource_id import originator_id
from infra.log.event_log import Pending
from infra.log.record import Actor, Cause, inner_event

ACTOR = Actor("os-user", host="host-1", os_user="operator")
DIGEST = "0" * 64
INSTANT = "2026-11-22T15:04:05.123456Z"


def cause(command_id: str = "command-1", **optional: str) -> Cause:
    """Return the cause of an event."""
    return Cause(command_id, "CreateUser", DIGEST, ACTOR, **optional)


def inner(
    resource: str = "/users/1",
    payload: dict[str, Any] | None = None,
    sequence: int = 1,
    index: int = 1,
    count: int = 1,
    type_name: str = "user.created",
    schema: int = 1,
    command_id: str = "command-1",
) -> bytes:
    """Return the bytes of an inner event."""
    event = Event(type_name, resource, payload or {})
    return inner_event(event, schema, sequence, "event-id", index, count, cause(command_id))


def pending(number: int, **fields: Any) -> Pending:
    """Return an event of the resource of that number, which waits for its position."""
    resource, command_id = f"/users/{number}", f"command-{number}"
    sequence = fields.get("sequence", 1)
    event = inner(resource, command_id=command_id, **fields)
    return Pending(originator_id(resource), sequence, "user.created", event, command_id)
