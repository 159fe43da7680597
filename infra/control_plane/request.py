"""Requests: one JSON line that names a command, its arguments, and who wants it and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from domain.command import Command
from domain.control_plane import COMMANDS
from domain.errors import Corrupt, Usage
from domain.instant import Instant
from domain.sealed_value import key_ids
from infra.canonical_json import decode, encode

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1
"""What canonical JSON can hold (docs/reference/record.md); the decoder would round other integers."""

LINE_BYTES_MAX = 4 * 1024 * 1024
DEPTH_MAX = 64
"""How deep arguments may be nested; the canonical encoder goes to 254."""

SYSTEM_COMMANDS = frozenset(
    {"CreateDeployment", "RecordFork", "RecordRecovery", "RecordRootKeyRestoration", "RecordUpdate", "RestoreResources"}
)
"""Recorded by `init`, `fork`, `recover`, `key restore-root` and `update` alone, which do what these only state."""

Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


LINE = ConfigDict(
    frozen=True,
    extra="forbid",
    strict=True,
    alias_generator=to_camel,
    populate_by_name=True,
    hide_input_in_errors=True,
)
"""Of a line of JSON that a person or a program wrote: nothing in it is unknown, and none of it stands in an error."""


class Envelope(BaseModel):
    """A line of `resurgam record`, specified in docs/reference/commands.md."""

    model_config = LINE

    command: Label
    command_id: Label | None = None
    reason: Annotated[str, Field(max_length=4096)] = ""
    correlation_id: Label | None = None
    causation_id: Label | None = None
    effective_at: Instant | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request. `command_id` is the client's idempotency key, None if it gave none."""

    command: Command
    command_id: str | None = None
    reason: str = ""
    correlation: str | None = None
    causation: str | None = None
    effective_at: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the command without its secrets, in hex (docs/reference/record.md)."""
        arguments = _without_secrets(self.command)
        return sha256(encode({"arguments": arguments, "command": type(self.command).__name__})).hexdigest()


def parse(line: bytes) -> Request:
    """Return the request of one line, or raise Usage that names what is wrong and never quotes a value."""
    if len(line) > LINE_BYTES_MAX:
        raise Usage(f"a line of {len(line)} bytes: {LINE_BYTES_MAX} at most")
    try:
        value = decode(line, "the line")
    except Corrupt as error:
        raise Usage(str(error)) from None
    if not isinstance(value, dict):
        raise Usage('the line is not a JSON object: write {"command": NAME, "arguments": {…}}')
    envelope = _validated(Envelope, value, "the request")
    _check_values(envelope.arguments)
    json.loads(line, object_pairs_hook=_check_names, parse_int=_check_integer)
    if next(key_ids(envelope.arguments), None) is not None:
        raise Usage("the arguments hold something in the form of a sealed value: only Resurgam makes those")
    model = COMMANDS.get(envelope.command)
    if envelope.command in SYSTEM_COMMANDS:
        raise Usage(
            f"{envelope.command} is recorded by Resurgam itself, "
            "with `init`, `fork`, `recover`, `key restore-root` and `update`"
        )
    if model is None:
        raise Usage(f"unknown command {envelope.command!r}: `resurgam record --schema` lists the commands")
    return Request(
        command=_validated(model, envelope.arguments, envelope.command),
        command_id=envelope.command_id,
        reason=envelope.reason,
        correlation=envelope.correlation_id,
        causation=envelope.causation_id,
        effective_at=envelope.effective_at,
    )


def _check_values(value: object, depth: int = 0) -> None:
    """Refuse what one of the stores could not hold."""
    if depth > DEPTH_MAX:
        raise Usage(f"the arguments are nested more than {DEPTH_MAX} deep")
    if isinstance(value, str) and "\0" in value:
        raise Usage("the arguments hold the character U+0000, which no text may hold")
    if isinstance(value, Mapping):
        for name, member in value.items():
            _check_values(name, depth + 1)
            _check_values(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check_values(member, depth + 1)


def _check_names(pairs: list[tuple[str, object]]) -> None:
    """Refuse a member that is given twice: one of the two would be lost."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise Usage(f"the line gives the member {twice!r} twice")


def _check_integer(text: str) -> None:
    if len(text) > len(str(INTEGER_MIN)) or not INTEGER_MIN <= int(text) <= INTEGER_MAX:
        raise Usage("the line holds an integer of more than 64 bits: write it as a string")


def _validated(model: type[Any], value: Mapping[str, Any], what: str) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # The input is left out: it may be a secret that was put into the wrong field.
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg']}"
            for e in error.errors(include_input=False, include_url=False)[:5]
        )
        raise Usage(f"{what} is malformed: {problems}") from None


_PLAIN = frozenset({str, int, bool, float, type(None)})


def _without_secrets(value: object) -> Any:
    """Return plain JSON of a command, each secret as null."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, SecretStr):
        return None
    if isinstance(value, BaseModel):
        given = value.__dict__
        return {
            member: _without_secrets(given[name])
            for name, member, default in _members(type(value))
            if default is _REQUIRED or given[name] != default
        }
    if isinstance(value, Mapping):
        return {str(key): _without_secrets(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(member) for member in value]
    return value


_REQUIRED = object()


@cache
def _members(model: type[BaseModel]) -> list[tuple[str, str, object]]:
    """Return the name, the name in JSON and the default of each field."""
    return [
        (name, field.alias or name, _REQUIRED if field.is_required() else field.default)
        for name, field in model.model_fields.items()
    ]
