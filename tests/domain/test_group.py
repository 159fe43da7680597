"""Groups: they nest without a cycle, and everything about a deleted one goes with it."""

from itertools import pairwise

from domain.event import Event
from domain.group import AddGroupMember, CreateGroup, DeleteGroup, RemoveGroupMember, UpdateGroup
from domain.group_membership import group_membership_id, membership_path
from domain.principal import principal_id
from domain.role_assignment import RoleAssigned, RoleAssignmentFields, role_assignment_id
from tests.domain.identity import (
    GROUP_A,
    GROUP_B,
    GROUP_C,
    KEY,
    OPERATOR,
    SERVICE,
    with_groups,
    with_operator,
    with_service,
)
from tests.domain.scenario import NOW, ControlPlane

READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"


def add(group: str, member: str) -> AddGroupMember:
    return AddGroupMember(group_id=group, member_id=member)


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_group_is_created_as_given() -> None:
    plane = ControlPlane()
    command = CreateGroup(display_name="A", object_id=GROUP_A, description="first", security_identifier="S-1-5-32-544")
    assert command.scope() == principal_id(GROUP_A)
    plane.when(command)
    assert plane.state(principal_id(GROUP_A)) == {
        "id": principal_id(GROUP_A),
        "objectId": GROUP_A,
        "displayName": "A",
        "description": "first",
        "securityIdentifier": "S-1-5-32-544",
    }


def test_a_group_without_an_object_id_is_given_one() -> None:
    plane = ControlPlane()
    expected = plane.fresh_id()
    command = CreateGroup(display_name="A")
    assert command.scope() == "/"
    plane.when(command)
    assert plane.state(principal_id(expected))["objectId"] == expected


def test_an_object_id_is_unique() -> None:
    with_groups().refuses(CreateGroup(display_name="other", object_id=GROUP_A.upper()), "id-is-new")


def test_only_given_fields_are_changed() -> None:
    plane = with_groups()
    (event,) = plane.when(UpdateGroup(object_id=GROUP_A, display_name="A", description="new"))
    assert event.payload == {"description": "new"}
    assert plane.when(UpdateGroup(object_id=GROUP_A, description="new")) == []


def test_a_group_that_does_not_exist_is_not_changed() -> None:
    plane = with_operator()
    for command in (
        UpdateGroup(object_id=GROUP_A, display_name="A"),
        DeleteGroup(object_id=GROUP_A),
        add(GROUP_A, OPERATOR),
        RemoveGroupMember(group_id=GROUP_A, member_id=OPERATOR),
        UpdateGroup(object_id=OPERATOR, display_name="a user is no group"),
    ):
        plane.refuses(command, "group-exists")


def test_users_service_principals_and_groups_become_members() -> None:
    plane = with_groups(with_service(with_operator()))
    for member in (OPERATOR, SERVICE, GROUP_B):
        (event,) = plane.when(add(GROUP_A, member))
        assert event.resource == group_membership_id(principal_id(GROUP_A), member)
        assert event.payload == {"groupId": GROUP_A, "memberId": member}


def test_a_member_must_exist() -> None:
    with_groups().refuses(add(GROUP_A, OPERATOR), "principal-exists")


def test_adding_a_member_twice_records_nothing() -> None:
    plane = with_groups(with_operator()).given(add(GROUP_A, OPERATOR))
    assert plane.when(add(GROUP_A.upper(), OPERATOR)) == []


def test_a_group_is_no_member_of_itself() -> None:
    with_groups().refuses(add(GROUP_A, GROUP_A.upper()), "groups-form-no-cycle")


def test_a_cycle_of_groups_is_refused_and_its_path_named() -> None:
    plane = with_groups().given(add(GROUP_A, GROUP_B), add(GROUP_B, GROUP_C))
    refusal = plane.refuses(add(GROUP_C, GROUP_A), "groups-form-no-cycle")
    assert f"{GROUP_A} -> {GROUP_C} -> {GROUP_B} -> {GROUP_A}" in str(refusal)


def test_a_group_may_be_reached_on_two_ways() -> None:
    plane = with_groups().given(add(GROUP_A, GROUP_B), add(GROUP_B, GROUP_C))
    assert types(plane.when(add(GROUP_A, GROUP_C))) == ["group-membership.created"]
    assert membership_path(plane.world, GROUP_C, GROUP_A) == [GROUP_C, GROUP_A]


def test_groups_that_are_reached_on_very_many_ways_are_walked_once() -> None:
    plane = ControlPlane()
    layers = [(f"left-{layer}", f"right-{layer}") for layer in range(30)]
    plane.given(*(CreateGroup(display_name=name, object_id=name) for layer in layers for name in layer))
    for above, below in pairwise(layers):
        plane.given(*(add(group, member) for group in above for member in below))
    assert len(membership_path(plane.world, "left-29", "right-0")) == 30
    plane.refuses(add("left-29", "right-0"), "groups-form-no-cycle")


def test_a_cycle_is_possible_no_more_once_a_membership_is_gone() -> None:
    plane = with_groups().given(add(GROUP_A, GROUP_B), RemoveGroupMember(group_id=GROUP_A, member_id=GROUP_B))
    assert membership_path(plane.world, GROUP_B, GROUP_A) == []
    plane.when(add(GROUP_B, GROUP_A))


def test_only_a_direct_member_is_removed() -> None:
    plane = with_groups(with_operator()).given(add(GROUP_A, GROUP_B), add(GROUP_B, OPERATOR))
    plane.refuses(RemoveGroupMember(group_id=GROUP_A, member_id=OPERATOR), "group-membership-exists")
    assert types(plane.when(RemoveGroupMember(group_id=GROUP_B, member_id=OPERATOR))) == ["group-membership.deleted"]


def test_a_deleted_group_takes_all_memberships_in_it_and_of_it() -> None:
    plane = with_groups(with_operator()).given(add(GROUP_A, GROUP_B), add(GROUP_B, OPERATOR), add(GROUP_C, OPERATOR))
    events = plane.when(DeleteGroup(object_id=GROUP_B))
    assert types(events) == ["group-membership.deleted", "group-membership.deleted", "group.deleted"]
    assert plane.state(group_membership_id(principal_id(GROUP_C), OPERATOR)) is not None


def test_a_group_that_holds_a_role_is_deleted_only_by_force() -> None:
    fields = RoleAssignmentFields(roleDefinitionId=READER, principalId=GROUP_A, scope="/", createdOn=NOW)
    plane = with_groups().given(RoleAssigned(role_assignment_id("/", KEY), fields))
    plane.refuses(DeleteGroup(object_id=GROUP_A), "principal-holds-no-role")
    assert types(plane.when(DeleteGroup(object_id=GROUP_A, force=True))) == ["role-assignment.deleted", "group.deleted"]
