"""Role assignments."""

import pytest
from pydantic import ValidationError

from domain.application import CreateApplication
from domain.built_in_role import OWNER, READER
from domain.command import Command
from domain.errors import Refused
from domain.group import AddGroupMember, DeleteGroup, RemoveGroupMember
from domain.role_assignment import (
    AssignRole,
    RoleAssigned,
    RoleUnassigned,
    UnassignRole,
    must_leave_an_owner,
    role_assignment_id,
)
from domain.role_definition import DefineRole, Permission, role_definition_id
from domain.service_principal import CreateServicePrincipal, DisableServicePrincipal
from domain.user import DeleteUser, DisableUser, EnableUser
from tests.domain.estate import ALL_TEAMS, GUEST, MACHINE, NORTH, NORTH_GROUP, OPERATOR, SOUTH, TEAM, TENANT, estate
from tests.domain.scenario import NOW

NAME = "50000000-0000-4000-9000-000000000001"


def assign(scope: str, principal: str = GUEST, role: str = READER, name: str | None = None) -> AssignRole:
    """Return the command."""
    return AssignRole(scope_id=scope, role_definition_id=role, principal_id=principal, name=name)


@pytest.mark.parametrize("principal", [GUEST, TEAM])
@pytest.mark.parametrize("scope", ["/", NORTH, NORTH_GROUP, MACHINE])
def test_users_and_groups_are_given_roles_at_any_scope(principal: str, scope: str) -> None:
    plane = estate()
    fresh = plane.fresh_id()
    assert plane.when(assign(scope, principal)) == [
        RoleAssigned(
            role_assignment_id(scope, fresh),
            {"roleDefinitionId": READER, "principalId": principal, "scope": scope, "createdOn": NOW},
        )
    ]


def test_scope_and_role_are_recorded_as_they_were_first_written() -> None:
    (event,) = estate().when(assign(NORTH_GROUP.upper(), role=READER.upper(), name=NAME))
    assert (event.payload["scope"], event.payload["roleDefinitionId"]) == (NORTH_GROUP, READER)


def test_what_an_assignment_names_exists() -> None:
    plane = estate()
    plane.refuses(assign("/subscriptions/unknown"), "scope-exists")
    plane.refuses(assign("/", principal="unknown"), "principal-exists")
    plane.refuses(assign("/", role=role_definition_id(NAME)), "role-exists")


def test_a_principal_is_an_object_id() -> None:
    assign("/", principal="S-1-5-21-1004336348-1177238915-682003330-512")
    with pytest.raises(ValidationError):
        assign("/", principal="guest-1@region.example")


def test_a_role_is_assigned_within_its_assignable_scopes() -> None:
    role = role_definition_id(NAME)
    define = DefineRole(
        name=NAME, role_name="North only", permissions=(Permission(actions=("*",)),), assignable_scopes=(NORTH,)
    )
    plane = estate().given(define)
    plane.refuses(assign(SOUTH, role=role), "role-assignable-at-scope")
    plane.refuses(assign("/", role=role), "role-assignable-at-scope")
    plane.given(assign(MACHINE, role=role))


def test_a_principal_holds_a_role_at_a_scope_once() -> None:
    plane = estate().given(assign(NORTH))
    plane.refuses(assign(NORTH.upper()), "one-assignment-per-principal-role-scope")
    plane.given(assign(NORTH_GROUP), assign(NORTH, TENANT))


def test_the_name_of_an_assignment_is_new() -> None:
    estate().given(assign(NORTH, name=NAME)).refuses(assign(NORTH, TENANT, name=NAME), "id-is-new")


def test_an_assignment_is_taken_away_and_may_be_made_again() -> None:
    plane = estate().given(assign(NORTH, name=NAME))
    assignment = role_assignment_id(NORTH, NAME)
    assert plane.when(UnassignRole(id=assignment)) == [RoleUnassigned(assignment, {})]
    plane.refuses(UnassignRole(id=assignment), "role-assignment-exists")
    plane.given(assign(NORTH, name=NAME))
    found = plane.find(assignment)
    assert found is not None
    assert found.sequence == 3


