"""Who may do what in an estate: management groups, roles and their assignments, policies and theirs."""

import json
from collections.abc import Mapping
from pathlib import Path

from scripts.estate.draft import REGION, Draft
from scripts.estate.vaults import vaults

AUTHORIZATION = "/providers/Microsoft.Authorization"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
LANDMARKS = 3
"""How many assignments `_assign_landmarks` makes."""

CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
REGULATED = "regulated"
LANDMARK_POLICY = "allowed-locations"
SERVICES = ("Compute", "Network", "Storage", "KeyVault", "Web")


def begin(draft: Draft, roles: Path | None) -> None:
    """Write roles and policies of the base."""
    _create_management_groups(draft)
    draft.roles = [role_id(CONTRIBUTOR), role_id(READER)]
    _define_roles(draft)
    if roles is not None:
        _define_built_in_roles(draft, roles)
    _assign_landmarks(draft)
    _assign_roles(draft, draft.count(2000, least=30))
    _unassign_some(draft, draft.count(100))
    _define_policies(draft)
    _assign_policies(draft)


def go_on(draft: Draft) -> None:
    """Write a week of changes."""
    _assign_roles(draft, draft.count(120))
    _unassign_some(draft, draft.count(30))
    draft.add("UpdatePolicy", "wording", id=policy_id(LANDMARK_POLICY), description="Data stays in the region")
    for subscription in draft.some(draft.subscriptions[1:], draft.count(10)):
        draft.add("AssignPolicy", "a new rule", name="tag-owner", scopeId=subscription.id,
                  policyDefinitionId=policy_id("require-tag"), parameters={"tagName": {"value": "owner"}})  # fmt: skip


def role_id(guid: str) -> str:
    """Return the id of a role that is defined at the root."""
    return f"{AUTHORIZATION}/roleDefinitions/{guid}"


def policy_id(name: str) -> str:
    """Return the id of a policy that is defined at the root."""
    return f"{AUTHORIZATION}/policyDefinitions/{name}"


def management_group_id(name: str) -> str:
    """Return the id of a management group."""
    return f"/providers/Microsoft.Management/managementGroups/{name}"


def assign(draft: Draft, principal: str, role: str, scope: str, reason: str) -> None:
    """Assign a role, unless that is written already."""
    key = (principal, role, scope)
    if key not in draft.assignments:
        name = draft.guid(f"role-assignment/{principal}/{role}/{scope}/{len(draft.requests[draft.part])}")
        draft.assignments[key] = f"{scope.rstrip('/')}{AUTHORIZATION}/roleAssignments/{name}"
        draft.add("AssignRole", reason, name=name, scopeId=scope, roleDefinitionId=role, principalId=principal)


def _unassign_some(draft: Draft, count: int) -> None:
    """Take assignments away, but none of those that the demo asks about: they were the first."""
    for assignment in draft.some(list(draft.assignments.values())[LANDMARKS:], count):
        _unassign(draft, assignment)


def _unassign(draft: Draft, assignment: str) -> None:
    draft.add("UnassignRole", "no longer needed", id=assignment)
    for key in [key for key, given in draft.assignments.items() if given == assignment]:
        del draft.assignments[key]


def _create_management_groups(draft: Draft) -> None:
    """Make a tree of three levels; the first tenant's subscription stands in a group of its own."""
    names = [REGULATED, *(f"business-{number}" for number in range(1, draft.count(6, least=2) + 1))]
    for name in names:
        draft.add("CreateManagementGroup", "governance", name=name, displayName=name.replace("-", " "))
    for name in names[1:]:
        for child in ("production", "test"):
            below = f"{name}-{child}"
            draft.add("CreateManagementGroup", "governance", name=below, parent=management_group_id(name))
            draft.management_groups.append(management_group_id(below))
    draft.add("RenameManagementGroup", "governance", id=management_group_id(names[1]), displayName="First business")
    draft.add(
        "MoveManagementGroup",
        "governance",
        id=management_group_id("business-1-test"),
        parent=management_group_id(names[2]),
    )
    draft.add("CreateManagementGroup", "a mistake", name="mistake")
    draft.add("DeleteManagementGroup", "a mistake", id=management_group_id("mistake"))
    first, *others = draft.subscriptions
    _put(draft, first.guid, management_group_id(REGULATED))
    placed = draft.some(others, draft.count(130, least=3))
    for number, subscription in enumerate(placed):
        _put(draft, subscription.guid, draft.management_groups[number % len(draft.management_groups)])
    draft.add("RemoveSubscriptionFromManagementGroup", "governance", managementGroupId=draft.management_groups[0],
              subscriptionId=placed[0].guid)  # fmt: skip


def _put(draft: Draft, subscription: str, group: str) -> None:
    draft.add("AddSubscriptionToManagementGroup", "governance", managementGroupId=group, subscriptionId=subscription)


def _define_roles(draft: Draft) -> None:
    for number in range(1, draft.count(25, least=3) + 1):
        guid, service = draft.guid(f"role/{number}"), SERVICES[number % len(SERVICES)]
        block = {
            "actions": [f"Microsoft.{service}/*", "Microsoft.Resources/subscriptions/resourceGroups/read"],
            "notActions": [f"Microsoft.{service}/*/delete"] if number % 2 else [],
        }
        draft.add("DefineRole", "a role of our own", name=guid, roleName=f"{service} operator {number}",
                  description=f"Operates {service}", permissions=[block], assignableScopes=["/"])  # fmt: skip
        draft.roles.append(role_id(guid))
    draft.add("UpdateRole", "wording", id=draft.roles[-1], description="Operates what is left")
    guid = draft.guid("role/mistake")
    draft.add("DefineRole", "a mistake", name=guid, roleName="Mistake", permissions=[{"actions": ["*"]}],
              assignableScopes=[management_group_id(REGULATED)])  # fmt: skip
    draft.add("DeleteRole", "a mistake", id=role_id(guid))


