"""Changes: commands in all seven areas that a store with any history takes, one round after the other."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

from infra.control_plane.request import Request, parse
from scripts.benchmark.cloud.installation import Installation
from scripts.estate.authority import endpoint_pfx
from scripts.estate.draft import EXTERNAL_DOMAIN, REGION, Draft, upn

NAMESPACE = UUID("0c0fd1f6-58f1-5d0a-8f37-6d8a2f1c9be4")
READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
ENDPOINT = "portal"
PASSWORD = "Sample password 1"  # noqa: S105, nothing is behind it

Line = tuple[str, dict[str, Any]]


def requests(count: int, seed: int, installation: Installation) -> Sequence[Request]:
    """Return that many requests, which are accepted in their order; another seed gives others, to go on with.

    A tenth of their events are new versions of secrets.
    """
    lines = islice(_lines(f"r{seed}", installation), count)
    return [
        parse(json.dumps({"command": command, "arguments": arguments, "reason": "a change"}).encode())
        for command, arguments in lines
    ]


def _lines(name: str, installation: Installation) -> Iterator[Line]:
    group = f"{installation.provider.id}/resourceGroups/{name}"
    vault = f"{group}/providers/Microsoft.KeyVault/vaults/{name}-vault"
    yield "CreateResourceGroup", {"subscriptionId": installation.provider.guid, "name": name, "location": REGION}
    yield "CreateVault", {"resourceGroupId": group, "name": f"{name}-vault", "location": REGION}
    yield (
        "RegisterDirectoryService",
        {"name": name, "globalCatalog": f"{name}.example", "username": "graphservice", "password": PASSWORD},
    )
    pfx = endpoint_pfx(Draft(1, 100), [ENDPOINT], PASSWORD, edition=int(name[1:]))
    yield "ImportEndpointCertificate", {"endpoint": ENDPOINT, "pfx": pfx, "password": PASSWORD}
    number = 0
    while True:
        number += 1
        yield from _round(f"{name}-{number}", group, vault)


def _round(name: str, group: str, vault: str) -> Iterator[Line]:
    """Yield nine commands of ten events."""
    user, team = _guid(f"{name}/user"), _guid(f"{name}/team")
    yield "SetSecret", {"vaultId": vault, "name": name, "value": f"Sample-{user}", "contentType": "text/plain"}
    person = {"objectId": user, "userPrincipalName": upn(name), "claimsProviderTrust": "partner"}
    yield "CreateUser", {**person, "displayName": f"Person {name} of {EXTERNAL_DOMAIN}"}
    yield "CreateGroup", {"objectId": team, "displayName": f"Team {name}", "description": f"Members of team {name}"}
    yield "AddGroupMember", {"groupId": team, "memberId": user}
    machine = f"{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    yield (
        "AssignRole",
        {"name": _guid(f"{name}/role"), "scopeId": machine, "roleDefinitionId": READER, "principalId": team},
    )
    yield "UpdateUser", {"objectId": user, "surname": f"of office {name}"}
    yield "TagResourceGroup", {"id": group, "tags": {"owner": user, "cost-centre": name}}
    rule = {"if": {"field": "name", "like": f"{name}-*"}, "then": {"effect": "audit"}}
    yield "DefinePolicy", {"name": name, "displayName": name, "policyRule": rule, "parameters": {}}
    yield (
        "RegisterResourceProvider",
        {"namespace": f"Sample.{name.replace('-', 'n')}", "displayName": f"Provider {name}", "restoredBy": "ByHand"},
    )


def _guid(name: str) -> str:
    return str(uuid5(NAMESPACE, name))
