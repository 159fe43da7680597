"""Records: the exact bytes of events in the log, specified in docs/reference/record.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from domain.errors import Corrupt
from domain.event import Event
from domain.instant import is_canonical
from infra.canonical_json import decode_canonical, encode

FORMAT = 1

HEAD = b'{"event":'
POSITION = b',"position":'
RECORDED_AT = b',"recorded_at":"'
TAIL = b'"}'
RECORDED_AT_BYTES = 27
POSITION_MAX = 2**63 - 1


class _Members:
    """The members that an object must have and the exact type of each: `true` is no integer."""

    def __init__(self, **types: type) -> None:
        self._get = itemgetter(*types)
        self._types = tuple(types.values())

    def are_in(self, value: Any) -> bool:
        try:
            return type(value) is dict and tuple(map(type, self._get(value))) == self._types
        except KeyError:
            return False


RECORD = _Members(event=dict, position=int, recorded_at=str)
EVENT = _Members(
    actor=dict, command=dict, format=int, id=str, payload=dict, resource=str, schema=int, sequence=int, type=str
)
ACTOR = _Members(established=str, host=str, os_user=str)
COMMAND = _Members(count=int, id=str, index=int, name=str, sha256=str)

Established = Literal["declared", "os-user", "token", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted, and how that was established."""

    established: Established
    host: str
    os_user: str
    principal: str | None = None


class Cause(NamedTuple):
    """What every event of one command shares: the command, who sent it, and why."""

    command_id: str
    command_name: str
    command_sha256: str
    actor: Actor
    reason: str = ""
    correlation: str | None = None
    causation: str | None = None
    effective_at: str | None = None


class Recorded(NamedTuple):
    """A decoded record. `event` is the inner event's JSON as stored, before any upcasting."""

    position: int
    recorded_at: str
    event: Mapping[str, Any]

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
    return _checked_record(decode_canonical(record, "a record"))


def _checked_record(value: Any) -> Recorded:
    if not RECORD.are_in(value) or len(value) != 3:
        raise Corrupt("a record does not consist of event, position and recorded_at")
    position, recorded_at, event = value["position"], value["recorded_at"], value["event"]
    if not 1 <= position <= POSITION_MAX or not is_canonical(recorded_at):
        raise Corrupt(f"the record at position {position} has no position or no recorded_at")
    if (flaw := _flaw(event)) is not None:
        raise Corrupt(f"the record at position {position} {flaw}")
    return Recorded(position, recorded_at, event)


def checked_event(value: Any, what: str) -> Mapping[str, Any]:
    """Return an inner event; Corrupt, naming `what` holds it, unless every member is there, in its form."""
    if (flaw := _flaw(value)) is not None:
        raise Corrupt(f"{what} {flaw}")
    checked: Mapping[str, Any] = value
    return checked


def _flaw(event: Any) -> str | None:
    """Return what is wrong with an inner event, None if nothing is."""
    if not isinstance(event, dict) or event.get("format") != FORMAT:
        return f"is not of format {FORMAT}"
    if not (EVENT.are_in(event) and ACTOR.are_in(event["actor"]) and COMMAND.are_in(event["command"])):
        return "lacks a member that every event has, or holds one in another form"
    command = event["command"]
    if not 1 <= command["index"] <= command["count"] or event["sequence"] < 1 or event["schema"] < 1:
        return "has an index, a sequence or a schema that cannot be"
    return None
