"""Subscription states: legal transitions, and what a deletion takes along."""

from typing import Any

import pytest

from domain.acquired_plan import AcquirePlan, acquired_plan_id
from domain.built_in_role import OWNER, built_in_role_events
from domain.delegated_provider import CreateDelegatedProvider, DeleteDelegatedProvider, delegated_provider_id
from domain.management_group import AddSubscriptionToManagementGroup, CreateManagementGroup, management_group_id
from domain.resource_group import CreateResourceGroup
from domain.role_assignment import AssignRole, role_assignment_id
from domain.subscription_state import (
    CompleteSubscriptionDeletion,
    DeleteSubscription,
    DisableSubscription,
    EnableSubscription,
    FailSubscriptionDeletion,
    OperatedSubscription,
)
from domain.vault import DeleteVault
from tests.domain.scenario import ControlPlane
from tests.domain.tenants import (
    ADDON_PLAN,
    GROUP,
    OTHER_GUID,
    PROVIDER_GUID,
    SECRET,
    TENANT_GUID,
    TENANT_OBJECT,
    TENANT_SUBSCRIPTION,
    VAULT,
    provider,
    set_secret,
    subscribe,
    types,
    with_offer,
    with_tenant,
    with_vault,
)

OPERATED: dict[str, Any] = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": TENANT_GUID}
ENABLE, DISABLE = EnableSubscription(**OPERATED), DisableSubscription(**OPERATED)
DELETE, CASCADE = DeleteSubscription(**OPERATED), DeleteSubscription(**OPERATED, cascade=True)
FAIL, COMPLETE = FailSubscriptionDeletion(**OPERATED), CompleteSubscriptionDeletion(**OPERATED)

ROADS = {
    "Enabled": (),
    "Disabled": (DISABLE,),
    "Deleting": (DELETE,),
    "PartiallyDeleted": (DELETE, FAIL),
    "Deleted": (DELETE, COMPLETE),
}
LEGAL = {
    ("Enabled", "Disabled"): DISABLE,
    ("Disabled", "Enabled"): ENABLE,
    ("Enabled", "Deleting"): DELETE,
    ("Disabled", "Deleting"): DELETE,
    ("PartiallyDeleted", "Deleting"): DELETE,
    ("Deleting", "PartiallyDeleted"): FAIL,
    ("Deleting", "Deleted"): COMPLETE,
}
COMMANDS = {"Enabled": ENABLE, "Disabled": DISABLE, "Deleting": DELETE, "PartiallyDeleted": FAIL, "Deleted": COMPLETE}


def subscribed(state: str) -> ControlPlane:
    return with_offer().given(subscribe(), *ROADS[state])


@pytest.mark.parametrize(("before", "after"), [(before, after) for before in ROADS for after in ROADS])
def test_a_state_is_followed_only_by_those_that_may_follow_it(before: str, after: str) -> None:
    plane = subscribed(before)
    if before == after:
        assert plane.when(COMMANDS[after]) == []
    elif (before, after) in LEGAL:
        plane.given(LEGAL[before, after])
        assert plane.state(TENANT_SUBSCRIPTION)["state"] == after
    else:
        plane.refuses(COMMANDS[after], "subscription-transition")


@pytest.mark.parametrize("command", [DisableSubscription, DeleteSubscription])
def test_the_provider_subscription_stays(command: type[OperatedSubscription]) -> None:
    operated = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": PROVIDER_GUID}
    provider().refuses(command(**operated), "provider-subscription-stays")


def test_a_subscription_with_resources_is_deleted_by_cascade_only() -> None:
    plane = with_tenant()
    assert GROUP in str(plane.refuses(DELETE, "subscription-empty"))
    assert types(plane.when(CASCADE)) == [
        ("resource-group.deleted", GROUP),
        ("subscription.deletion-started", TENANT_SUBSCRIPTION),
    ]


def test_a_deleted_vault_still_holds_its_subscription() -> None:
    plane = with_vault().given(DeleteVault(id=VAULT))
    assert VAULT in str(plane.refuses(DELETE, "subscription-empty"))


def test_cascade_takes_everything_along_in_one_event_each() -> None:
    plane = with_vault()
    first, second = set_secret(plane, "k1"), set_secret(plane, "k2")
    plane.given(AcquirePlan(subscription_id=TENANT_GUID, plan_id=ADDON_PLAN, acquisition_id=OTHER_GUID))
    acquired = acquired_plan_id(TENANT_SUBSCRIPTION, OTHER_GUID)
    assert types(plane.when(CASCADE)) == [
        ("secret-version.purged", first),
        ("secret-version.purged", second),
        ("secret.purged", SECRET),
        ("vault.purged", VAULT),
        ("resource-group.deleted", GROUP),
        ("acquired-plan.deleted", acquired),
        ("subscription.deletion-started", TENANT_SUBSCRIPTION),
    ]
    assert all(plane.find(gone) is None for gone in (first, second, SECRET, VAULT, GROUP, acquired))


