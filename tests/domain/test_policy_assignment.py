"""Policy assignments."""

from typing import Any

import pytest

from domain.policy_assignment import (
    AssignPolicy,
    PolicyAssigned,
    PolicyAssignmentChanged,
    PolicyUnassigned,
    UnassignPolicy,
    UpdatePolicyAssignment,
    policy_assignment_id,
)
from domain.policy_definition import DefinePolicy, policy_definition_id
from tests.domain.estate import MACHINE, NORTH, NORTH_GROUP, SOUTH, estate
from tests.domain.scenario import ControlPlane

POLICY = policy_definition_id("/", "locations")
OF_NORTH = policy_definition_id(NORTH, "locations")
PARAMETERS = {
    "allowed": {"type": "Array"},
    "effect": {"type": "String", "defaultValue": "audit", "allowedValues": ["audit", "deny"]},
}
LOCAL: dict[str, Any] = {"allowed": {"value": ["local"]}}


def defined() -> ControlPlane:
    """The estate with a policy at the root, and one in a subscription."""
    rule = {
        "if": {"field": "location", "notIn": "[parameters('allowed')]"},
        "then": {"effect": "[parameters('effect')]"},
    }
    definition = {"name": "locations", "policyRule": rule, "parameters": PARAMETERS}
    return estate().given(
        DefinePolicy.model_validate(definition), DefinePolicy.model_validate({**definition, "scopeId": NORTH})
    )


def assign(scope: str = NORTH, policy: str = POLICY, **fields: Any) -> AssignPolicy:
    """Return the command."""
    return AssignPolicy.model_validate(
        {"name": "here", "scopeId": scope, "policyDefinitionId": policy, "parameters": LOCAL, **fields}
    )


@pytest.mark.parametrize("scope", ["/", NORTH, NORTH_GROUP, MACHINE])
def test_a_policy_is_assigned_at_any_scope(scope: str) -> None:
    assert defined().when(assign(scope.upper(), POLICY.upper(), displayName="Here")) == [
        PolicyAssigned(
            policy_assignment_id(scope.upper(), "here"),
            {
                "displayName": "Here",
                "policyDefinitionId": POLICY,
                "scope": scope_as_written(scope),
                "parameters": LOCAL,
            },
        )
    ]


def scope_as_written(scope: str) -> str:
    """Return the scope as recorded; a machine is no recorded resource and stays as the command wrote it."""
    return scope.upper() if scope == MACHINE else scope


def test_a_name_is_unique_at_a_scope() -> None:
    plane = defined().given(assign())
    plane.refuses(assign(name="HERE"), "id-is-new")
    plane.given(assign(SOUTH), assign(name="there"))


def test_what_an_assignment_names_exists() -> None:
    defined().refuses(assign("/subscriptions/unknown"), "scope-exists")
    defined().refuses(assign(policy=policy_definition_id("/", "unknown")), "policy-exists")


def test_a_policy_is_assigned_where_it_is_defined_or_below() -> None:
    plane = defined()
    plane.given(assign(NORTH, OF_NORTH), assign(MACHINE, OF_NORTH))
    plane.refuses(assign(SOUTH, OF_NORTH), "policy-assignable-at-scope")
    plane.refuses(assign("/", OF_NORTH), "policy-assignable-at-scope")


@pytest.mark.parametrize(
    "parameters",
    [
        None,
        {},
        {**LOCAL, "unknown": {"value": 1}},
        {**LOCAL, "effect": {"value": "append"}},
        {"effect": {"value": "deny"}},
    ],
)
def test_parameters_fit_the_definition(parameters: Any) -> None:
    plane = defined()
    plane.refuses(assign(parameters=parameters), "policy-parameters-fit")
    plane.given(assign(parameters={**LOCAL, "effect": {"value": "deny"}}))
    if parameters is not None:
        update = {"id": policy_assignment_id(NORTH, "here"), "parameters": parameters}
        plane.refuses(UpdatePolicyAssignment.model_validate(update), "policy-parameters-fit")


def test_an_assignment_is_updated_with_what_differs() -> None:
    plane = defined().given(assign())
    assignment = policy_assignment_id(NORTH, "here")
    update = UpdatePolicyAssignment.model_validate({"id": assignment, "description": "why", "parameters": LOCAL})
    assert plane.when(update) == [PolicyAssignmentChanged(assignment, {"description": "why"})]
    assert plane.when(update) == []
    unknown = UpdatePolicyAssignment(id=policy_assignment_id(SOUTH, "here"), description="x")
    plane.refuses(unknown, "policy-assignment-exists")


def test_a_policy_is_unassigned() -> None:
    plane = defined().given(assign())
    assignment = policy_assignment_id(NORTH, "here")
    assert plane.when(UnassignPolicy(id=assignment)) == [PolicyUnassigned(assignment, {})]
    plane.refuses(UnassignPolicy(id=assignment), "policy-assignment-exists")
