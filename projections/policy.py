"""Policy: what the policies that are assigned at a scope and above say of a request to create something there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from domain.management_group import enclosing_scopes
from domain.policy_assignment import POLICY_ASSIGNMENT, PolicyAssignment
from domain.policy_definition import POLICY_DEFINITION, PolicyDefinition, values_of
from domain.policy_rule import NotEvaluated, Request, parse
from domain.resource import World
from domain.scope import RESOURCE_GROUP_TYPE, SUBSCRIPTION_TYPE

Outcome = Literal["deny", "audit", "not-evaluated"]

NOT_INDEXED = frozenset({SUBSCRIPTION_TYPE.lower(), RESOURCE_GROUP_TYPE.lower()})
"""What a policy of mode Indexed leaves alone: such policies are about resources."""


STAND_INS: Mapping[str, JsonValue] = {"array": [], "boolean": True}


@dataclass(frozen=True, slots=True)
class PolicyFinding:
    """What one assignment says of a request: it denies it, audits it, or was not evaluated for the reason given."""

    outcome: Outcome
    assignment: str
    definition: str
    reason: str


def evaluate(world: World, scope: str, request: Request) -> list[PolicyFinding]:
    """Return the findings on a request at a scope, the nearest scope's first; an assignment that has none is left out.

    A request has `type`, `name`, `location`, `tags` and any further fields by the names that policies use.
    """
    findings = []
    for enclosing in enclosing_scopes(world, scope):
        for _, assignment in POLICY_ASSIGNMENT.sources(world, enclosing, "scope"):
            finding = _finding(world, assignment, request)
            if finding is not None:
                findings.append(finding)
    return findings


def why_not_assigned(definition: PolicyDefinition, assignment: PolicyAssignment) -> str | None:
    """Say why the rule is not evaluated where it is assigned; None if it is."""
    return _why_not(definition, values_of(definition, assignment.get("parameters", {})))


def why_not_defined(definition: PolicyDefinition) -> str | None:
    """Say why the rule is not evaluated wherever it is assigned; None if that depends on the assignment, or if it is.

    A parameter without a default counts as one that a rule understands, as a value or as the effect.
    """
    stand_ins: dict[str, JsonValue] = {
        name: STAND_INS.get(str(parameter["type"]).casefold(), "deny")
        for name, parameter in definition.get("parameters", {}).items()
    }
    return _why_not(definition, stand_ins | values_of(definition, {}))


def _why_not(definition: PolicyDefinition, values: Mapping[str, JsonValue]) -> str | None:
    try:
        parse(definition["policyRule"], values)
    except NotEvaluated as unknown:
        return str(unknown)
    return None


def _finding(world: World, assignment: PolicyAssignment, request: Request) -> PolicyFinding | None:
    definition = POLICY_DEFINITION.need(world, assignment["policyDefinitionId"], rule="policy-exists")
    if definition["mode"] == "Indexed" and str(request.get("type", "")).lower() in NOT_INDEXED:
        return None
    ids = assignment["id"], definition["id"]
    shown = assignment.get("displayName") or definition.get("displayName") or assignment["id"]
    try:
        rule = parse(definition["policyRule"], values_of(definition, assignment.get("parameters", {})))
    except NotEvaluated as unknown:
        return PolicyFinding("not-evaluated", *ids, f"policy {shown} is not evaluated: {unknown}")
    if not rule.condition.holds(request):
        return None
    return PolicyFinding(rule.effect, *ids, f"policy {shown} {'denies' if rule.effect == 'deny' else 'audits'} it")
