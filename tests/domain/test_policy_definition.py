"""Policy definitions."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.management_group import CreateManagementGroup, management_group_id
from domain.policy_assignment import AssignPolicy
from domain.policy_definition import (
    DefinePolicy,
    DeletePolicy,
    PolicyDefinitionChanged,
    PolicyDefinitionDeleted,
    UpdatePolicy,
    policy_definition_id,
)
from tests.domain.estate import NORTH, NORTH_GROUP, estate

CORP = management_group_id("Corp")
POLICY = policy_definition_id("/", "locations")
RULE: dict[str, Any] = {
    "if": {"not": {"field": "location", "in": "[parameters('allowed')]"}},
    "then": {"effect": "deny"},
}
PARAMETERS: dict[str, Any] = {
    "allowed": {"type": "Array", "metadata": {"strongType": "location"}, "further": None},
    "optional": {"type": "String", "defaultValue": None},
}


def define(name: str = "locations", **fields: Any) -> DefinePolicy:
    """Return the command for a policy on locations."""
    return DefinePolicy.model_validate({"name": name, "policyRule": RULE, "parameters": PARAMETERS, **fields})


def test_a_policy_is_defined_and_stored_whole() -> None:
    rule: dict[str, Any] = {
        "if": {"value": "[utcNow()]", "equals": None, "list": [None, {"a": None}]},
        "then": {"effect": "append", "details": []},
    }
    fields: dict[str, Any] = {"displayName": "Locations", "metadata": {"category": "General"}, "mode": "Indexed"}
    (event,) = estate().when(define(policyRule=rule, **fields))
    assert (event.type, event.resource) == ("policy-definition.created", POLICY)
    assert event.payload == {"policyType": "Custom", "policyRule": rule, "parameters": PARAMETERS, **fields}


def test_a_policy_is_new_and_its_scope_exists() -> None:
    estate().given(define()).refuses(define("LOCATIONS"), "id-is-new")
    estate().refuses(define(scopeId="/subscriptions/unknown"), "scope-exists")
    estate().given(define(), define(scopeId=NORTH), CreateManagementGroup(name="Corp"), define(scopeId=CORP))
    estate().refuses(define(scopeId=NORTH_GROUP), "policy-definition-scope")


@pytest.mark.parametrize(
    "rule", [{}, {"if": {}}, {"if": "x", "then": {"effect": "deny"}}, {"if": {}, "then": {"effect": 1}}]
)
def test_a_rule_has_an_if_and_a_then(rule: dict[str, Any]) -> None:
    estate().refuses(define(policyRule=rule), "policy-rule-has-if-and-then")
    estate().given(define()).refuses(UpdatePolicy(id=POLICY, policy_rule=rule), "policy-rule-has-if-and-then")


@pytest.mark.parametrize("parameter", [{}, {"type": 1}, {"type": "String", "allowedValues": "a"}])
def test_a_parameter_has_a_type_and_a_list_of_allowed_values(parameter: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        define(parameters={"p": parameter})


def test_a_policy_is_updated_with_what_differs() -> None:
    plane = estate().given(define())
    update = UpdatePolicy(id=POLICY, display_name="Where", policy_rule=RULE)
    assert plane.when(update) == [PolicyDefinitionChanged(POLICY, {"displayName": "Where"})]
    assert plane.when(update) == []
    plane.refuses(UpdatePolicy(id=f"{POLICY}-2", display_name="x"), "policy-exists")


def test_new_parameters_fit_the_assignments_that_exist() -> None:
    plane = estate().given(define())
    plane.given(
        AssignPolicy(
            name="a", scope_id=NORTH, policy_definition_id=POLICY, parameters={"allowed": {"value": ["local"]}}
        )
    )
    more = {**PARAMETERS, "why": {"type": "String"}}
    plane.refuses(UpdatePolicy.model_validate({"id": POLICY, "parameters": more}), "policy-parameters-fit")
    more["why"]["defaultValue"] = ""
    plane.given(UpdatePolicy.model_validate({"id": POLICY, "parameters": more}))


def test_a_policy_is_deleted_when_it_is_assigned_nowhere() -> None:
    plane = estate().given(define())
    plane.given(
        AssignPolicy(
            name="a", scope_id=NORTH, policy_definition_id=POLICY, parameters={"allowed": {"value": ["local"]}}
        )
    )
    plane.refuses(DeletePolicy(id=POLICY), "policy-unassigned")
    plane = estate().given(define())
    assert plane.when(DeletePolicy(id=POLICY)) == [PolicyDefinitionDeleted(POLICY, {})]
    plane.refuses(DeletePolicy(id=POLICY), "policy-exists")
