"""Inner events for tests: of a user, as they are before the lock."""

from typing import Any

from domain.event import Event
from domain.resource_id import originator_id
from infra.canonical_json import decode, encode
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


def with_member(record: bytes, path: tuple[str, ...], value: object) -> bytes:
    """Return a record in which the member at a path has another value."""
    changed, holder = _holder(record, path)
    holder[path[-1]] = value
    return encode(changed)


def without_member(record: bytes, path: tuple[str, ...]) -> bytes:
    """Return a record that lacks the member at a path."""
    changed, holder = _holder(record, path)
    del holder[path[-1]]
    return encode(changed)


def _holder(record: bytes, path: tuple[str, ...]) -> tuple[Any, Any]:
    """Return a decoded record, and the object in it that holds the member at a path."""
    decoded = holder = decode(record, "it")
    for name in path[:-1]:
        holder = holder[name]
    return decoded, holder


def pending(number: int, **fields: Any) -> Pending:
    """Return an event of the resource of that number, which waits for its position."""
    resource, command_id = f"/users/{number}", f"command-{number}"
    sequence = fields.get("sequence", 1)
    event = inner(resource, command_id=command_id, **fields)
    return Pending(originator_id(resource), sequence, "user.created", event, command_id)
