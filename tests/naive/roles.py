"""Naive roles and policies: scopes, management groups, definitions and assignments."""

import re
from collections.abc import Iterable
from typing import Any

from tests.naive.world import Json, World, given, must, provided, same, scope_of

OWNER = "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"

ASSIGNMENTS = ("role-assignment", "policy-assignment")
BELOW_SUBSCRIPTION = re.compile(
    r"(?P<subscription>/subscriptions/[^/]+)(?P<group>/resourceGroups/[^/]+)?(?P<resource>/providers/[^/]+(/[^/]+/[^/]+)+)?",
    re.IGNORECASE,
)


def management_group_id(name: str) -> str:
    return f"/providers/Microsoft.Management/managementGroups/{name}"


# Scopes


def need_scope(world: World, scope: str) -> None:
    """A scope is the root, a management group, a subscription, a resource group, or a resource below the last two."""
    if scope == "/" or world.get("management-group", scope) is not None:
        return
    found = BELOW_SUBSCRIPTION.fullmatch(scope)
    must(found, "it is a scope that exists")
    assert found is not None
    subscription = world.need("subscription", found["subscription"])
    must(subscription["state"] != "Deleted", "the subscription is not deleted")
    if found["group"]:
        world.need("resource-group", found["subscription"] + found["group"])
    vault = re.match(r".*/providers/Microsoft\.KeyVault/vaults/[^/]+", scope, re.IGNORECASE)
    if vault:
        must("deletionDate" not in world.need("vault", vault[0]), "the vault is not deleted")


def groups_above(world: World, scope: str) -> list[str]:
    """Return the management groups above a management group, or above the subscription that the scope is in."""
    above = []
    group = world.get("management-group", scope)
    if group is None:
        subscription = "/".join(scope.split("/")[:3])
        memberships = world.where("management-group-subscription", subscription=subscription)
        upper = memberships[0]["managementGroup"] if memberships else None
    else:
        upper = group.get("parent")
    while upper is not None:
        above.append(upper)
        upper = world.need("management-group", upper).get("parent")
    return above


def encloses(world: World, outer: str, inner: str) -> bool:
    """Say whether one scope is the other or encloses it."""
    by_path = outer == "/" or (inner.lower() + "/").startswith(outer.lower() + "/")
    return by_path or any(same(outer, group) for group in groups_above(world, inner))


def assignments_on(world: World, scope: str) -> list[Json]:
    """Return the role and policy assignments that stand on this scope or on what is in it."""
    inside = scope.lower() + "/"
    return [a for kind in ASSIGNMENTS for a in world.all(kind) if (a["scope"].lower() + "/").startswith(inside)]


# Management groups


def height(world: World, group: Json) -> int:
    return 1 + max((height(world, child) for child in world.where("management-group", parent=group["id"])), default=0)


def must_fit(world: World, above: str, levels: int) -> None:
    must(1 + len(groups_above(world, above)) + levels <= 6, "management groups stand six levels deep at most")


def create_management_group(world: World, a: Json, fresh: str) -> None:
    fields = {"displayName": a.get("displayName") or a["name"]}
    if "parent" in a:
        fields["parent"] = world.need("management-group", a["parent"])["id"]
        must_fit(world, fields["parent"], 1)
    world.create("management-group", management_group_id(a["name"]), fields)


def rename_management_group(world: World, a: Json, fresh: str) -> None:
    world.need("management-group", a["id"])["displayName"] = a["displayName"]


def move_management_group(world: World, a: Json, fresh: str) -> None:
    group = world.need("management-group", a["id"])
    if "parent" not in a:
        group.pop("parent", None)
        return
    above = world.need("management-group", a["parent"])["id"]
    if not same(above, group.get("parent", "")):
        must(not encloses(world, group["id"], above), "no management group stands below itself")
        must_fit(world, above, height(world, group))
        group["parent"] = above


