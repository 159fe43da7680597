"""Policy rules: the `if` and `then` of a policy definition as a small typed tree, and what it says of a request.

Understood are allOf, anyOf, not, the field conditions equals, notEquals, in, notIn, like and exists, the effects deny
and audit, and `[parameters('name')]`. A rule that uses anything else is not evaluated, and its parsing says why.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from domain.wildcard import matches

Json = object
"""A JSON value as Python's json module gives it."""

Request = Mapping[str, Json]
"""What somebody wants to create: `type`, `name`, `location`, `tags` and further fields by name or alias."""

Effect = Literal["deny", "audit"]
EFFECTS: tuple[Effect, ...] = ("deny", "audit")

DEPTH_MAX = 32
"""Levels of nested conditions that are read."""

PARAMETER = re.compile(r"\[\s*parameters\(\s*'([^']+)'\s*\)\s*\]", re.IGNORECASE)
TAG = re.compile(r"tags(?:\.(.+)|\[\s*'?(.+?)'?\s*\])", re.IGNORECASE)
FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]*")


class NotEvaluated(Exception):
    """The rule uses a construct that is not understood, or lacks one that it needs; the message names it."""


@dataclass(frozen=True, slots=True)
class Field:
    """A condition on one field of the request; `operator` is a key of OPERATORS."""

    field: str
    operator: str
    value: Json

    def holds(self, request: Request) -> bool:
        return OPERATORS[self.operator](_field(request, self.field), self.value)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of the conditions holds; true of none."""

    conditions: tuple["Condition", ...]

    def holds(self, request: Request) -> bool:
        return all(condition.holds(request) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions holds; false of none."""

    conditions: tuple["Condition", ...]

    def holds(self, request: Request) -> bool:
        return any(condition.holds(request) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: "Condition"

    def holds(self, request: Request) -> bool:
        return not self.condition.holds(request)


Condition = Field | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """When the condition holds of a request, the effect applies to it."""

    condition: Condition
    effect: Effect


def parse(rule: Mapping[str, Json], parameters: Mapping[str, Json]) -> PolicyRule:
    """Return the rule with the parameters' values in their places, or raise NotEvaluated."""
    body = cast(Mapping[str, Json], _substituted(rule, parameters, 0))
    then = body.get("then")
    effect = then.get("effect") if isinstance(then, dict) else None
    if unknown := set(body) - {"if", "then"}:
        raise NotEvaluated(f"the rule has a part {min(unknown)!r}")
    if not isinstance(then, dict) or not isinstance(effect, str):
        raise NotEvaluated("the rule has no effect")
    for known in EFFECTS:
        if effect.casefold() == known:
            return PolicyRule(_condition(body.get("if")), known)
    raise NotEvaluated(f"effect {effect!r}")


def _substituted(value: Json, parameters: Mapping[str, Json], depth: int) -> Json:
    """Return the value with every `[parameters('x')]` replaced; `[[` at the start of a text stands for `[`."""
    if depth > 2 * DEPTH_MAX:
        raise NotEvaluated(f"conditions nested deeper than {DEPTH_MAX}")
    if isinstance(value, dict):
        return {key: _substituted(part, parameters, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [_substituted(part, parameters, depth + 1) for part in value]
    if not isinstance(value, str) or not value.startswith("[") or not value.endswith("]"):
        return value
    if value.startswith("[["):
        return value[1:]
    parameter = PARAMETER.fullmatch(value)
    if parameter is None:
        raise NotEvaluated(f"expression {value!r}")
    values = {name.casefold(): given for name, given in parameters.items()}
    if parameter[1].casefold() not in values:
        raise NotEvaluated(f"parameter {parameter[1]!r} has no value")
    return values[parameter[1].casefold()]


def _condition(value: Json) -> Condition:
    if not isinstance(value, dict):
        raise NotEvaluated("a condition that is no object")
    parts = {str(key).casefold(): part for key, part in value.items()}
    for key, many in (("allof", AllOf), ("anyof", AnyOf)):
        if key in parts:
            conditions = _only(parts, key)
            if not isinstance(conditions, list):
                raise NotEvaluated(f"{key} without a list of conditions")
            return many(tuple(_condition(part) for part in conditions))
    if "not" in parts:
        return Not(_condition(_only(parts, "not")))
    return _field_condition(parts)


def _only(parts: Mapping[str, Json], key: str) -> Json:
    if len(parts) > 1:
        raise NotEvaluated(f"{min(set(parts) - {key})!r} beside {key!r}")
    return parts[key]


def _field_condition(parts: Mapping[str, Json]) -> Field:
    field = parts.get("field")
    operators = sorted(set(parts) - {"field"})
    if not isinstance(field, str):
        raise NotEvaluated(f"a condition on {operators[0]!r} instead of a field" if operators else "an empty condition")
    if not (FIELD.fullmatch(field) or TAG.fullmatch(field)):
        raise NotEvaluated(f"field {field!r}")
    for operator in operators:
        if operator not in OPERATORS:
            raise NotEvaluated(f"operator {operator!r}")
    if len(operators) != 1:
        raise NotEvaluated(f"field {field!r} with {len(operators)} operators instead of one")
    value = parts[operators[0]]
    has_form = isinstance(value, list) == (operators[0] in LIST_OPERATORS) and not (
        value is None or isinstance(value, dict)
    )
    if not has_form or (operators[0] == "exists" and _text(value) not in ("true", "false")):
        raise NotEvaluated(f"operator {operators[0]!r} with a value of another form")
    return Field(field, operators[0], value)


def _field(request: Request, field: str) -> Json:
    """Return the field's value; None if the request has no such field. Names are compared without case."""
    tag = TAG.fullmatch(field)
    if tag is None:
        return _named(request, field)
    tags = _named(request, "tags")
    return _named(tags, tag[1] or tag[2]) if isinstance(tags, dict) else None


def _named(fields: Mapping[str, Json], name: str) -> Json:
    return next((value for key, value in fields.items() if key.casefold() == name.casefold()), None)


def _text(value: Json) -> str | None:
    """Return a scalar as the text by which it is compared: without case, `true` as a text equals true."""
    if value is None or isinstance(value, (dict, list)):
        return None
    return str(value).casefold()


def _equals(actual: Json, value: Json) -> bool:
    return _text(actual) is not None and _text(actual) == _text(value)


def _in(actual: Json, value: Json) -> bool:
    return any(_equals(actual, part) for part in cast(list[Json], value))


def _like(actual: Json, value: Json) -> bool:
    text = _text(actual)
    return text is not None and matches(str(value), text)


def _exists(actual: Json, value: Json) -> bool:
    return (actual is not None) == (_text(value) == "true")


OPERATORS: Mapping[str, Callable[[Json, Json], bool]] = {
    "equals": _equals,
    "notequals": lambda actual, value: not _equals(actual, value),
    "in": _in,
    "notin": lambda actual, value: not _in(actual, value),
    "like": _like,
    "exists": _exists,
}
LIST_OPERATORS = frozenset({"in", "notin"})
