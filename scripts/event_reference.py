"""Writes the reference of all event types: python -m scripts.event_reference > docs/reference/events.md."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from domain.control_plane import KINDS
from domain.resource import SERVICES, Kind

HEAD = """\
# Events

Written by `python -m scripts.event_reference`.

Each event is one change of one resource. `type` and `schema` stand in its [record](record.md) and name the form of its
payload, which is shown here. A member marked "optional" is absent where there is nothing to say, never null. The states
that events make are those of [resources](resources.md); what a sealed value is, says [keys](keys.md#sealed-value).

A form that is written here never changes: another form gets the next schema number, and releases that know it read
both.
"""

WORDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "`true` or `false`"}
ANY = "any JSON"
ANY_TYPE = "JsonValue"


def markdown() -> str:
    """Return the reference page."""
    references, definitions = _definitions()
    parts = [HEAD]
    for service in SERVICES:
        parts.append(f"## {service.capitalize()}\n")
        parts += [_kind(kind, references, definitions) for kind in KINDS.values() if kind.service == service]
    shown = {ANY_TYPE, *map(_name, references.values())}
    parts.append("## Types\n")
    parts += [_type(name, definitions[name]) for name in sorted(definitions) if name not in shown]
    return "\n".join(parts)


def _definitions() -> tuple[dict[str, str], dict[str, Any]]:
    """Return a reference to the payload of each event type, by its name, and all definitions."""
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (event.name, "validation", event.adapter) for kind in KINDS.values() for event in kind.events
    ]
    schemas, whole = TypeAdapter.json_schemas(adapters)
    return {name: schema["$ref"] for (name, _), schema in schemas.items()}, whole["$defs"]


def _kind(kind: Kind[Any], references: Mapping[str, str], definitions: Mapping[str, Any]) -> str:
    lines = [f"### {kind.name}", ""]
    for event in kind.events:
        payload = definitions[_name(references[event.name])]
        if payload.get("properties"):
            lines += [f"`{event.name}`, schema {event.schema}. {_said(payload)}".rstrip(), "", *_members(payload), ""]
        else:
            lines += [f"`{event.name}`, schema {event.schema}, without members.", ""]
    return "\n".join(lines)


def _type(name: str, definition: Mapping[str, Any]) -> str:
    return "\n".join([f"### {_heading(name)}", "", _said(definition), "", *_members(definition), ""])


def _members(definition: Mapping[str, Any]) -> Iterator[str]:
    required = definition.get("required", ())
    yield from ("| member | form |", "|---|---|")
    for name, member in definition["properties"].items():
        yield f"| `{name}` | {_form(member)}{'' if name in required else ', optional'} |"


def _form(member: Mapping[str, Any]) -> str:
    """Return what a member holds, in words."""
    if "$ref" in member:
        name = _name(member["$ref"])
        anchor = _heading(name).lower().replace(" ", "-")
        return ANY if name == ANY_TYPE else f"[{name}](#{anchor})"
    if "anyOf" in member:
        return " or ".join(map(_form, member["anyOf"]))
    if "enum" in member or "const" in member:
        return " or ".join(f"`{value}`" for value in member.get("enum", [member.get("const")]))
    if member.get("type") == "array":
        return f"list of {_form(member.get('items', {}))}"
    if member.get("type") == "object":
        values = member.get("additionalProperties")
        return f"object of {_form(values)}" if isinstance(values, Mapping) else "object"
    return WORDS.get(str(member.get("type")), ANY)


def _heading(name: str) -> str:
    """Return the heading of a type, which is not that of a kind."""
    return f"{name} state" if name.lower() in KINDS else name


def _said(definition: Mapping[str, Any]) -> str:
    """Return a type's docstring on one line."""
    return " ".join(definition.get("description", "").split())


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


if __name__ == "__main__":
    sys.stdout.write(markdown())
