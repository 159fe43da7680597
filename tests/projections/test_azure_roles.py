"""All built-in roles of Azure, recorded and asked."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from domain.principal import principal_id
from domain.role_assignment import AssignRole
from domain.role_definition import DefineRole, role_definition_id
from projections.access import Decision, check
from tests.domain.estate import MACHINE, NORTH_GROUP, estate, user

DATA = Path(os.environ.get("RESURGAM_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = DATA / "azure-built-in-roles.json"


def definitions() -> list[dict[str, Any]]:
    """Return the role definitions as Azure publishes them."""
    if not FILE.exists() and os.environ.get("RESURGAM_REQUIRE_ALL") != "1":
        pytest.skip(f"{FILE} is not here: set RESURGAM_DATA to its folder")
    loaded: list[dict[str, Any]] = json.loads(FILE.read_bytes())
    return loaded


def define(definition: dict[str, Any]) -> DefineRole:
    """Return the command for one of them."""
    fields = {name: definition[name] for name in ("name", "roleName", "description", "permissions", "assignableScopes")}
    return DefineRole.model_validate_json(json.dumps({**fields, "type": definition["roleType"]}))


class Azure:
    """A control plane that has them all; of each role one user who holds it, and no other role, in a resource group."""

    def __init__(self) -> None:
        self.definitions = definitions()
        self.plane = estate().given(*map(define, self.definitions))
        self.guids = {definition["roleName"]: definition["name"] for definition in self.definitions}

    def ask(self, role: str, action: str, *, data: bool = False) -> Decision:
        """Ask for that user on a machine."""
        holder = f"holder-{self.guids[role]}"
        if self.plane.find(principal_id(holder)) is None:
            assign = AssignRole(
                scope_id=NORTH_GROUP, role_definition_id=role_definition_id(self.guids[role]), principal_id=holder
            )
            self.plane.given(user(holder, f"{holder}@region.example"), assign)
        return check(self.plane.world, holder, action, MACHINE, data=data)


@pytest.fixture(scope="module")
def azure() -> Azure:
    return Azure()


def test_every_role_is_recorded_whole(azure: Azure) -> None:
    assert len(azure.definitions) == 928
    for definition in azure.definitions:
        state = azure.plane.state(role_definition_id(definition["name"]))
        given = [
            {field: value for field, value in block.items() if value is not None} for block in definition["permissions"]
        ]
        assert state["permissions"] == given
        assert (state["roleName"], state["type"]) == (definition["roleName"], "BuiltInRole")


def test_recording_them_again_changes_nothing(azure: Azure) -> None:
    assert [event for definition in azure.definitions for event in azure.plane.when(define(definition))] == []


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("Virtual Machine Contributor", "Microsoft.Compute/virtualMachines/start/action"),
        ("Virtual Machine Contributor", "microsoft.compute/virtualmachines/WRITE"),
        ("Owner", "Microsoft.Authorization/roleAssignments/write"),
        ("Contributor", "Microsoft.KeyVault/vaults/write"),
        ("Reader", "Microsoft.Compute/virtualMachines/read"),
        ("User Access Administrator", "Microsoft.Authorization/roleAssignments/write"),
        ("Key Vault Reader", "Microsoft.KeyVault/vaults/secrets/read"),
        ("Network Contributor", "Microsoft.Network/virtualNetworks/subnets/join/action"),
        ("Azure Sphere Owner", "Microsoft.AzureSphere/catalogs/write"),
    ],
)
def test_a_role_grants_what_it_names(azure: Azure, role: str, action: str) -> None:
    assert azure.ask(role, action).allowed


@pytest.mark.parametrize(
    ("role", "action", "reason"),
    [
        ("Virtual Machine Contributor", "Microsoft.Authorization/roleAssignments/write", "no-role-names-it"),
        ("Reader", "Microsoft.Compute/virtualMachines/start/action", "no-role-names-it"),
        ("Contributor", "Microsoft.Authorization/roleAssignments/write", "subtracted-by-role"),
        ("Contributor", "Microsoft.Compute/galleries/share/action", "subtracted-by-role"),
        ("Azure Sphere Owner", "Microsoft.Authorization/roleAssignments/write", "condition-not-evaluated"),
        ("Key Vault Secrets User", "Microsoft.KeyVault/vaults/secrets/getSecret/action", "no-role-names-it"),
    ],
)
def test_a_role_denies_what_it_does_not_name_or_takes_away(azure: Azure, role: str, action: str, reason: str) -> None:
    decision = azure.ask(role, action)
    assert (decision.allowed, decision.reason) == (False, reason)


def test_data_actions_are_granted_as_data_actions_only(azure: Azure) -> None:
    get = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assert azure.ask("Key Vault Secrets User", get, data=True).allowed
    assert not azure.ask("Owner", get, data=True).allowed


def test_the_roles_that_read_secrets_are_those_that_azure_documents(azure: Azure) -> None:
    get = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    may = {role for role in azure.guids if azure.ask(role, get, data=True).allowed}
    assert may >= {"Key Vault Administrator", "Key Vault Secrets Officer", "Key Vault Secrets User"}
    assert not may & {"Key Vault Reader", "Key Vault Crypto Officer", "Owner", "Contributor", "Reader"}
