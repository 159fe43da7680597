"""The naive world: every resource that exists, as plain JSON under its id in lower case.

This is the second model of the control plane. It is written from the text of the rules and shares nothing with the
first: no events, no links, no indexes. Every question is answered by looking at everything.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

BEGINNING = datetime(2026, 11, 3, 14, tzinfo=UTC)


class Forbidden(Exception):
    """A rule forbids it; the message is the rule."""


def must(holds: object, rule: str) -> None:
    """Forbid what is under way unless the rule holds."""
    if not holds:
        raise Forbidden(rule)


def same(one: object, other: object) -> bool:
    """Say whether two ids or names are equal."""
    return str(one).lower() == str(other).lower()


def given(arguments: Mapping[str, Any], *names: str) -> Json:
    """Return the named arguments that are there."""
    return {name: arguments[name] for name in names if arguments.get(name) is not None}


def provided(scope: str, rest: str) -> str:
    """Return the id of a provider's resource on a scope."""
    return f"{scope.rstrip('/')}/providers/{rest}"


def parent(resource_id: str) -> str:
    """Return the id without its last type and name: the vault of a secret, the group of a membership."""
    return resource_id.rsplit("/", 2)[0]


def scope_of(extension: str) -> str:
    """Return the scope that a role or policy assignment or definition stands on."""
    return extension[: extension.lower().rindex("/providers/")] or "/"


class World:
    """Everything that exists, and what time it is."""

    def __init__(self) -> None:
        self.resources: dict[str, Json] = {}
        self.now = BEGINNING

    def text(self, days: int = 0) -> str:
        """Return the instant so many days from now as text."""
        return (self.now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def seconds(self, days: int = 0) -> int:
        """Return the seconds since 1970, so many days from now."""
        return int((self.now + timedelta(days=days)).timestamp())

    def get(self, kind: str, resource_id: str) -> Json | None:
        """Return the resource if there is one of that kind."""
        found = self.resources.get(resource_id.lower())
        return found if found is not None and found["kind"] == kind else None

    def need(self, kind: str, resource_id: str) -> Json:
        """Return the resource, which must exist."""
        found = self.get(kind, resource_id)
        if found is None:
            raise Forbidden(f"{kind} {resource_id} exists")
        return found

    def all(self, kind: str) -> list[Json]:
        """Return every resource of a kind."""
        return [resource for resource in self.resources.values() if resource["kind"] == kind]

    def where(self, kind: str, **fields: str) -> list[Json]:
        """Return every resource of a kind that has these fields."""
        return [r for r in self.all(kind) if all(name in r and same(r[name], value) for name, value in fields.items())]

    def inside(self, kind: str, resource_id: str) -> list[Json]:
        """Return every resource of a kind whose id stands below that of another."""
        return [r for r in self.all(kind) if r["id"].lower().startswith(resource_id.lower() + "/")]

    def create(self, kind: str, resource_id: str, fields: Json) -> None:
        """Add a resource, whose id nothing may have."""
        must(resource_id.lower() not in self.resources, f"{resource_id} is new")
        self.resources[resource_id.lower()] = {"id": resource_id, "kind": kind, **fields}

    def delete(self, resources: Iterable[Json]) -> None:
        """Remove resources."""
        for resource in list(resources):
            del self.resources[resource["id"].lower()]
