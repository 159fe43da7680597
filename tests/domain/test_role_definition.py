"""Role definitions."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.built_in_role import CONTRIBUTOR, READER
from domain.management_group import AddSubscriptionToManagementGroup, CreateManagementGroup, management_group_id
from domain.resource_id import name
from domain.role_assignment import AssignRole
from domain.role_definition import (
    ROLE_DEFINITION,
    DefineRole,
    DeleteRole,
    Permission,
    PermissionBlock,
    RoleChanged,
    RoleDefined,
    RoleDeleted,
    UpdateRole,
    assignable_at,
    role_definition_id,
)
from tests.domain.estate import GUEST, MACHINE, NORTH, NORTH_GROUP, NORTH_GUID, SOUTH, estate
from tests.domain.scenario import ControlPlane

ROLE_GUID = "40000000-0000-4000-9000-000000000001"
ROLE = role_definition_id(ROLE_GUID)
START = Permission(actions=("Microsoft.Compute/virtualMachines/start/action",))
CORP = management_group_id("Corp")


def define(guid: str = ROLE_GUID, role_name: str = "Starter", **fields: Any) -> DefineRole:
    """Return the command for a role that starts machines."""
    return DefineRole.model_validate(
        {"name": guid, "roleName": role_name, "permissions": (START,), "assignableScopes": (NORTH,), **fields}
    )


def with_role() -> ControlPlane:
    """The estate with that role, which the guest has on one machine."""
    assign = AssignRole(scope_id=MACHINE, role_definition_id=ROLE, principal_id=GUEST)
    return estate().given(define(), assign)


def test_a_custom_role_is_defined() -> None:
    actions = ["Microsoft.Compute/virtualMachines/start/action"]
    block = PermissionBlock(actions=actions, notActions=[], dataActions=[], notDataActions=[])
    assert estate().when(define(assignableScopes=[NORTH_GROUP.upper(), "/"])) == [
        RoleDefined(
            ROLE,
            {
                "roleName": "Starter",
                "description": "",
                "type": "CustomRole",
                "permissions": [block],
                "assignableScopes": [NORTH_GROUP, "/"],
            },
        )
    ]


def test_a_role_may_have_several_blocks_and_a_condition() -> None:
    blocks = [
        {"actions": ["*/read"], "condition": None, "conditionVersion": None},
        {
            "actions": ["*/write"],
            "notActions": ["x/*"],
            "condition": "@Resource[a] StringEquals 'b'",
            "conditionVersion": "2.0",
        },
    ]
    state = estate().given(define(permissions=blocks)).state(ROLE)
    assert [block.get("condition") for block in state["permissions"]] == [None, "@Resource[a] StringEquals 'b'"]
    assert "condition" not in state["permissions"][0]


@pytest.mark.parametrize("fields", [{"permissions": []}, {"assignableScopes": []}, {"roleName": ""}, {"name": "x"}])
def test_a_role_has_permissions_assignable_scopes_a_name_and_a_guid(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        define(**fields)


def test_assignable_scopes_and_the_scope_of_the_definition_exist() -> None:
    estate().refuses(define(assignableScopes=["/", "/subscriptions/unknown"]), "scope-exists")
    estate().refuses(define(scopeId="/subscriptions/unknown"), "scope-exists")


def test_an_id_is_used_once() -> None:
    with_role().refuses(define(role_name="Another"), "id-is-new")
    estate().refuses(define(guid=name(READER)), "id-is-new")
    with_role().refuses(define(type="BuiltInRole"), "id-is-new")


def test_a_role_name_is_unique_in_the_tenant() -> None:
    plane = with_role()
    other = "40000000-0000-4000-9000-000000000002"
    plane.refuses(define(other, "STARTER", scopeId=SOUTH), "role-name-unique")
    plane.refuses(define(other, "owner"), "role-name-unique")
    plane.given(define(other, "Stopper"))
    plane.refuses(UpdateRole(id=role_definition_id(other), role_name="starter"), "role-name-unique")


def test_a_custom_role_is_updated_with_what_differs() -> None:
    plane = with_role()
    update = UpdateRole(id=ROLE, role_name="starter", description="Starts machines", permissions=(START,))
    assert plane.when(update) == [RoleChanged(ROLE, {"roleName": "starter", "description": "Starts machines"})]
    assert plane.when(update) == []
    plane.refuses(UpdateRole(id=role_definition_id(GUEST), description=""), "role-exists")


def test_assignments_stay_within_the_assignable_scopes() -> None:
    plane = with_role()
    plane.refuses(UpdateRole(id=ROLE, assignable_scopes=(SOUTH,)), "role-assignable-at-scope")
    assert plane.when(UpdateRole(id=ROLE, assignable_scopes=(SOUTH, NORTH_GROUP))) == [
        RoleChanged(ROLE, {"assignableScopes": [SOUTH, NORTH_GROUP]})
    ]


def test_a_role_is_assignable_at_and_below_its_scopes() -> None:
    plane = estate().given(
        CreateManagementGroup(name="Corp"),
        AddSubscriptionToManagementGroup(management_group_id=CORP, subscription_id=NORTH_GUID),
        define(assignableScopes=[CORP]),
    )
    role = ROLE_DEFINITION.need(plane.world, ROLE, rule="")
    assert [scope for scope in ("/", CORP, NORTH, SOUTH, MACHINE) if assignable_at(plane.world, role, scope)] == [
        CORP,
        NORTH,
        MACHINE,
    ]


def test_an_update_of_the_cloud_replaces_a_built_in_role() -> None:
    plane = estate()
    again = define(name(CONTRIBUTOR), "Contributor", type="BuiltInRole", assignableScopes=["/"])
    (event,) = plane.when(again)
    assert (event.type, event.resource) == ("role-definition.changed", CONTRIBUTOR)
    assert plane.state(CONTRIBUTOR)["permissions"][0]["notActions"] == []
    assert plane.when(again) == []


def test_a_role_is_deleted_when_nobody_holds_it() -> None:
    with_role().refuses(DeleteRole(id=ROLE), "role-unassigned")
    plane = estate().given(define())
    assert plane.when(DeleteRole(id=ROLE)) == [RoleDeleted(ROLE, {})]
    plane.refuses(DeleteRole(id=ROLE), "role-exists")


def test_a_role_is_assignable_only_within_the_scope_that_it_is_defined_at() -> None:
    plane = estate().given(CreateManagementGroup(name="Corp"), define(scopeId=NORTH, assignableScopes=(NORTH_GROUP,)))
    here, other = role_definition_id(ROLE_GUID, NORTH), "40000000-0000-4000-9000-000000000002"
    for scope in ("/", SOUTH, CORP):
        scopes = (NORTH, scope)
        plane.refuses(define(other, "Other", scopeId=NORTH, assignableScopes=scopes), "role-assignable-where-defined")
        plane.refuses(UpdateRole(id=here, assignable_scopes=scopes), "role-assignable-where-defined")
    in_corp = define(other, "Other", scopeId=CORP, assignableScopes=(NORTH,))
    plane.refuses(in_corp, "role-assignable-where-defined")
    plane.given(AddSubscriptionToManagementGroup(management_group_id=CORP, subscription_id=NORTH_GUID), in_corp)


def test_a_built_in_role_is_everywhere() -> None:
    built_in: dict[str, Any] = {"type": "BuiltInRole", "assignableScopes": (NORTH,)}
    estate().refuses(define(scopeId=NORTH, **built_in), "built-in-role-at-root")
    estate().given(define(**built_in))