def delete_management_group(world: World, a: Json, fresh: str) -> None:
    group = world.need("management-group", a["id"])
    users = [*world.where("management-group", parent=group["id"]), *assignments_on(world, group["id"])]
    users += world.where("management-group-subscription", managementGroup=group["id"])
    for role in world.all("role-definition"):
        users += [role for scope in [*role["assignableScopes"], scope_of(role["id"])] if same(scope, group["id"])]
    users += [policy for policy in world.all("policy-definition") if same(scope_of(policy["id"]), group["id"])]
    must(not users, "nothing is in the group, assigned on it or defined for it")
    world.delete([group])


def add_subscription(world: World, a: Json, fresh: str) -> None:
    group = world.need("management-group", a["managementGroupId"])
    subscription = f"/subscriptions/{a['subscriptionId']}"
    need_scope(world, subscription)
    world.delete(world.where("management-group-subscription", subscription=subscription))
    fields = {"managementGroup": group["id"], "subscription": subscription}
    world.create("management-group-subscription", group["id"] + subscription, fields)


def remove_subscription(world: World, a: Json, fresh: str) -> None:
    membership = f"{a['managementGroupId']}/subscriptions/{a['subscriptionId']}"
    world.delete([world.need("management-group-subscription", membership)])


# Roles


def covered(world: World, assignable_scopes: Iterable[str], scope: str) -> bool:
    return any(encloses(world, assignable, scope) for assignable in assignable_scopes)


def permission_blocks(a: Json) -> list[Json]:
    empty: Json = {"actions": [], "notActions": [], "dataActions": [], "notDataActions": []}
    return [{**empty, **given(block, *block)} for block in a["permissions"]]


def role_fields(a: Json) -> Json:
    fields = given(a, "roleName", "description", "assignableScopes")
    return {**fields, "permissions": permission_blocks(a)} if "permissions" in a else fields


def check_role(world: World, a: Json, role: Json | None) -> None:
    if "roleName" in a:
        must(world.where("role-definition", roleName=a["roleName"]) in ([], [role]), "role names are unique")
    defined_at = scope_of(role["id"]) if role is not None else a.get("scopeId", "/")
    for scope in a.get("assignableScopes", []):
        need_scope(world, scope)
        must(encloses(world, defined_at, scope), "a role is assignable only within the scope that it is defined at")
    if role is not None and "assignableScopes" in a:
        for assignment in world.where("role-assignment", roleDefinitionId=role["id"]):
            must(
                covered(world, a["assignableScopes"], assignment["scope"]), "assignments stay within the role's scopes"
            )


def define_role(world: World, a: Json, fresh: str) -> None:
    role_id = provided(a.get("scopeId", "/"), f"Microsoft.Authorization/roleDefinitions/{a['name']}")
    kind_of_role = a.get("type", "CustomRole")
    must(kind_of_role == "CustomRole" or a.get("scopeId", "/") == "/", "a built-in role is defined at the root")
    role = world.get("role-definition", role_id)
    replaces = role is not None and role["type"] == kind_of_role == "BuiltInRole"
    if not replaces:
        need_scope(world, a.get("scopeId", "/"))
    check_role(world, a, role if replaces else None)
    fields = {"description": "", **role_fields(a), "type": kind_of_role}
    if role is not None and replaces:
        role |= fields
    else:
        world.create("role-definition", role_id, fields)


def need_custom(world: World, role_id: str) -> Json:
    role = world.need("role-definition", role_id)
    must(role["type"] == "CustomRole", "a built-in role stays as it is")
    return role


def update_role(world: World, a: Json, fresh: str) -> None:
    role = need_custom(world, a["id"])
    check_role(world, a, role)
    role |= role_fields(a)


def delete_role(world: World, a: Json, fresh: str) -> None:
    role = need_custom(world, a["id"])
    must(not world.where("role-assignment", roleDefinitionId=role["id"]), "nobody holds the role")
    world.delete([role])


