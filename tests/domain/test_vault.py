"""Vaults: names, access policies, protection that only grows, and deletion, recovery and purge."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.access_policy import AccessPolicyEntry
from domain.built_in_role import OWNER, built_in_role_events
from domain.principal import principal_id
from domain.resource_group import CreateResourceGroup
from domain.role_assignment import AssignRole
from domain.sealed_value import key_ids
from domain.subscription_state import DisableSubscription, EnableSubscription
from domain.tenancy import resource_group_id
from domain.vault import DeleteVault, PurgeVault, RecoverVault, RemoveAccessPolicy, SetAccessPolicy, UpdateVault
from domain.vault_state import VAULT as VAULT_KIND
from domain.vault_state import recovery_level, vault_id
from tests.domain.scenario import NOW, ControlPlane
from tests.domain.tenants import (
    DIRECTORY,
    OTHER_GUID,
    PLANS,
    PROVIDER_GUID,
    SECRET,
    TENANT_GUID,
    TENANT_OBJECT,
    VAULT,
    create_vault,
    may,
    set_secret,
    subscribe,
    types,
    with_offer,
    with_tenant,
    with_vault,
)

OPERATED = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": TENANT_GUID}


def someone(number: int, **given: Any) -> AccessPolicyEntry:
    return AccessPolicyEntry.model_validate({"object_id": f"s-1-5-{number}", "permissions": may("get"), **given})


def test_a_vault_is_soft_deleting_and_unprotected_unless_given() -> None:
    assert with_vault().state(VAULT) == {
        "id": VAULT,
        "location": "east",
        "tenantId": DIRECTORY,
        "sku": {"family": "A", "name": "standard"},
        "accessPolicies": [],
        "vaultUri": "https://keys-1.vault.east.cloud.fabrikam.example/",
        "enabledForDeployment": False,
        "enabledForDiskEncryption": False,
        "enabledForTemplateDeployment": False,
        "enableSoftDelete": True,
        "enablePurgeProtection": False,
        "softDeleteRetentionInDays": 90,
        "createMode": "default",
    }


@pytest.mark.parametrize("name", ["ab", "a" * 25, "1ab", "a--b", "ab-", "a_b", "a.b"])
def test_a_name_that_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        create_vault(name)


@pytest.mark.parametrize("name", ["a-b", "a" * 24, "Ab1"])
def test_a_name_of_3_to_24_letters_digits_and_hyphens_is_taken(name: str) -> None:
    with_tenant().given(create_vault(name))


@pytest.mark.parametrize("days", [6, 91])
def test_retention_is_7_to_90_days(days: int) -> None:
    create_vault(soft_delete_retention_in_days=7)
    with pytest.raises(ValidationError):
        create_vault(soft_delete_retention_in_days=days)


def test_a_name_is_unique_in_the_whole_deployment_even_when_its_vault_is_deleted() -> None:
    plane = with_vault().given(
        subscribe(OTHER_GUID), CreateResourceGroup(subscription_id=OTHER_GUID, name="app", location="east")
    )
    elsewhere = create_vault("KEYS-1", resource_group_id=resource_group_id(OTHER_GUID, "app"))
    plane.refuses(elsewhere, "vault-name-unique")
    plane.given(DeleteVault(id=VAULT)).refuses(elsewhere, "vault-name-unique")
    plane.refuses(create_vault(), "vault-name-unique")
    plane.given(PurgeVault(id=VAULT), elsewhere)


def test_a_vault_stands_in_an_existing_group_of_an_enabled_subscription() -> None:
    plane = with_tenant()
    plane.refuses(create_vault(resource_group_id=resource_group_id(TENANT_GUID, "none")), "resource-group-exists")
    plane.given(DisableSubscription(**OPERATED)).refuses(create_vault(), "subscription-enabled")
    plane.given(EnableSubscription(**OPERATED), create_vault())


def test_a_policy_names_the_tenant_of_the_vault_and_each_permission_once() -> None:
    entry = someone(1, permissions=may("set", "get", "set"), application_id=OTHER_GUID)
    plane = with_vault(access_policies=[entry])
    assert plane.state(VAULT)["accessPolicies"] == [
        {
            "tenantId": DIRECTORY,
            "objectId": "s-1-5-1",
            "applicationId": OTHER_GUID,
            "permissions": {"keys": [], "secrets": ["get", "set"], "certificates": [], "storage": []},
        }
    ]
    assert plane.world.sources(principal_id("S-1-5-1"), "principal") == [VAULT.lower()]
    with pytest.raises(ValidationError):
        may("sign")


def test_a_vault_has_at_most_16_access_policies() -> None:
    plane = with_tenant()
    plane.refuses(create_vault(access_policies=[someone(n) for n in range(17)]), "access-policies-max")
    plane.given(create_vault(access_policies=[someone(n) for n in range(16)]))
    plane.refuses(SetAccessPolicy(id=VAULT, object_id="s-1-5-16", permissions=may("get")), "access-policies-max")
    plane.given(SetAccessPolicy(id=VAULT, object_id="s-1-5-15", permissions=may("list")))


def test_a_principal_has_one_access_policy_for_each_application() -> None:
    plane = with_tenant()
    twice = create_vault(access_policies=[someone(1), someone(1, object_id="S-1-5-1")])
    plane.refuses(twice, "one-access-policy")
    plane.given(create_vault(access_policies=[someone(1), someone(1, application_id=OTHER_GUID)]))


def test_setting_a_policy_replaces_the_one_before() -> None:
    plane = with_vault(access_policies=[someone(1), someone(2)])
    give = SetAccessPolicy(id=VAULT, object_id="S-1-5-1", permissions=may("get", "list"))
    assert types(plane.when(give)) == [("vault.changed", VAULT)]
    policies = plane.state(VAULT)["accessPolicies"]
    assert [(policy["objectId"], policy["permissions"]["secrets"]) for policy in policies] == [
        ("s-1-5-2", ["get"]),
        ("S-1-5-1", ["get", "list"]),
    ]
    assert plane.when(give) == []


def test_a_policy_is_removed_by_principal_and_application() -> None:
    plane = with_vault(access_policies=[someone(1), someone(1, application_id=OTHER_GUID)])
    plane.given(RemoveAccessPolicy(id=VAULT, object_id="S-1-5-1"))
    assert [policy.get("applicationId") for policy in plane.state(VAULT)["accessPolicies"]] == [OTHER_GUID]
    plane.refuses(RemoveAccessPolicy(id=VAULT, object_id="S-1-5-1"), "access-policy-exists")


def test_an_update_changes_what_is_given() -> None:
    plane = with_vault()
    plane.given(UpdateVault(id=VAULT, sku_name="premium", enabled_for_deployment=True, tags={"a": "1"}))
    vault = plane.state(VAULT)
    assert (vault["sku"]["name"], vault["enabledForDeployment"], vault["tags"]) == ("premium", True, {"a": "1"})
    assert plane.when(UpdateVault(id=VAULT, sku_name="premium", enabled_for_deployment=True, tags={"a": "1"})) == []


def test_soft_delete_and_purge_protection_are_never_switched_off() -> None:
    plane = with_vault(enable_purge_protection=True)
    plane.refuses(UpdateVault(id=VAULT, enable_soft_delete=False), "protection-stays")
    plane.refuses(UpdateVault(id=VAULT, enable_purge_protection=False), "protection-stays")
    plane.refuses(UpdateVault(id=VAULT, soft_delete_retention_in_days=7), "retention-stays")
    same = UpdateVault(
        id=VAULT, enable_soft_delete=True, enable_purge_protection=True, soft_delete_retention_in_days=90
    )
    assert plane.when(same) == []


def test_purge_protection_needs_soft_delete() -> None:
    plane = with_tenant()
    unsafe = create_vault(enable_soft_delete=False, enable_purge_protection=True)
    plane.refuses(unsafe, "purge-protection-needs-soft-delete")
    plane.given(create_vault(enable_soft_delete=False))
    plane.refuses(UpdateVault(id=VAULT, enable_purge_protection=True), "purge-protection-needs-soft-delete")
    both = UpdateVault(
        id=VAULT, enable_soft_delete=True, enable_purge_protection=True, soft_delete_retention_in_days=10
    )
    assert plane.given(both).state(VAULT)["softDeleteRetentionInDays"] == 10


def test_the_recovery_level_follows_from_the_vault_and_its_subscription() -> None:
    def level(plane: ControlPlane, vault: str = VAULT) -> str:
        return recovery_level(plane.world, VAULT_KIND.need(plane.world, vault, rule="vault-exists"))

    assert level(with_vault(enable_soft_delete=False)) == "Purgeable"
    assert level(with_vault()) == "Recoverable+Purgeable"
    assert level(with_vault(enable_purge_protection=True)) == "Recoverable"
    providers = with_offer().given(create_vault(resource_group_id=PLANS, enable_purge_protection=True))
    assert level(providers, vault_id(PLANS, "keys-1")) == "Recoverable+ProtectedSubscription"


def test_a_deleted_vault_is_kept_and_cannot_be_used() -> None:
    plane = with_vault()
    set_secret(plane)
    assert types(plane.when(DeleteVault(id=VAULT))) == [("vault.deleted", VAULT)]
    assert plane.state(VAULT)["deletionDate"] == NOW
    assert plane.state(VAULT)["scheduledPurgeDate"] == "2027-02-01T14:00:00.000000Z"
    plane.refuses(DeleteVault(id=VAULT), "vault-not-deleted")
    plane.refuses(UpdateVault(id=VAULT, sku_name="premium"), "vault-not-deleted")
    plane.refuses(SetAccessPolicy(id=VAULT, object_id="x", permissions=may("get")), "vault-not-deleted")
    assert plane.state(SECRET) is not None


def test_a_recovered_vault_is_as_before_and_says_so() -> None:
    plane = with_vault()
    before = plane.state(VAULT)
    plane.given(DeleteVault(id=VAULT), RecoverVault(id=VAULT))
    assert plane.state(VAULT) == {**before, "createMode": "recover"}
    assert plane.when(RecoverVault(id=VAULT)) == []
    plane.given(UpdateVault(id=VAULT, sku_name="premium"))


def test_a_vault_is_recovered_in_an_enabled_subscription() -> None:
    plane = with_vault().given(DeleteVault(id=VAULT), DisableSubscription(**OPERATED))
    plane.refuses(RecoverVault(id=VAULT), "subscription-enabled")
    plane.given(EnableSubscription(**OPERATED), RecoverVault(id=VAULT))


def test_a_purge_takes_every_secret_and_every_key() -> None:
    plane = with_vault()
    first, second = set_secret(plane, "k1"), set_secret(plane, "k2")
    plane.refuses(PurgeVault(id=VAULT), "vault-deleted")
    plane.given(DeleteVault(id=VAULT))
    assert list(key_ids(plane.state(second))) == ["k2"]
    assert types(plane.when(PurgeVault(id=VAULT))) == [
        ("secret-version.purged", first),
        ("secret-version.purged", second),
        ("secret.purged", SECRET),
        ("vault.purged", VAULT),
    ]
    assert plane.state(first) is plane.state(second) is plane.state(SECRET) is plane.state(VAULT) is None
    plane.refuses(RecoverVault(id=VAULT), "vault-exists")
    plane.given(create_vault())


def test_purge_protection_keeps_a_deleted_vault_until_its_retention_ends() -> None:
    plane = with_vault(enable_purge_protection=True, soft_delete_retention_in_days=7).given(DeleteVault(id=VAULT))
    plane.after_days(6).refuses(PurgeVault(id=VAULT), "purge-protection")
    plane.after_days(1).given(PurgeVault(id=VAULT))


def test_without_soft_delete_a_deleted_vault_is_gone() -> None:
    plane = with_vault(enable_soft_delete=False)
    set_secret(plane)
    assert types(plane.when(DeleteVault(id=VAULT)))[-1] == ("vault.purged", VAULT)
    assert plane.state(VAULT) is plane.state(SECRET) is None


@pytest.mark.parametrize("soft_delete", [True, False])
def test_assignments_on_a_deleted_vault_do_not_come_back(soft_delete: bool) -> None:
    plane = with_vault(enable_soft_delete=soft_delete).given(
        *built_in_role_events(), AssignRole(scope_id=VAULT, role_definition_id=OWNER, principal_id=TENANT_OBJECT)
    )
    assert types(plane.when(DeleteVault(id=VAULT)))[0][0] == "role-assignment.deleted"
    assert list(plane.world.sources(principal_id(TENANT_OBJECT), "principal")) == []


def test_an_access_policy_is_found_in_any_spelling_of_its_holder() -> None:
    holder = {"id": VAULT, "object_id": "S-1-5-ab", "application_id": "a0000000-0000-4000-9000-00000000000A"}
    plane = with_vault().given(SetAccessPolicy.model_validate({**holder, "permissions": may("get")}))
    spelled = {**holder, "object_id": "s-1-5-AB", "application_id": "a0000000-0000-4000-9000-00000000000a"}
    plane.given(SetAccessPolicy.model_validate({**spelled, "permissions": may("list")}))
    assert [policy["permissions"]["secrets"] for policy in plane.state(VAULT)["accessPolicies"]] == [["list"]]
    plane.given(RemoveAccessPolicy.model_validate(holder))
    assert plane.state(VAULT)["accessPolicies"] == []
