"""Policies on a request."""

from typing import Any

import pytest

from domain.management_group import AddSubscriptionToManagementGroup, CreateManagementGroup, management_group_id
from domain.policy_assignment import AssignPolicy, UnassignPolicy, policy_assignment_id
from domain.policy_definition import DefinePolicy, UpdatePolicy, policy_definition_id
from projections.policy import PolicyFinding, evaluate
from tests.domain.estate import MACHINE, NORTH, NORTH_GROUP, NORTH_GUID, SOUTH, estate
from tests.domain.scenario import ControlPlane

POLICY = policy_definition_id("/", "locations")
CORP = management_group_id("Corp")
MACHINE_SOUTH = {"type": "Microsoft.Compute/virtualMachines", "name": "vm-1", "location": "south"}
RULE = {"if": {"field": "location", "notIn": "[parameters('allowed')]"}, "then": {"effect": "[parameters('effect')]"}}
PARAMETERS = {
    "allowed": {"type": "Array", "defaultValue": ["north"]},
    "effect": {"type": "String", "defaultValue": "deny"},
}


def with_policy(scope: str = NORTH, definition: dict[str, Any] | None = None, **assignment: Any) -> ControlPlane:
    """The estate with a policy on locations, assigned at a scope."""
    fields = {"name": "locations", "policyRule": RULE, "parameters": PARAMETERS, **(definition or {})}
    return estate().given(
        CreateManagementGroup(name="Corp"),
        AddSubscriptionToManagementGroup(management_group_id=CORP, subscription_id=NORTH_GUID),
        DefinePolicy.model_validate(fields),
        AssignPolicy.model_validate({"name": "a", "scopeId": scope, "policyDefinitionId": POLICY, **assignment}),
    )


def outcomes(plane: ControlPlane, scope: str = NORTH_GROUP, **request: Any) -> list[str]:
    """Return the bare outcomes."""
    return [finding.outcome for finding in evaluate(plane.world, scope, {**MACHINE_SOUTH, **request})]


def test_a_denying_policy_is_named_with_its_assignment() -> None:
    plane = with_policy(displayName="Only north")
    assert evaluate(plane.world, NORTH_GROUP, MACHINE_SOUTH) == [
        PolicyFinding("deny", policy_assignment_id(NORTH, "a"), POLICY, "policy Only north denies it")
    ]


def test_a_request_that_the_rule_does_not_meet_has_no_finding() -> None:
    assert outcomes(with_policy(), location="NORTH") == []


def test_parameters_of_the_assignment_replace_the_defaults() -> None:
    plane = with_policy(parameters={"allowed": {"value": ["east"]}, "effect": {"value": "Audit"}})
    assert outcomes(plane, location="north") == ["audit"]
    assert outcomes(plane, location="east") == []


@pytest.mark.parametrize("scope", ["/", CORP, NORTH, NORTH_GROUP])
def test_a_policy_counts_at_its_scope_and_below(scope: str) -> None:
    plane = with_policy(scope)
    assert outcomes(plane) == ["deny"]
    assert outcomes(plane, MACHINE) == ["deny"]
    assert outcomes(plane, SOUTH) == (["deny"] if scope == "/" else [])


def test_the_nearest_policies_come_first() -> None:
    plane = with_policy("/").given(
        AssignPolicy(name="b", scope_id=NORTH, policy_definition_id=POLICY, parameters={"effect": {"value": "audit"}})
    )
    assert outcomes(plane) == ["audit", "deny"]


def test_a_rule_that_uses_more_is_reported_as_not_evaluated() -> None:
    plane = with_policy(definition={"policyRule": {"if": {"field": "name", "match": "?"}, "then": {"effect": "deny"}}})
    (finding,) = evaluate(plane.world, NORTH_GROUP, MACHINE_SOUTH)
    assert finding.outcome == "not-evaluated"
    assert finding.reason == f"policy {policy_assignment_id(NORTH, 'a')} is not evaluated: operator 'match'"


def test_an_indexed_policy_leaves_resource_groups_and_subscriptions_alone() -> None:
    plane = with_policy(definition={"mode": "Indexed"})
    assert outcomes(plane, type="Microsoft.Resources/subscriptions/resourceGroups") == []
    assert outcomes(plane) == ["deny"]
    plane.given(UpdatePolicy(id=POLICY, mode="All"))
    assert outcomes(plane, type="Microsoft.Resources/subscriptions/resourceGroups") == ["deny"]


def test_an_unassigned_policy_does_not_count() -> None:
    plane = with_policy().given(UnassignPolicy(id=policy_assignment_id(NORTH, "a")))
    assert outcomes(plane) == []
