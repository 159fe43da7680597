"""Records: the exact bytes of events in the log, specified in docs/reference/record.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from domain.errors import Corrupt, Usage
from domain.event import Event
from domain.instant import canonical
from infra.canonical_json import decode_canonical, encode

FORMAT = 1

HEAD = b'{"event":'
POSITION = b',"position":'
RECORDED_AT = b',"recorded_at":"'
TAIL = b'"}'
RECORDED_AT_BYTES = 27
POSITION_MAX = 2**63 - 1

EVENT_MEMBERS: Mapping[str, type] = {
    "actor": dict,
    "command": dict,
    "format": int,
    "id": str,
    "payload": dict,
    "resource": str,
    "schema": int,
    "sequence": int,
    "type": str,
}
ACTOR_MEMBERS: Mapping[str, type] = {"established": str, "host": str, "os_user": str}
COMMAND_MEMBERS: Mapping[str, type] = {"count": int, "id": str, "index": int, "name": str, "sha256": str}

Established = Literal["declared", "os-user", "token", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted, and how that was established."""

    established: Established
    host: str
    os_user: str
    principal: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """What every event of one command shares: the command, who sent it, and why."""

    command_id: str
    command_name: str
    command_sha256: str
    actor: Actor
    reason: str = ""
    correlation: str | None = None
    causation: str | None = None
    effective_at: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decoded record. `event` is the inner event's JSON as stored, before any upcasting."""

    position: int
    recorded_at: str
    event: Mapping[str, Any] = field(repr=False)

    @property
    def resource(self) -> str:
        """The id of the resource, as it was written."""
        return str(self.event["resource"])

    @property
    def command_start(self) -> int:
        """The position before the command's first event: where the command had not happened yet."""
        return self.position - int(self.event["command"]["index"])

    @property
    def command_end(self) -> int:
        """The position of the command's last event."""
        return self.command_start + int(self.event["command"]["count"])


def inner_event(event: Event, schema: int, sequence: int, event_id: str, index: int, count: int, cause: Cause) -> bytes:
    """Return the canonical bytes of an inner event."""
    actor = {"established": cause.actor.established, "host": cause.actor.host, "os_user": cause.actor.os_user}
    if cause.actor.principal is not None:
        actor["principal"] = cause.actor.principal
    value: dict[str, Any] = {
        "actor": actor,
        "command": {
            "count": count,
            "id": cause.command_id,
            "index": index,
            "name": cause.command_name,
            "sha256": cause.command_sha256,
        },
        "format": FORMAT,
        "id": event_id,
        "payload": event.payload,
        "resource": event.resource,
        "schema": schema,
        "sequence": sequence,
        "type": event.type,
    }
    optional = {"reason": cause.reason, "correlation": cause.correlation, "causation": cause.causation}
    value.update({name: text for name, text in optional.items() if text})
    if cause.effective_at is not None:
        value["effective_at"] = cause.effective_at
    return encode(value)


def frame(inner: bytes, position: int, recorded_at: str) -> bytes:
    """Return the record that holds an inner event at a position."""
    return b"".join((HEAD, inner, POSITION, b"%d" % position, RECORDED_AT, recorded_at.encode(), TAIL))


def unframe(record: bytes) -> tuple[bytes, int, str]:
    """Return (inner event, position, recorded-at) without looking into the inner event; Corrupt if it is no record."""
    middle = len(record) - len(TAIL) - RECORDED_AT_BYTES - len(RECORDED_AT)
    at = record.rfind(POSITION, 0, max(middle, 0))
    if at < 0 or not record.startswith(HEAD) or record[middle : middle + len(RECORDED_AT)] != RECORDED_AT:
        raise Corrupt("a record is not framed as records are")
    position = record[at + len(POSITION) : middle]
    if not position.isdigit() or len(position) > len(str(POSITION_MAX)):
        raise Corrupt("a record has no position")
    recorded_at = record[middle + len(RECORDED_AT) : -len(TAIL)]
    return record[len(HEAD) : at], int(position), recorded_at.decode("ascii", "replace")


def decode_record(record: bytes) -> Recorded:
    """Return the record's content; Corrupt unless its bytes are canonical and every member is there, in its form."""
    value = decode_canonical(record, "a record")
    if not _has(value, {"event": dict, "position": int, "recorded_at": str}) or len(value) != 3:
        raise Corrupt("a record does not consist of event, position and recorded_at")
    position, recorded_at = value["position"], value["recorded_at"]
    what = f"the record at position {position}"
    if not 1 <= position <= POSITION_MAX or not _is_canonical_instant(recorded_at):
        raise Corrupt(f"{what} has no position or no recorded_at")
    return Recorded(position, recorded_at, checked_event(value["event"], what))


def checked_event(value: Any, what: str) -> Mapping[str, Any]:
    """Return an inner event; Corrupt, naming `what` holds it, unless every member is there, in its form."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise Corrupt(f"{what} is not of format {FORMAT}")
    parts = ((value, EVENT_MEMBERS), (value.get("actor"), ACTOR_MEMBERS), (value.get("command"), COMMAND_MEMBERS))
    if not all(_has(part, members) for part, members in parts):
        raise Corrupt(f"{what} lacks a member that every event has, or holds one in another form")
    command = value["command"]
    if not 1 <= command["index"] <= command["count"] or min(value["sequence"], value["schema"]) < 1:
        raise Corrupt(f"{what} has an index, a sequence or a schema that cannot be")
    return value


def _has(value: Any, members: Mapping[str, type]) -> bool:
    """Whether each member is there and of exactly that type: `true` is no integer."""
    return isinstance(value, dict) and all(type(value.get(name)) is form for name, form in members.items())


def _is_canonical_instant(text: str) -> bool:
    try:
        return canonical(text) == text
    except Usage:
        return False