def assign_role(world: World, a: Json, fresh: str) -> None:
    scope = a["scopeId"]
    need_scope(world, scope)
    role = world.need("role-definition", a["roleDefinitionId"])
    principals = [
        p for kind in ("user", "group", "service-principal") for p in world.where(kind, objectId=a["principalId"])
    ]
    must(principals, "the principal exists")
    must(covered(world, role["assignableScopes"], scope), "the role may be assigned there")
    fields = {"roleDefinitionId": role["id"], "principalId": a["principalId"], "scope": scope}
    must(not world.where("role-assignment", **fields), "one assignment per principal, role and scope")
    name = f"Microsoft.Authorization/roleAssignments/{a.get('name', fresh)}"
    world.create("role-assignment", provided(scope, name), {**fields, "createdOn": world.text()})


def unassign_role(world: World, a: Json, fresh: str) -> None:
    world.delete([world.need("role-assignment", a["id"])])


# Policies


def check_parameters(definition: Json, values: Json) -> None:
    parameters = definition.get("parameters", {})
    must(set(values) <= set(parameters), "an assignment gives no unknown parameter")
    for name, parameter in parameters.items():
        must(name in values or "defaultValue" in parameter, "a parameter without a default is given")
        if name in values and "allowedValues" in parameter:
            must(values[name]["value"] in parameter["allowedValues"], "a value is allowed")


def define_policy(world: World, a: Json, fresh: str) -> None:
    must("if" in a["policyRule"] and "effect" in a["policyRule"].get("then", {}), "a rule has an if and a then")
    scope = a.get("scopeId", "/")
    need_scope(world, scope)
    kinds = [kind for kind in ("subscription", "management-group") if world.get(kind, scope)]
    must(scope == "/" or kinds, "a definition stands at the root, a management group or a subscription")
    fields = given(a, "displayName", "description", "policyRule", "metadata", "parameters")
    fields |= {"policyType": a.get("policyType", "Custom"), "mode": a.get("mode", "All")}
    name = f"Microsoft.Authorization/policyDefinitions/{a['name']}"
    world.create("policy-definition", provided(scope, name), fields)


def delete_policy(world: World, a: Json, fresh: str) -> None:
    definition = world.need("policy-definition", a["id"])
    must(not world.where("policy-assignment", policyDefinitionId=definition["id"]), "no assignment uses the definition")
    world.delete([definition])


def assign_policy(world: World, a: Json, fresh: str) -> None:
    need_scope(world, a["scopeId"])
    definition = world.need("policy-definition", a["policyDefinitionId"])
    must(encloses(world, scope_of(definition["id"]), a["scopeId"]), "a policy applies where it is defined and below")
    check_parameters(definition, a.get("parameters", {}))
    fields = given(a, "displayName", "description", "parameters")
    fields |= {"policyDefinitionId": definition["id"], "scope": a["scopeId"]}
    name = f"Microsoft.Authorization/policyAssignments/{a['name']}"
    world.create("policy-assignment", provided(a["scopeId"], name), fields)


def unassign_policy(world: World, a: Json, fresh: str) -> None:
    world.delete([world.need("policy-assignment", a["id"])])


COMMANDS: dict[str, Any] = {
    "CreateManagementGroup": create_management_group,
    "RenameManagementGroup": rename_management_group,
    "MoveManagementGroup": move_management_group,
    "DeleteManagementGroup": delete_management_group,
    "AddSubscriptionToManagementGroup": add_subscription,
    "RemoveSubscriptionFromManagementGroup": remove_subscription,
    "DefineRole": define_role,
    "UpdateRole": update_role,
    "DeleteRole": delete_role,
    "AssignRole": assign_role,
    "UnassignRole": unassign_role,
    "DefinePolicy": define_policy,
    "DeletePolicy": delete_policy,
    "AssignPolicy": assign_policy,
    "UnassignPolicy": unassign_policy,
}