def _define_built_in_roles(draft: Draft, path: Path) -> None:
    for role in json.loads(path.read_text("utf-8")):
        draft.add("DefineRole", "built-in roles", name=role["name"], roleName=role["roleName"], type=role["roleType"],
                  description=role["description"] or "", permissions=role["permissions"],
                  assignableScopes=role["assignableScopes"])  # fmt: skip
        draft.roles.append(role_id(role["name"]))


def _assign_landmarks(draft: Draft) -> None:
    """Let the first department work in the first tenant's main resource group, and an operator read everything."""
    first = draft.subscriptions[0]
    assign(draft, draft.departments[0], role_id(CONTRIBUTOR), first.resource_group_id("main"), "the department runs it")
    assign(draft, draft.guid("user/operator-2"), role_id(OWNER), "/", "a second operator")
    assign(draft, draft.guid("user/operator-3"), role_id(READER), "/", "an operator on probation")


def _assign_roles(draft: Draft, count: int) -> None:
    """Assign roles to all sorts of principals, at all sorts of scopes other than the first tenant's and the root."""
    others = draft.subscriptions[1:]
    first_vault, *other_vaults = vaults(draft)
    principals = [draft.teams, draft.departments, draft.engineers[1:], draft.service_principals]
    scopes = [
        [subscription.id for subscription in others],
        [subscription.resource_group_id(name) for subscription in others for name in subscription.resource_groups],
        [vault.id for vault in other_vaults if vault.id != first_vault.id],
        draft.management_groups,
        [f"{s.resource_group_id('main')}/providers/Microsoft.Compute/virtualMachines/vm-1" for s in others],
    ]
    for _ in range(count):
        principal = draft.random.choice(draft.random.choice(principals))
        assign(
            draft,
            principal,
            draft.random.choice(draft.roles),
            draft.random.choice(draft.random.choice(scopes)),
            "access request",
        )


def _define_policies(draft: Draft) -> None:
    in_region = {"not": {"field": "location", "in": "[parameters('locations')]"}}
    _define_policy(draft, LANDMARK_POLICY, in_region, "deny", locations={"type": "Array"})
    untagged = {"field": "tags[[parameters('tagName')]]", "exists": False}
    _define_policy(
        draft,
        "require-tag",
        {"field": "tags.owner", "exists": False},
        "deny",
        tagName={"type": "String", "defaultValue": "owner"},
    )
    large = {"allOf": [{"field": "type", "equals": "Microsoft.Compute/virtualMachines"},
                       {"field": "Microsoft.Compute/virtualMachines/sku.name", "like": "Standard_*_v1"}]}  # fmt: skip
    _define_policy(draft, "audit-old-sizes", large, "audit")
    _define_policy(draft, "tag-by-expression", untagged, "audit", tagName={"type": "String"})
    _define_policy(draft, "deploy-monitoring", {"field": "type", "equals": "Microsoft.Web/sites"}, "deployIfNotExists")
    for number in range(1, draft.count(20) + 1):
        audited = {"field": "name", "like": f"temporary-{number}-*"}
        _define_policy(draft, f"audit-{number}", audited, "audit")
    draft.add("UpdatePolicy", "wording", id=policy_id("audit-old-sizes"), displayName="Old sizes", mode="Indexed")
    _define_policy(draft, "mistake", {"field": "name", "exists": True}, "deny")
    draft.add("DeletePolicy", "a mistake", id=policy_id("mistake"))


def _define_policy(draft: Draft, name: str, condition: Mapping[str, object], effect: str, **parameters: object) -> None:
    draft.add("DefinePolicy", "governance", name=name, displayName=name.replace("-", " ").capitalize(),
              policyRule={"if": condition, "then": {"effect": effect}}, parameters=parameters)  # fmt: skip


def _assign_policies(draft: Draft) -> None:
    regulated = management_group_id(REGULATED)
    _assign_policy(draft, LANDMARK_POLICY, regulated, locations={"value": [REGION]})
    _assign_policy(draft, "deploy-monitoring", regulated)
    for number, group in enumerate(draft.management_groups, 1):
        _assign_policy(draft, f"audit-{(number - 1) % draft.count(20) + 1}", group)
    for subscription in draft.some(draft.subscriptions[1:], draft.count(40, least=2)):
        _assign_policy(draft, "audit-old-sizes", subscription.id)
    assigned = f"{draft.management_groups[0]}{AUTHORIZATION}/policyAssignments/audit-1"
    draft.add("UpdatePolicyAssignment", "wording", id=assigned, displayName="Temporary names")
    last = f"{subscription.id}{AUTHORIZATION}/policyAssignments/audit-old-sizes"
    draft.add("UnassignPolicy", "an exception", id=last)


def _assign_policy(draft: Draft, name: str, scope: str, **parameters: object) -> None:
    draft.add(
        "AssignPolicy",
        "governance",
        name=name,
        scopeId=scope,
        policyDefinitionId=policy_id(name),
        parameters=parameters,
    )
