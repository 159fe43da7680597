"""The workload: an estate that is there first, and changes to it of which none needs another.

So any number of clients may send them in any order, and all are recorded.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import SecretStr

from domain.errors import ResurgamError
from infra.control_plane import clean_install
from infra.control_plane.job import Outcome
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import Request, parse
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.keys.root_key import HeldRootKey
from infra.log.record import Actor
from scripts.estate import deployment
from scripts.estate.composition import write_base
from scripts.estate.draft import EXTERNAL_DOMAIN, REGION, Draft, upn
from scripts.estate.identity import TRUST
from scripts.estate.tenancy import CATALOG, quota_id
from scripts.estate.vaults import vaults

ROOT_KEY = HeldRootKey(bytes(range(32)))
ACTOR = Actor("os-user", host="host-1.region.example", os_user="operator", principal=None)
SEED = 7
ESTATE_EVENTS = 2_000
AT_ONCE = 1_000

Change = Callable[[int], tuple[str, dict[str, Any]]]


class Workload:
    """What is recorded. Passwords are hashed at the least cost: how long a guess takes is not a question here."""

    def __init__(self) -> None:
        self._draft = Draft(SEED, ESTATE_EVENTS)
        write_base(self._draft)
        self._scopes = [s.resource_group_id(name) for s in self._draft.subscriptions for name in s.resource_groups]
        self._vaults = [vault.id for vault in vaults(self._draft)]

    def installed(self, url: str) -> ControlPlane:
        """Return the control plane of a new store with the estate in it."""
        database = open_database(url, create=True)
        inputs = clean_install.parse_inputs(yaml.safe_load(deployment.inputs(self._draft)))
        password = SecretStr(self._draft.password("operator-1"))
        clean_install.install(database, ROOT_KEY, inputs, password, [], ACTOR, cost=TEST_COST)
        plane = ControlPlane(database, ROOT_KEY, cost=TEST_COST)
        recorded(plane.execute_all([_parsed(line) for line in self._draft.requests["base"]], ACTOR))
        return plane

    def changes(self, count: int) -> list[Request]:
        """Return so many changes, in all areas in which there are many of them."""
        return [
            _parsed({"command": command, "arguments": arguments, "reason": "a change"})
            for command, arguments in self._cycle(count)
        ]

    def _cycle(self, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
        kinds: list[tuple[int, Change]] = [
            (24, self._assign_role),
            (14, self._set_secret),
            (10, self._create_user),
            (10, self._update_user),
            (8, self._create_group),
            (8, self._create_resource_group),
            (8, self._tag),
            (4, self._create_application),
            (4, self._define_policy),
            (4, self._create_plan),
            (2, self._define_role),
            (2, self._create_quota),
            (1, self._change_trust),
            (1, self._change_inputs),
        ]
        spread = sorted((position / weight, number) for number, (weight, _) in enumerate(kinds)
                        for position in range(weight))  # fmt: skip
        for number in range(count):
            yield kinds[spread[number % len(spread)][1]][1](number)

    def _guid(self, number: int) -> str:
        return self._draft.guid(f"change/{number}")

    def _assign_role(self, number: int) -> tuple[str, dict[str, Any]]:
        engineer, rest = _split(number, self._draft.engineers)
        scope, rest = _split(rest + number, self._scopes)
        role, _ = _split(rest, self._draft.roles)
        scope = f"{scope}/providers/Microsoft.Compute/virtualMachines/vm-{number}"
        return "AssignRole", {
            "name": self._guid(number),
            "scopeId": scope,
            "roleDefinitionId": role,
            "principalId": engineer,
        }

    def _set_secret(self, number: int) -> tuple[str, dict[str, Any]]:
        vault, _ = _split(number, self._vaults)
        return "SetSecret", {
            "vaultId": vault,
            "name": f"token-{number}",
            "value": self._draft.password(f"token-{number}"),
            "contentType": "text/plain",
            "tags": {"edition": "1"},
        }

    def _create_user(self, number: int) -> tuple[str, dict[str, Any]]:
        return "CreateUser", {
            "objectId": self._guid(number),
            "userPrincipalName": upn(f"person-{number}"),
            "displayName": f"Person {number}",
            "surname": str(number),
            "mail": upn(f"mail.person-{number}"),
            "claimsProviderTrust": TRUST,
        }

    def _update_user(self, number: int) -> tuple[str, dict[str, Any]]:
        engineer, _ = _split(number, self._draft.engineers)
        return "UpdateUser", {"objectId": engineer, "surname": f"of office {number}"}

    def _create_group(self, number: int) -> tuple[str, dict[str, Any]]:
        return "CreateGroup", {
            "objectId": self._guid(number),
            "displayName": f"Project {number}",
            "description": f"Members of project {number} of {EXTERNAL_DOMAIN}",
        }

    def _create_resource_group(self, number: int) -> tuple[str, dict[str, Any]]:
        subscription, _ = _split(number, self._draft.subscriptions)
        return "CreateResourceGroup", {
            "subscriptionId": subscription.guid,
            "name": f"project-{number}",
            "location": REGION,
            "tags": {"environment": "test", "project": str(number)},
        }

    def _tag(self, number: int) -> tuple[str, dict[str, Any]]:
        scope, _ = _split(number, self._scopes)
        return "TagResourceGroup", {"id": scope, "tags": {"environment": "production", "cost-center": str(number)}}

    def _create_application(self, number: int) -> tuple[str, dict[str, Any]]:
        return "CreateApplication", {"appId": self._guid(number), "displayName": f"pipeline-{number}"}

    def _define_policy(self, number: int) -> tuple[str, dict[str, Any]]:
        rule = {"if": {"field": "name", "like": f"project-{number}-*"}, "then": {"effect": "audit"}}
        return "DefinePolicy", {
            "name": f"project-{number}",
            "displayName": f"Project {number}",
            "policyRule": rule,
            "parameters": {},
        }

    def _create_plan(self, number: int) -> tuple[str, dict[str, Any]]:
        return "CreatePlan", {
            "providerSubscriptionId": self._draft.provider,
            "resourceGroup": CATALOG,
            "name": f"project-{number}",
            "displayName": f"Services of project {number}",
            "quotaIds": [quota_id(self._draft, "Compute", "small"), quota_id(self._draft, "Network", "small")],
        }

    def _define_role(self, number: int) -> tuple[str, dict[str, Any]]:
        return "DefineRole", {
            "name": self._guid(number),
            "roleName": f"Project operator {number}",
            "description": f"Operates project {number}",
            "permissions": [{"actions": ["Microsoft.Compute/*"], "notActions": ["Microsoft.Compute/*/delete"]}],
            "assignableScopes": ["/"],
        }

    def _create_quota(self, number: int) -> tuple[str, dict[str, Any]]:
        return "CreateComputeQuota", {
            "providerSubscriptionId": self._draft.provider,
            "location": REGION,
            "name": f"project-{number}",
            "coresLimit": 10 + number % 90,
        }

    def _change_trust(self, number: int) -> tuple[str, dict[str, Any]]:
        return "UpdateClaimsProviderTrust", {"name": TRUST, "tokenLifetimeMinutes": 60 + number}

    def _change_inputs(self, number: int) -> tuple[str, dict[str, Any]]:
        fields = yaml.safe_load(deployment.inputs(self._draft))
        given = {name: value for name, value in fields.items() if name not in ("operator", "providerSubscription")}
        return "ChangeDeploymentInputs", {"inputs": {**given, "companyName": f"Sample region {number}"}}


def recorded(outcomes: Sequence[Outcome | ResurgamError]) -> int:
    """Return how many events were recorded; raise the first refusal, which would make the figures false."""
    events = 0
    for outcome in outcomes:
        if isinstance(outcome, ResurgamError):
            raise outcome
        if outcome.status != "recorded":
            raise AssertionError(f"a change was {outcome.status}: {outcome}")
        events += outcome.last - outcome.first + 1
    return events


def _parsed(line: Mapping[str, object]) -> Request:
    return parse(json.dumps(line).encode())


def _split(number: int, items: Sequence[Any]) -> tuple[Any, int]:
    """Return an item that the number picks, and what is left of the number."""
    return items[number % len(items)], number // len(items)
