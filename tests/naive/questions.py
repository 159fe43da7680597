"""Naive answers: who may do what, what a subscription gets, what would be admitted; by looking at everything."""

import re
from collections.abc import Mapping

from tests.naive.identity import groups_of
from tests.naive.offerings import LIMITS
from tests.naive.roles import encloses
from tests.naive.world import Json, World, same, scope_of

Amounts = Mapping[str, Mapping[str, int]]


def matches(pattern: str, text: str) -> bool:
    """Say whether a text matches a pattern, where `*` stands for anything, whatever the case."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.IGNORECASE | re.DOTALL) is not None


# Access


def active_principal(world: World, object_id: str) -> Json | None:
    """Return the principal that exists and is not disabled."""
    for kind in ("user", "group", "service-principal"):
        for principal in world.where(kind, objectId=object_id):
            return principal if principal.get("accountEnabled", True) else None
    return None


def grants(role: Json, action: str, *, data: bool) -> bool:
    """Say whether one block of the role names the action, does not take it away, and has no condition."""
    plus, minus = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(
        any(matches(pattern, action) for pattern in block[plus])
        and not any(matches(pattern, action) for pattern in block[minus])
        and "condition" not in block
        for block in role["permissions"]
    )


def may(world: World, object_id: str, action: str, scope: str, *, data: bool = False) -> bool:
    """Say whether a principal may: by a role of its own or of a group, or as the owner of a subscription."""
    principal = active_principal(world, object_id)
    if principal is None:
        return False
    identities = groups_of(world, object_id)
    held = [a for a in world.all("role-assignment") if a["principalId"].lower() in identities]
    roles = [world.need("role-definition", a["roleDefinitionId"]) for a in held if encloses(world, a["scope"], scope)]
    owned = [
        subscription
        for subscription in world.all("subscription")
        if same(subscription["owner"], principal.get("userPrincipalName")) and subscription["state"] != "Deleted"
    ]
    is_owner = any(encloses(world, subscription["id"], scope) for subscription in owned)
    return (is_owner and not data) or any(grants(role, action, data=data) for role in roles)


def may_in_vault(world: World, object_id: str, permission: str, vault_id: str) -> bool:
    """Say whether an access policy gives a principal, itself or through groups, a permission such as `secrets/get`."""
    vault = world.get("vault", vault_id)
    if active_principal(world, object_id) is None or vault is None or "deletionDate" in vault:
        return False
    kind, name = permission.split("/")
    return any(
        policy["objectId"].lower() in groups_of(world, object_id)
        and "applicationId" not in policy
        and name in policy["permissions"][kind]
        for policy in vault["accessPolicies"]
    )


# Quotas


def effective_quotas(world: World, subscription_id: str) -> dict[str, dict[str, int]]:
    """Return what a subscription gets of each service that it is offered: base plans and acquired plans add up."""
    subscription = world.need("subscription", subscription_id)
    offer = world.get("offer", subscription.get("offerId", ""))
    plans = [*offer["basePlanIds"]] if offer else []
    plans += [acquired["planId"] for acquired in world.inside("acquired-plan", subscription_id)]
    total: dict[str, dict[str, int]] = {}
    for plan in plans:
        for quota_id in world.need("plan", plan)["quotaIds"]:
            for service, limits in LIMITS.items():
                quota = world.get(f"{service}-quota", quota_id)
                if quota is not None:
                    sum_before = total.setdefault(service, dict.fromkeys(limits, 0))
                    total[service] = {limit: sum_before[limit] + quota[limit] for limit in limits}
    return total


def is_within_quotas(world: World, subscription_id: str, request: Amounts, use: Amounts) -> bool:
    """Say whether an Enabled subscription may have what is requested on top of what it uses."""
    quotas = effective_quotas(world, subscription_id)
    for service, fields in request.items():
        for field, amount in fields.items():
            total = amount + use.get(service, {}).get(field, 0)
            is_within = service in quotas and total <= quotas[service].get(field, total)
            if amount > 0 and not is_within:
                return False
    return bool(world.need("subscription", subscription_id)["state"] == "Enabled")


# Policies


def holds(condition: Json, resource: Json) -> bool:
    """Say whether a policy's condition holds of a resource; KeyError if it uses what is not evaluated."""
    if "allOf" in condition:
        return all(holds(part, resource) for part in condition["allOf"])
    if "anyOf" in condition:
        return any(holds(part, resource) for part in condition["anyOf"])
    if "not" in condition:
        return not holds(condition["not"], resource)
    tag = re.fullmatch(r"tags\['(.*)'\]", condition["field"])
    value = resource.get("tags", {}).get(tag[1]) if tag else resource.get(condition["field"])
    [(operator, expected)] = [(name, expected) for name, expected in condition.items() if name != "field"]
    found = None if value is None else str(value).lower()
    if operator == "exists":
        return (value is not None) == (str(expected).lower() == "true")
    answers = {
        "equals": lambda: found == str(expected).lower(),
        "notEquals": lambda: found != str(expected).lower(),
        "in": lambda: found in [str(one).lower() for one in expected],
        "notIn": lambda: found not in [str(one).lower() for one in expected],
        "like": lambda: found is not None and matches(expected, found),
    }
    return answers[operator]()


def filled_in(part: object, values: Json) -> object:
    """Return the rule with `[parameters('x')]` replaced."""
    if isinstance(part, dict):
        return {name: filled_in(value, values) for name, value in part.items()}
    if isinstance(part, list):
        return [filled_in(value, values) for value in part]
    found = re.fullmatch(r"\[parameters\('(.*)'\)\]", str(part))
    return values[found[1]] if found else part


def policy_says(world: World, assignment: Json, resource: Json) -> str | None:
    """Return what an assignment says of a resource: deny, audit, not-evaluated, or nothing."""
    definition = world.need("policy-definition", assignment["policyDefinitionId"])
    parameters = definition.get("parameters", {})
    values = {name: parameter.get("defaultValue") for name, parameter in parameters.items()}
    values |= {name: chosen["value"] for name, chosen in assignment.get("parameters", {}).items()}
    rule = definition["policyRule"]
    if definition["mode"] == "Indexed" and resource["type"].startswith("Microsoft.Resources/subscriptions"):
        return None
    if rule["then"]["effect"] not in ("deny", "audit"):
        return "not-evaluated"
    try:
        is_met = holds(filled_in(rule["if"], values), resource)  # type: ignore[arg-type]  # a rule's `if` is an object
    except KeyError:
        return "not-evaluated"
    return str(rule["then"]["effect"]) if is_met else None


def policies_say(world: World, scope: str, resource: Json) -> list[tuple[str, str]]:
    """Return what every policy that applies at a scope says of a resource, as (assignment, outcome), sorted."""
    assignments = [a for a in world.all("policy-assignment") if encloses(world, scope_of(a["id"]), scope)]
    said = [(a["id"].lower(), policy_says(world, a, resource)) for a in assignments]
    return sorted((assignment, outcome) for assignment, outcome in said if outcome is not None)
