"""Vault access: the data plane of a vault."""

from domain.access_policy import AccessPolicy, PermissionFields
from domain.built_in_role import OWNER
from domain.principal import principal_id
from domain.role_assignment import AssignRole
from domain.user import DisableUser
from domain.vault_state import VaultDeleted, VaultDeletion
from projections.vault_access import VaultDecision, vault_check, vault_who
from tests.domain.estate import ALL_TEAMS, GUEST, OPERATOR, TEAM, TENANT, VAULT, with_vault
from tests.domain.scenario import NOW

APP = "60000000-0000-4000-9000-000000000001"


def policy(holder: str, secrets: list[str], application: str | None = None) -> AccessPolicy:
    """Return an access policy on secrets."""
    permissions = PermissionFields(keys=["wrapKey"], secrets=secrets, certificates=[], storage=[])
    entry = AccessPolicy(tenantId=APP, objectId=holder, permissions=permissions)
    if application is not None:
        entry["applicationId"] = application
    return entry


def test_an_access_policy_grants_what_it_names() -> None:
    world = with_vault(policy(GUEST, ["get", "list"])).world
    assert vault_check(world, GUEST, "secrets/get", VAULT.upper()) == VaultDecision(
        True, "granted", f"the access policy of {GUEST} grants secrets/get", GUEST
    )
    assert vault_check(world, GUEST, "Keys/WrapKey", VAULT).allowed
    assert vault_check(world, GUEST, "secrets/set", VAULT).reason == "no-access-policy"
    assert vault_check(world, GUEST, "certificates/get", VAULT).reason == "no-access-policy"
    assert vault_check(world, GUEST, "unknown/get", VAULT).reason == "no-access-policy"
    assert vault_check(world, TENANT, "secrets/get", VAULT).reason == "no-access-policy"


def test_an_access_policy_counts_for_everyone_in_a_group() -> None:
    world = with_vault(policy(ALL_TEAMS, ["get"])).world
    decision = vault_check(world, GUEST, "secrets/get", VAULT)
    assert (decision.holder, decision.groups) == (ALL_TEAMS, (principal_id(TEAM), principal_id(ALL_TEAMS)))
    assert vault_who(world, "secrets/get", VAULT) == [GUEST]


def test_roles_give_no_access_to_what_is_in_a_vault() -> None:
    plane = with_vault().given(AssignRole(scope_id="/", role_definition_id=OWNER, principal_id=OPERATOR))
    assert not vault_check(plane.world, OPERATOR, "secrets/get", VAULT).allowed
    assert not vault_check(plane.world, TENANT, "secrets/get", VAULT).allowed


def test_a_policy_for_an_application_does_not_count_for_the_principal_alone() -> None:
    world = with_vault(policy(GUEST, ["get"], application=APP)).world
    assert vault_check(world, GUEST, "secrets/get", VAULT).reason == "only-through-application"
    assert vault_check(world, GUEST, "secrets/set", VAULT).reason == "no-access-policy"
    assert vault_who(world, "secrets/get", VAULT) == []


def test_disabled_and_unknown_principals_have_no_access() -> None:
    plane = with_vault(policy(TEAM, ["get"]), policy(TENANT, ["get"])).given(DisableUser(object_id=GUEST))
    assert vault_check(plane.world, GUEST, "secrets/get", VAULT).reason == "principal-disabled"
    assert vault_check(plane.world, "unknown", "secrets/get", VAULT).reason == "principal-unknown"
    assert vault_who(plane.world, "secrets/get", VAULT) == [TENANT]


def test_nobody_has_access_to_a_deleted_vault_or_one_that_never_was() -> None:
    plane = with_vault(policy(GUEST, ["get"])).given(
        VaultDeleted(VAULT, VaultDeletion(deletionDate=NOW, scheduledPurgeDate=NOW))
    )
    assert vault_check(plane.world, GUEST, "secrets/get", VAULT).reason == "vault-deleted"
    assert vault_who(plane.world, "secrets/get", VAULT) == []
    assert vault_check(plane.world, GUEST, "secrets/get", f"{VAULT}2").reason == "vault-unknown"
    assert vault_who(plane.world, "secrets/get", f"{VAULT}2") == []