def test_a_deletion_releases_acquired_plans_without_cascade_too() -> None:
    plane = subscribed("Enabled")
    plane.given(AcquirePlan(subscription_id=TENANT_GUID, plan_id=ADDON_PLAN, acquisition_id=OTHER_GUID))
    assert [kind for kind, _ in types(plane.when(DELETE))] == ["acquired-plan.deleted", "subscription.deletion-started"]


def test_purge_protection_keeps_the_subscription_until_its_vaults_may_go() -> None:
    plane = with_vault(enable_purge_protection=True, soft_delete_retention_in_days=7)
    assert plane.refuses(CASCADE, "purge-protection").resource == VAULT
    plane.given(DeleteVault(id=VAULT)).after_days(6).refuses(CASCADE, "purge-protection")
    plane.after_days(1).given(CASCADE)


def test_assignments_and_management_group_stay_until_the_deletion_is_complete() -> None:
    plane = subscribed("Enabled").given(
        *built_in_role_events(),
        AssignRole(
            scope_id=TENANT_SUBSCRIPTION,
            role_definition_id=OWNER,
            principal_id=TENANT_OBJECT,
            name=OTHER_GUID,
        ),
        CreateManagementGroup(name="north"),
        AddSubscriptionToManagementGroup(management_group_id=management_group_id("north"), subscription_id=TENANT_GUID),
    )
    assert [kind for kind, _ in types(plane.when(DELETE))] == ["subscription.deletion-started"]
    placed = f"{management_group_id('north')}/subscriptions/{TENANT_GUID}"
    assert types(plane.when(COMPLETE)) == [
        ("role-assignment.deleted", role_assignment_id(TENANT_SUBSCRIPTION, OTHER_GUID)),
        ("management-group-subscription.deleted", placed),
        ("subscription.deleted", TENANT_SUBSCRIPTION),
    ]


def test_cascade_takes_assignments_on_resources_along() -> None:
    plane = with_vault().given(
        *built_in_role_events(),
        AssignRole(
            scope_id=VAULT,
            role_definition_id=OWNER,
            principal_id=TENANT_OBJECT,
            name=OTHER_GUID,
        ),
        AssignRole(
            scope_id=GROUP,
            role_definition_id=OWNER,
            principal_id=TENANT_OBJECT,
            name=TENANT_GUID,
        ),
    )
    assert [kind for kind, _ in types(plane.when(CASCADE))] == [
        "role-assignment.deleted",
        "vault.purged",
        "role-assignment.deleted",
        "resource-group.deleted",
        "subscription.deletion-started",
    ]


def test_a_delegated_provider_is_not_deleted_as_a_subscription() -> None:
    plane = subscribed("Enabled")
    plane.given(CreateDelegatedProvider(provider_subscription_id=PROVIDER_GUID, subscription_id=TENANT_GUID))
    plane.refuses(DELETE, "subscription-unused")
    plane.given(DeleteDelegatedProvider(id=delegated_provider_id(PROVIDER_GUID, TENANT_GUID)), DELETE)


@pytest.mark.parametrize("state", ["Disabled", "Deleting", "PartiallyDeleted", "Deleted"])
def test_only_an_enabled_subscription_takes_new_resources(state: str) -> None:
    plane = subscribed(state)
    group = CreateResourceGroup(subscription_id=TENANT_GUID, name="late", location="east")
    plane.refuses(group, "subscription-enabled")
    if state == "Disabled":
        plane.given(ENABLE, group)


def test_assignments_on_what_is_in_the_subscription_go_with_it() -> None:
    plane = with_tenant().given(*built_in_role_events())
    for scope in (TENANT_SUBSCRIPTION, f"{TENANT_SUBSCRIPTION}/providers/Microsoft.Billing/budgets/b"):
        plane.given(AssignRole(scope_id=scope, role_definition_id=OWNER, principal_id=TENANT_OBJECT))
    plane.given(DeleteSubscription(**OPERATED, cascade=True))
    happened = [name for name, _ in types(plane.when(CompleteSubscriptionDeletion(**OPERATED)))]
    assert happened == ["role-assignment.deleted", "role-assignment.deleted", "subscription.deleted"]
