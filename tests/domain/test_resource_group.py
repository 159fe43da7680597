"""Resource groups: names, tags, and what holds a group."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.built_in_role import OWNER, built_in_role_events
from domain.policy_assignment import AssignPolicy
from domain.policy_definition import DefinePolicy, policy_definition_id
from domain.resource_group import CreateResourceGroup, DeleteResourceGroup, TagResourceGroup
from domain.role_assignment import ROLE_ASSIGNMENT, AssignRole
from domain.subscription_state import DisableSubscription
from domain.vault import DeleteVault, RecoverVault
from tests.domain.tenants import (
    GROUP,
    OTHER_GUID,
    PLANS,
    PROVIDER_GUID,
    TENANT_GUID,
    TENANT_OBJECT,
    TENANT_SUBSCRIPTION,
    VAULT,
    set_secret,
    types,
    with_offer,
    with_tenant,
    with_vault,
)


def create(**given: Any) -> CreateResourceGroup:
    return CreateResourceGroup.model_validate(
        {"subscription_id": TENANT_GUID, "name": "app", "location": "east", **given}
    )


def test_a_resource_group_has_a_location_and_tags() -> None:
    plane = with_tenant()
    plane.given(create(name="other", tags={"cost": "12"}))
    other = create(name="other").scope()
    assert plane.state(other) == {"id": other, "location": "east", "tags": {"cost": "12"}}
    plane.refuses(create(name="OTHER"), "id-is-new")
    plane.refuses(create(subscription_id=OTHER_GUID), "subscription-exists")


@pytest.mark.parametrize("name", ["", "ends.", "a/b", "a b", "x" * 91])
def test_a_name_that_arm_would_not_take_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        create(name=name)


@pytest.mark.parametrize("name", ["a", "x" * 90, "System.east", "(a)_b-c", "größe"])
def test_a_name_that_arm_takes_is_taken(name: str) -> None:
    assert create(name=name).scope().endswith(name)


def test_at_most_50_tags_are_taken() -> None:
    create(tags={f"t{number}": "" for number in range(50)})
    with pytest.raises(ValidationError):
        create(tags={f"t{number}": "" for number in range(51)})


def test_tags_are_replaced() -> None:
    plane = with_tenant().given(
        TagResourceGroup(id=GROUP, tags={"a": "1"}), TagResourceGroup(id=GROUP, tags={"b": "2"})
    )
    assert plane.state(GROUP)["tags"] == {"b": "2"}
    assert plane.when(TagResourceGroup(id=GROUP, tags={"b": "2"})) == []
    plane.given(DisableSubscription(provider_subscription_id=PROVIDER_GUID, subscription_id=TENANT_GUID))
    plane.refuses(TagResourceGroup(id=GROUP, tags={}), "subscription-enabled")


def test_a_group_with_a_vault_is_deleted_by_cascade_only() -> None:
    plane = with_vault()
    assert VAULT in str(plane.refuses(DeleteResourceGroup(id=GROUP), "resource-group-empty"))
    assert types(plane.when(DeleteResourceGroup(id=GROUP, cascade=True))) == [
        ("vault.deleted", VAULT),
        ("resource-group.deleted", GROUP),
    ]
    plane.refuses(RecoverVault(id=VAULT), "resource-group-exists")
    plane.given(create(), RecoverVault(id=VAULT))


def test_cascade_removes_a_vault_without_soft_delete_for_good() -> None:
    plane = with_vault(enable_soft_delete=False)
    set_secret(plane)
    happened = types(plane.when(DeleteResourceGroup(id=GROUP, cascade=True)))
    assert [name for name, _ in happened] == [
        "secret-version.purged",
        "secret.purged",
        "vault.purged",
        "resource-group.deleted",
    ]


def test_a_deleted_vault_does_not_hold_its_group() -> None:
    plane = with_vault().given(DeleteVault(id=VAULT))
    assert types(plane.when(DeleteResourceGroup(id=GROUP))) == [("resource-group.deleted", GROUP)]
    plane.refuses(DeleteResourceGroup(id=GROUP), "resource-group-exists")


def test_plans_and_offers_hold_their_group_whatever_is_asked() -> None:
    with_offer().refuses(DeleteResourceGroup(id=PLANS, cascade=True), "resource-group-empty")


def test_assignments_on_the_group_go_with_it() -> None:
    plane = with_tenant().given(
        *built_in_role_events(),
        AssignRole(scope_id=GROUP, role_definition_id=OWNER, principal_id=TENANT_OBJECT),
    )
    happened = [name for name, _ in types(plane.when(DeleteResourceGroup(id=GROUP)))]
    assert happened == ["role-assignment.deleted", "resource-group.deleted"]


MACHINE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-1"


def test_assignments_on_what_is_in_the_group_go_with_it_and_do_not_come_back() -> None:
    plane = with_vault().given(
        *built_in_role_events(),
        DefinePolicy(name="p", policy_rule={"if": {}, "then": {"effect": "audit"}}),
        AssignPolicy(name="a", scope_id=MACHINE, policy_definition_id=policy_definition_id("/", "p")),
        *(
            AssignRole(scope_id=scope, role_definition_id=OWNER, principal_id=TENANT_OBJECT)
            for scope in (MACHINE, VAULT, f"{VAULT}/secrets/db", TENANT_SUBSCRIPTION)
        ),
    )
    happened = types(plane.when(DeleteResourceGroup(id=GROUP, cascade=True)))
    assert len(set(happened)) == len(happened)
    assert sorted(name for name, _ in happened) == [
        "policy-assignment.deleted",
        "resource-group.deleted",
        "role-assignment.deleted",
        "role-assignment.deleted",
        "role-assignment.deleted",
        "vault.deleted",
    ]
    plane.given(create())
    assert [resource for resource, _ in ROLE_ASSIGNMENT.sources(plane.world, MACHINE, "scope")] == []
    assert len(ROLE_ASSIGNMENT.sources(plane.world, TENANT_SUBSCRIPTION, "scope")) == 1
