"""Derived facts: recovery levels, and the mark of a policy that is not evaluated."""

from typing import Any

import pytest

from domain.policy_assignment import AssignPolicy, policy_assignment_id
from domain.policy_definition import DefinePolicy, policy_definition_id
from domain.vault import UpdateVault
from projections.derived import derived
from tests.domain.scenario import ControlPlane
from tests.domain.tenants import SECRET, VAULT, set_secret, with_vault

POLICY = policy_definition_id("/", "p")
ASSIGNMENT = policy_assignment_id("/", "a")


def facts(plane: ControlPlane, resource: str) -> dict[str, str]:
    found = plane.find(resource)
    assert found is not None
    return derived(plane.world, found)


def define(condition: Any, then: str = "deny", **parameters: str) -> DefinePolicy:
    rule = {"if": condition, "then": {"effect": then}}
    return DefinePolicy(name="p", policy_rule=rule, parameters={n: {"type": t} for n, t in parameters.items()})


def test_a_secret_and_its_versions_have_the_recovery_level_of_their_vault() -> None:
    plane = with_vault()
    version = set_secret(plane)
    for resource in (SECRET, version):
        assert facts(plane, resource) == {"recoveryLevel": "Recoverable+Purgeable"}
    plane.given(UpdateVault(id=VAULT, enable_purge_protection=True))
    assert facts(plane, version) == {"recoveryLevel": "Recoverable"}
    assert facts(plane, VAULT) == {}


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ({"field": "name", "contains": "x"}, "operator 'contains'"),
        ({"count": {"field": "x"}, "equals": 1}, "a condition on 'count' instead of a field"),
    ],
)
def test_a_policy_that_uses_more_is_marked_where_it_is_defined_and_assigned(condition: Any, why: str) -> None:
    plane = ControlPlane().given(define(condition), AssignPolicy(name="a", scope_id="/", policy_definition_id=POLICY))
    assert facts(plane, POLICY) == facts(plane, ASSIGNMENT) == {"notEvaluated": why}


def test_a_policy_that_is_understood_is_not_marked() -> None:
    condition = {"field": "location", "in": "[parameters('allowed')]"}
    plane = ControlPlane().given(define(condition, "[parameters('effect')]", allowed="Array", effect="String"))
    assert facts(plane, POLICY) == {}
    values: dict[str, Any] = {"allowed": {"value": ["east"]}, "effect": {"value": "audit"}}
    assign = {"name": "a", "scope_id": "/", "policy_definition_id": POLICY}
    assert facts(plane.given(AssignPolicy.model_validate({**assign, "parameters": values})), ASSIGNMENT) == {}


def test_a_policy_is_marked_where_its_parameters_make_it_one_that_uses_more() -> None:
    plane = ControlPlane().given(
        define({"field": "name", "exists": "[parameters('there')]"}, "[parameters('e')]", there="Boolean", e="String")
    )
    assert facts(plane, POLICY) == {}
    for name, effect in (("a", "append"), ("b", "deny")):
        values: dict[str, Any] = {"there": {"value": True}, "e": {"value": effect}}
        plane.given(AssignPolicy(name=name, scope_id="/", policy_definition_id=POLICY, parameters=values))
    assert facts(plane, ASSIGNMENT) == {"notEvaluated": "effect 'append'"}
    assert facts(plane, policy_assignment_id("/", "b")) == {}
