"""Drafts: the requests of an estate in the order in which they are written, and what they have made so far."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypeVar
from uuid import UUID, uuid5

REGION = "east"
EXTERNAL_DOMAIN = "region.example"
NAMESPACE = UUID("2f0d6c1b-7a35-5c7e-9d0b-9b2a6e1f4c30")
GRAPH = "/providers/Microsoft.Graph"

Part = Literal["base", "more", "lost"]
Outcomes = Mapping[str, Sequence[str]]
"""Command id -> ids of the resources that the command changed, as `resurgam record` answered."""

T = TypeVar("T")


@dataclass
class Vault:
    """A vault, and the names of the secrets in it that are not deleted."""

    id: str
    is_purgeable: bool
    secrets: list[str] = field(default_factory=list)


@dataclass
class Subscription:
    """A user's subscription with its resource groups and vaults."""

    guid: str
    resource_groups: list[str] = field(default_factory=list)
    vaults: list[Vault] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"/subscriptions/{self.guid}"

    def resource_group_id(self, name: str) -> str:
        return f"{self.id}/resourceGroups/{name}"


class Draft:
    """An estate that is being written, of about as many events as asked for. The same seed always writes the same.

    Private keys and the encryption of PFX files are random all the same; no command id or digest depends on them.
    """

    def __init__(self, seed: int, events: int, outcomes: Outcomes | None = None) -> None:
        self.seed = seed
        self.random = Random(seed)  # noqa: S311, an estate has to be repeatable
        self.requests: dict[Part, list[dict[str, object]]] = {"base": [], "more": [], "lost": []}
        self.part: Part = "base"
        self.outcomes = outcomes or {}
        self._scale = events / 10_000
        self.tenants: list[str] = []
        self.engineers: list[str] = []
        self.service_principals: list[str] = []
        self.departments: list[str] = []
        self.teams: list[str] = []
        self.subscriptions: list[Subscription] = []
        self.management_groups: list[str] = []
        self.roles: list[str] = []
        self.assignments: dict[tuple[str, str, str], str] = {}
        """(principal, role, scope) -> id of the role assignment."""
        self.remembered: dict[str, str] = {}
        """The command ids of requests that a later part asks about."""

    def add(self, command: str, why: str, /, **arguments: object) -> str:
        """Write a request and return its command id; the arguments are spelled as in JSON."""
        requests = self.requests[self.part]
        command_id = f"estate-{self.seed}-{self.part}-{len(requests) + 1:05}"
        requests.append({"command": command, "commandId": command_id, "reason": why, "arguments": arguments})
        return command_id

    def changed(self, remembered: str) -> Sequence[str]:
        """Return the ids of what a remembered request changed, none if no outcomes were given."""
        return self.outcomes.get(self.remembered[remembered], ())

    def lines(self, part: Part) -> str:
        """Return the requests of a part as JSON Lines."""
        return "".join(json.dumps(request, separators=(",", ":")) + "\n" for request in self.requests[part])

    def count(self, of_10_000_events: int, least: int = 1) -> int:
        """Return how many of something there are in an estate of this size."""
        return max(least, round(of_10_000_events * self._scale))

    def guid(self, name: str) -> str:
        """Return the GUID that stands for a name in this estate."""
        return str(uuid5(NAMESPACE, f"{self.seed}/{name}"))

    def password(self, name: str) -> str:
        """Return the password or other secret value of a name; nothing real is behind it."""
        return f"Sample-{name}-{self.guid(f'password/{name}')[:8]}"

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """Return so many different ones, or all if there are fewer."""
        return self.random.sample(items, min(count, len(items)))

    @property
    def provider(self) -> str:
        """The GUID of the provider subscription."""
        return self.guid("provider-subscription")

    @property
    def tenant_id(self) -> str:
        """The GUID of the directory."""
        return self.guid("directory")


def upn(name: str) -> str:
    """Return the user principal name of a role, such as `operator-1`."""
    return f"{name}@{EXTERNAL_DOMAIN}"