def test_the_last_owner_at_the_root_remains() -> None:
    first, second = role_assignment_id("/", NAME), role_assignment_id("/", OPERATOR)
    plane = estate().given(
        assign("/", OPERATOR, OWNER, NAME), assign("/", GUEST, READER, GUEST), assign(NORTH, GUEST, OWNER, TENANT)
    )
    plane.refuses(UnassignRole(id=first), "an-owner-remains")
    plane.given(UnassignRole(id=role_assignment_id("/", GUEST)), UnassignRole(id=role_assignment_id(NORTH, TENANT)))
    plane.given(assign("/", TEAM, OWNER, OPERATOR), UnassignRole(id=first))
    plane.refuses(UnassignRole(id=second), "an-owner-remains")


def test_an_owner_of_less_than_the_root_may_go() -> None:
    plane = estate().given(assign(NORTH, GUEST, OWNER, NAME))
    plane.given(UnassignRole(id=role_assignment_id(NORTH, NAME)))


def test_several_assignments_that_go_together_leave_an_owner_too() -> None:
    first, second = role_assignment_id("/", NAME), role_assignment_id("/", OPERATOR)
    plane = estate().given(assign("/", OPERATOR, OWNER, NAME), assign("/", TEAM, OWNER, OPERATOR))
    must_leave_an_owner(plane.world, first)
    must_leave_an_owner(plane.world, role_assignment_id(NORTH, NAME))
    with pytest.raises(Refused, match="would be Owner"):
        must_leave_an_owner(plane.world, first, second)


THROUGH_GROUPS = [
    UnassignRole(id=role_assignment_id("/", NAME)),
    DisableUser(object_id=GUEST),
    DeleteUser(object_id=GUEST),
    RemoveGroupMember(group_id=TEAM, member_id=GUEST),
    RemoveGroupMember(group_id=ALL_TEAMS, member_id=TEAM),
    DeleteGroup(object_id=TEAM),
    DeleteGroup(object_id=ALL_TEAMS, force=True),
]


@pytest.mark.parametrize("command", THROUGH_GROUPS)
def test_the_last_owner_at_the_root_remains_also_where_groups_make_it_one(command: Command) -> None:
    plane = estate().given(assign("/", ALL_TEAMS, OWNER, NAME))
    plane.refuses(command, "an-owner-remains")
    plane.given(AddGroupMember(group_id=TEAM, member_id=TENANT), assign("/", OPERATOR, OWNER), command)


def test_a_member_that_stays_is_an_owner_too() -> None:
    plane = estate().given(assign("/", ALL_TEAMS, OWNER, NAME), AddGroupMember(group_id=TEAM, member_id=TENANT))
    plane.given(RemoveGroupMember(group_id=TEAM, member_id=GUEST), DeleteUser(object_id=GUEST))
    plane.refuses(DisableUser(object_id=TENANT), "an-owner-remains")


def test_who_is_disabled_is_no_owner_that_remains() -> None:
    plane = estate().given(
        assign("/", OPERATOR, OWNER, NAME), assign("/", TENANT, OWNER), DisableUser(object_id=TENANT)
    )
    plane.refuses(DisableUser(object_id=OPERATOR), "an-owner-remains")
    plane.refuses(UnassignRole(id=role_assignment_id("/", NAME)), "an-owner-remains")
    plane.given(EnableUser(object_id=TENANT), DisableUser(object_id=OPERATOR))
    assert plane.when(DisableUser(object_id=OPERATOR)) == []


def test_a_service_principal_is_an_owner_as_well() -> None:
    app, service = "d0000000-0000-4000-9000-000000000001", "e0000000-0000-4000-9000-000000000001"
    plane = estate().given(
        CreateApplication(display_name="Agent", app_id=app), CreateServicePrincipal(app_id=app, object_id=service)
    )
    plane.given(assign("/", OPERATOR, OWNER, NAME), assign("/", service, OWNER), DisableUser(object_id=OPERATOR))
    plane.refuses(DisableServicePrincipal(object_id=service), "an-owner-remains")


def test_where_nobody_is_owner_nobody_has_to_remain() -> None:
    estate().given(assign("/", ALL_TEAMS, READER), DisableUser(object_id=GUEST), DeleteUser(object_id=GUEST))
