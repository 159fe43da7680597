"""The reference of all commands, as JSON Schema and as the page docs/reference/commands.md."""

from collections.abc import Iterator, Mapping
from inspect import getdoc
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from domain.command import ASSIGN_ROLES, Guid, Lines, Text
from domain.control_plane import COMMANDS
from infra.control_plane.request import SYSTEM_COMMANDS, Envelope

HEAD = """\
# Commands

Written by `resurgam record --schema --markdown`; the JSON Schema of the same is `resurgam record --schema`.

A request is one line of JSON (JSON Lines, UTF-8, at most 4 MiB a line). `command` names it, `arguments` holds what its
table says. Ids are ARM resource ids. No argument may hold the character U+0000 or be nested more than 64 deep.
No name may stand twice in an object, and no integer may have more than 64 bits.

```
{"command": "DisableUser", "arguments": {"objectId": "…"}, "commandId": "ticket-17", "reason": "left the company"}
```
"""

OUTCOMES = """\
## Outcomes

One line each, in the order of the requests, as they commit. `line` is its number in the input; blank lines have none.

| status | meaning |
|---|---|
| `recorded` | `first` and `last` are the positions of its events, `resources` the ids that they changed |
| `unchanged` | everything was so already, so nothing was recorded |
| `repeated` | a command of that id was recorded before; the positions are those of its events |
| `refused` | a rule forbids it; `error` says which one (`rule`), for which resource, and what to do |
| `error` | the line is malformed, its id belongs to another command, or the store failed; see `error` |
"""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a request."""
    models, definitions = _definitions()
    envelope = definitions.pop("Envelope")
    shared = {name: member for name, member in envelope["properties"].items() if name not in ("command", "arguments")}
    requests = []
    for name, reference in models.items():
        needs_arguments = bool(definitions[name].get("required"))
        requests.append(
            {
                "title": name,
                "type": "object",
                "additionalProperties": False,
                "properties": {"command": {"const": name}, "arguments": reference, **shared},
                "required": ["command", "arguments"] if needs_arguments else ["command"],
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A request to resurgam record",
        "oneOf": requests,
        "$defs": definitions,
    }


def markdown() -> str:
    """Return the reference page."""
    models, definitions = _definitions()
    request = _section("## Request", "", definitions.pop("Envelope"))
    parts = [HEAD, request, OUTCOMES, "## Commands\n"]
    for name in models:
        command = COMMANDS[name]
        intro = f"{getdoc(command)}\n\nAction `{command.action}`{ALSO if command.gives_roles else ''}.\n"
        parts.append(_section(f"### {name}", intro, definitions[name]))
    parts.append("## Types\n")
    parts += [
        _section(f"### {name}", definition.get("description", "") + "\n", definition)
        for name, definition in definitions.items()
        if name not in models and name != ANY_TYPE
    ]
    return "\n".join(parts)


def _definitions() -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return a reference to each command's arguments, by its name, and all definitions."""
    commands = {name: model for name, model in sorted(COMMANDS.items()) if name not in SYSTEM_COMMANDS}
    models: tuple[type[BaseModel], ...] = (*commands.values(), Envelope)
    references, whole = models_json_schema([(model, "validation") for model in models], ref_template="#/$defs/{model}")
    return {name: references[model, "validation"] for name, model in commands.items()}, whole["$defs"]


def _section(title: str, intro: str, definition: Mapping[str, Any]) -> str:
    rows = list(_rows(definition))
    table = ["| member | form | default |", "|---|---|---|", *rows] if rows else ["No members."]
    return "\n".join([title, "", *([intro] if intro.strip() else []), *table, ""])


def _rows(definition: Mapping[str, Any]) -> Iterator[str]:
    required = set(definition.get("required", ()))
    for name, member in definition.get("properties", {}).items():
        default = (
            "required" if name in required else _literal(member["default"]) if member.get("default") is not None else ""
        )
        yield f"| `{name}` | {_form(member)} | {default} |"


def _form(member: Mapping[str, Any]) -> str:
    """Return what values a member takes, in words."""
    if "$ref" in member:
        name = member["$ref"].rsplit("/", 1)[-1]
        return ANY if name == ANY_TYPE else f"[{name}](#{name.lower()})"
    if "anyOf" in member:
        return " or ".join(_form(one) for one in member["anyOf"] if one.get("type") != "null")
    if "enum" in member:
        return " or ".join(map(_literal, member["enum"]))
    if "const" in member:
        return _literal(member["const"])
    kind = member.get("type")
    if kind == "array":
        return f"list of {_form(member.get('items', {}))}{_bounds(member)}"
    if kind == "object":
        values = member.get("additionalProperties")
        return (
            f"object of {_form(values)}{_bounds(member)}" if isinstance(values, Mapping) else f"object{_bounds(member)}"
        )
    if member.get("format") == "password":
        return f"secret text{_bounds(member)}"
    if member.get("pattern") == GUID_PATTERN:
        return "GUID"
    if member.get("pattern") in TEXTS:
        limits = {name: limit for name, limit in member.items() if name != "pattern"}
        return f"{TEXTS[member['pattern']]}{_bounds(limits)}"
    return f"{WORDS.get(str(kind), ANY)}{_bounds(member)}"


ALSO = f", and `{ASSIGN_ROLES}`, because it lets somebody act as a principal"
ANY = "any JSON"
ANY_TYPE = "JsonValue"
GUID_PATTERN = TypeAdapter(Guid).json_schema()["pattern"]
TEXTS = {
    TypeAdapter(Text).json_schema()["pattern"]: "line of text",
    TypeAdapter(Lines).json_schema()["pattern"]: "lines of text",
}
"""What a text without control characters is called, by its pattern; in several lines, tabs and line breaks are none."""
WORDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "`true` or `false`"}

LIMITS = (
    ("minLength", "maxLength"),
    ("minimum", "maximum"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
)


def _bounds(member: Mapping[str, Any]) -> str:
    """Return the limits and the pattern."""
    said = []
    for low, high in LIMITS:
        if low in member or high in member:
            said.append(f"{member.get(low, 0)} to {member[high]}" if high in member else f"{member[low]} or more")
    if "pattern" in member:
        said.append(_literal(member["pattern"]))
    return f" ({', '.join(said)})" if said else ""


def _literal(value: object) -> str:
    """Return a value as code in a cell of a table."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text.replace('|', chr(92) + '|')}`" if text else '`""`'
