"""Policy rules: what they say of a request, and which ones are not evaluated."""

from typing import Any

import pytest

from domain.policy_rule import AllOf, Field, Not, NotEvaluated, PolicyRule, parse

REQUEST = {
    "type": "Microsoft.Storage/storageAccounts",
    "name": "stdata01",
    "location": "local",
    "tags": {"costCenter": "4711", "Owner": "team-a"},
    "supportsHttpsTrafficOnly": False,
    "Microsoft.Storage/storageAccounts/sku.name": "Standard_LRS",
    "instances": 3,
}


def holds(condition: Any, **parameters: Any) -> bool:
    return parse({"if": condition, "then": {"effect": "deny"}}, parameters).condition.holds(REQUEST)


def why_not(rule: Any, **parameters: Any) -> str:
    with pytest.raises(NotEvaluated) as caught:
        parse(rule, parameters)
    return str(caught.value)


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "type", "equals": "microsoft.storage/STORAGEACCOUNTS"},
        {"field": "Location", "in": ["elsewhere", "LOCAL"]},
        {"field": "location", "notIn": ["north", "south"]},
        {"field": "name", "like": "st*01"},
        {"field": "name", "notEquals": "other"},
        {"field": "tags.costcenter", "equals": "4711"},
        {"field": "tags['costCenter']", "equals": 4711},
        {"field": "tags[Owner]", "exists": "true"},
        {"field": "tags.missing", "exists": False},
        {"field": "supportsHttpsTrafficOnly", "equals": "false"},
        {"field": "supportsHttpsTrafficOnly", "exists": True},
        {"field": "Microsoft.Storage/storageAccounts/sku.name", "like": "standard*"},
        {"field": "instances", "equals": 3},
        {"field": "kind", "notEquals": "BlobStorage"},
        {"field": "kind", "notIn": ["BlobStorage"]},
        {"not": {"field": "location", "equals": "elsewhere"}},
        {"allOf": []},
        {"ANYOF": [{"field": "location", "equals": "x"}, {"field": "name", "exists": "True"}]},
    ],
)
def test_a_condition_holds(condition: Any) -> None:
    assert holds(condition)
    assert not holds({"not": condition})


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "kind", "equals": ""},
        {"field": "kind", "in": ["BlobStorage"]},
        {"field": "kind", "like": "*"},
        {"field": "kind", "exists": "true"},
        {"field": "name", "exists": "false"},
        {"field": "tags", "equals": "4711"},
        {"anyOf": []},
        {"allOf": [{"field": "name", "exists": "true"}, {"field": "location", "equals": "x"}]},
    ],
)
def test_a_condition_does_not_hold(condition: Any) -> None:
    assert not holds(condition)


def test_a_rule_becomes_a_typed_tree() -> None:
    rule = {
        "if": {"allOf": [{"not": {"field": "location", "in": ["local"]}}, {"field": "name", "like": "x*"}]},
        "then": {"effect": "Audit"},
    }
    tree = AllOf((Not(Field("location", "in", ["local"])), Field("name", "like", "x*")))
    assert parse(rule, {}) == PolicyRule(tree, "audit")


def test_parameters_stand_for_values_lists_fields_and_the_effect() -> None:
    rule = {
        "if": {"field": "[parameters('where')]", "notIn": "[ parameters( 'Allowed' ) ]"},
        "then": {"effect": "[parameters('effect')]"},
    }
    parsed = parse(rule, {"where": "location", "allowed": ["local"], "effect": "deny"})
    assert parsed == PolicyRule(Field("location", "notin", ["local"]), "deny")


def test_two_brackets_stand_for_one() -> None:
    assert parse({"if": {"field": "name", "equals": "[[x]"}, "then": {"effect": "deny"}}, {}).condition == Field(
        "name", "equals", "[x]"
    )


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ({"field": "name", "contains": "x"}, "operator 'contains'"),
        ({"field": "name", "match": "x"}, "operator 'match'"),
        ({"value": "x", "equals": "x"}, "'equals' instead of a field"),
        ({"count": {"field": "x[*]"}, "greater": 1}, "'count' instead of a field"),
        ({"field": "Microsoft.Network/x/rules[*].port", "equals": 1}, "field 'Microsoft.Network/x/rules[*].port'"),
        ({"field": "name", "equals": "[concat('a', 'b')]"}, "expression \"[concat('a', 'b')]\""),
        ({"field": "name", "equals": "[parameters('missing')]"}, "parameter 'missing' has no value"),
        ({"field": "name", "equals": ["a"]}, "operator 'equals' with a value of another form"),
        ({"field": "name", "in": "a"}, "operator 'in' with a value of another form"),
        ({"field": "name", "equals": None}, "operator 'equals' with a value of another form"),
        ({"field": "name", "exists": "perhaps"}, "operator 'exists' with a value of another form"),
        ({"field": "name"}, "field 'name' with 0 operators"),
        ({"field": "name", "like": "a", "equals": "b"}, "field 'name' with 2 operators"),
        ({"allOf": [], "field": "name"}, "'field' beside 'allof'"),
        ({"allOf": {}}, "allof without a list"),
        ({"allOf": ["x"]}, "a condition that is no object"),
        ({}, "an empty condition"),
    ],
)
def test_a_rule_with_more_is_not_evaluated_and_the_reason_names_it(condition: Any, named: str) -> None:
    assert named in why_not({"if": {"allOf": [condition]}, "then": {"effect": "deny"}})


@pytest.mark.parametrize("effect", ["append", "deployIfNotExists", "disabled"])
def test_another_effect_is_not_evaluated(effect: str) -> None:
    assert why_not({"if": {"allOf": []}, "then": {"effect": effect}}) == f"effect {effect!r}"


def test_a_rule_without_an_effect_is_not_evaluated() -> None:
    assert why_not({"if": {"allOf": []}, "then": {}}) == "the rule has no effect"


def test_a_rule_with_a_further_part_is_not_evaluated() -> None:
    assert why_not({"if": {"allOf": []}, "then": {"effect": "deny"}, "else": {}}) == "the rule has a part 'else'"


def test_a_rule_nested_beyond_the_limit_is_not_evaluated() -> None:
    condition: Any = {"allOf": []}
    for _ in range(200):
        condition = {"not": condition}
    assert "nested deeper" in why_not({"if": condition, "then": {"effect": "deny"}})
