"""Scopes."""

import pytest

from domain.errors import Refused
from domain.management_group import CreateManagementGroup, management_group_id
from domain.scope import need_scope, resource_type
from domain.tenancy import SubscriptionDeleted
from domain.vault_state import VaultDeleted, VaultDeletion
from tests.domain.estate import MACHINE, NORTH, NORTH_GROUP, NORTH_GUID, VAULT, estate, with_vault
from tests.domain.scenario import NOW


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("/", ""),
        ("/subscriptions/s", "Microsoft.Resources/subscriptions"),
        ("/subscriptions/s/resourceGroups/g", "Microsoft.Resources/subscriptions/resourceGroups"),
        ("/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v", "Microsoft.KeyVault/vaults"),
        (f"{MACHINE}/extensions/e", "Microsoft.Compute/virtualMachines/extensions"),
        (f"{MACHINE}/providers/Microsoft.Authorization/locks/l", "Microsoft.Authorization/locks"),
        ("/providers/Microsoft.Management/managementGroups/m", "Microsoft.Management/managementGroups"),
    ],
)
def test_the_type_of_a_resource_is_read_off_its_id(resource: str, expected: str) -> None:
    assert resource_type(resource) == expected


@pytest.mark.parametrize(
    "scope", ["/", management_group_id("Corp"), NORTH, NORTH_GROUP, MACHINE, f"{MACHINE}/extensions/e"]
)
def test_what_exists_is_a_scope(scope: str) -> None:
    world = estate().given(CreateManagementGroup(name="Corp")).world
    assert need_scope(world, scope) == scope


def test_a_resource_directly_in_a_subscription_is_a_scope() -> None:
    scope = f"{NORTH}/providers/Microsoft.Compute.Admin/locations/local"
    assert need_scope(estate().world, scope) == scope


def test_a_scope_is_shown_as_it_was_first_written() -> None:
    assert need_scope(estate().world, NORTH_GROUP.upper()) == NORTH_GROUP


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ("/subscriptions/unknown", "/subscriptions/unknown"),
        (f"{NORTH}/resourceGroups/unknown", f"{NORTH}/resourceGroups/unknown"),
        (MACHINE.replace("/app/", "/unknown/"), f"{NORTH}/resourceGroups/unknown"),
        (MACHINE.replace(NORTH_GUID, "unknown"), "/subscriptions/unknown"),
        (management_group_id("unknown"), management_group_id("unknown")),
        (
            f"{NORTH_GROUP}/providers/Microsoft.KeyVault/vaults/unknown/secrets/s",
            f"{NORTH_GROUP}/providers/Microsoft.KeyVault/vaults/unknown",
        ),
        ("/providers/Microsoft.Graph/directoryObjects/x", "/providers/Microsoft.Graph/directoryObjects/x"),
        (f"{NORTH}/resourceGroups", f"{NORTH}/resourceGroups"),
        (f"{NORTH}/providers/Microsoft.Compute", f"{NORTH}/providers/Microsoft.Compute"),
        ("/subscriptions", "/subscriptions"),
        (f"{management_group_id('Corp')}/subscriptions/s", f"{management_group_id('Corp')}/subscriptions/s"),
    ],
)
def test_what_does_not_exist_is_no_scope(scope: str, missing: str) -> None:
    with pytest.raises(Refused) as caught:
        need_scope(estate().given(CreateManagementGroup(name="Corp")).world, scope)
    assert (caught.value.rule, caught.value.resource) == ("scope-exists", missing)


def test_a_vault_is_a_scope_until_it_is_deleted() -> None:
    plane = with_vault()
    assert need_scope(plane.world, f"{VAULT}/secrets/s") == f"{VAULT}/secrets/s"
    plane.given(VaultDeleted(VAULT, VaultDeletion(deletionDate=NOW, scheduledPurgeDate=NOW)))
    with pytest.raises(Refused, match="is deleted"):
        need_scope(plane.world, f"{VAULT}/secrets/s")


def test_nothing_is_a_scope_in_a_deleted_subscription() -> None:
    plane = estate().given(SubscriptionDeleted(NORTH, {}))
    for scope in (NORTH, NORTH_GROUP, MACHINE):
        with pytest.raises(Refused, match="deleted"):
            need_scope(plane.world, scope)
