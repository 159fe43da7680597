"""Access: who may do what, where, and why."""

import pytest

from domain.application import CreateApplication
from domain.built_in_role import CONTRIBUTOR, OWNER, READER
from domain.group import AddGroupMember, CreateGroup
from domain.group_membership import GroupMemberAdded, group_membership_id
from domain.management_group import AddSubscriptionToManagementGroup, CreateManagementGroup, management_group_id
from domain.principal import principal_id
from domain.role_assignment import AssignRole, UnassignRole, role_assignment_id
from domain.role_definition import DefineRole, Permission, role_definition_id
from domain.service_principal import CreateServicePrincipal, DisableServicePrincipal, EnableServicePrincipal
from domain.tenancy import SubscriptionDeleted
from domain.user import DisableUser, EnableUser
from projections.access import SUBSCRIPTION_OWNER, Decision, Holder, Path, check, what, who
from tests.domain.estate import (
    ALL_TEAMS,
    GUEST,
    MACHINE,
    NORTH,
    NORTH_GROUP,
    NORTH_GUID,
    OPERATOR,
    SOUTH,
    TEAM,
    TENANT,
    estate,
)
from tests.domain.scenario import ControlPlane

START = "Microsoft.Compute/virtualMachines/start/action"
READ = "Microsoft.Compute/virtualMachines/read"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"
CORP = management_group_id("Corp")
NAME = "50000000-0000-4000-9000-000000000001"
OTHER = "50000000-0000-4000-9000-000000000002"
APP = "60000000-0000-4000-9000-000000000001"
SERVICE = "60000000-0000-4000-9000-000000000002"


def assign(scope: str, principal: str = GUEST, role: str = READER, name: str | None = None) -> AssignRole:
    """Return the command."""
    return AssignRole(scope_id=scope, role_definition_id=role, principal_id=principal, name=name)


def may(plane: ControlPlane, principal: str, action: str, scope: str, *, data: bool = False) -> bool:
    """Return the bare answer."""
    return check(plane.world, principal, action, scope, data=data).allowed


def define(name: str, *permissions: Permission) -> DefineRole:
    """Return the command for a custom role of that GUID."""
    return DefineRole(name=name, role_name=f"Role {name}", permissions=permissions, assignable_scopes=("/",))


def test_a_role_counts_at_its_scope_and_below() -> None:
    plane = estate().given(assign(NORTH_GROUP))
    assert may(plane, GUEST, READ, NORTH_GROUP)
    assert may(plane, GUEST, READ, MACHINE.upper())
    assert not may(plane, GUEST, READ, NORTH)
    assert not may(plane, GUEST, READ, SOUTH)
    assert not may(plane, GUEST, START, MACHINE)


def test_a_role_at_the_root_counts_everywhere() -> None:
    plane = estate().given(assign("/"))
    for scope in ("/", NORTH, MACHINE, "/providers/Resurgam.Admin/deployments/default"):
        assert may(plane, GUEST, READ, scope)


def test_roles_are_inherited_from_the_management_groups_above() -> None:
    plane = estate().given(
        CreateManagementGroup(name="Corp"),
        CreateManagementGroup(name="Lab", parent=CORP),
        AddSubscriptionToManagementGroup(management_group_id=management_group_id("Lab"), subscription_id=NORTH_GUID),
        assign(CORP),
    )
    assert may(plane, GUEST, READ, MACHINE)
    assert may(plane, GUEST, READ, management_group_id("lab"))
    assert not may(plane, GUEST, READ, SOUTH)


def test_the_path_names_assignment_role_scope_and_groups() -> None:
    plane = estate().given(assign(NORTH, ALL_TEAMS, name=NAME))
    path = Path(role_assignment_id(NORTH, NAME), "Reader", NORTH, (principal_id(TEAM), principal_id(ALL_TEAMS)))
    assert check(plane.world, GUEST, READ, MACHINE) == Decision(
        True, "granted", f"role Reader at {NORTH} grants {READ}", path
    )
    assert check(plane.world, TEAM, READ, MACHINE).path == Path(
        path.assignment, "Reader", NORTH, (principal_id(ALL_TEAMS),)
    )


def test_a_role_of_ones_own_is_shown_before_one_of_a_group() -> None:
    plane = estate().given(assign("/", ALL_TEAMS), assign("/", TEAM), assign(NORTH, name=NAME))
    decision = check(plane.world, GUEST, READ, MACHINE)
    assert decision.path == Path(role_assignment_id(NORTH, NAME), "Reader", NORTH)


def test_a_cycle_of_groups_is_followed_once() -> None:
    member = group_membership_id(principal_id(TEAM), ALL_TEAMS)
    plane = estate().given(GroupMemberAdded(member, {"groupId": TEAM, "memberId": ALL_TEAMS}), assign("/", TEAM))
    assert may(plane, GUEST, READ, "/")
    assert may(plane, ALL_TEAMS, READ, "/")
    assert [holder.principal for holder in who(plane.world, READ, "/")] == [GUEST]


def test_a_role_subtracts_from_itself_and_another_may_grant_it() -> None:
    plane = estate().given(assign(NORTH, role=CONTRIBUTOR, name=NAME))
    denied = check(plane.world, GUEST, ASSIGN, MACHINE)
    assert (denied.allowed, denied.reason) == (False, "subtracted-by-role")
    assert (
        denied.text == f"role Contributor at {NORTH} takes {ASSIGN} away by its notActions, and no other role grants it"
    )
    assert denied.path == Path(role_assignment_id(NORTH, NAME), "Contributor", NORTH)
    plane.given(define(OTHER, Permission(actions=(ASSIGN,))), assign("/", role=role_definition_id(OTHER)))
    assert may(plane, GUEST, ASSIGN, MACHINE)


def test_a_block_with_a_condition_grants_nothing_and_the_answer_says_so() -> None:
    conditional = Permission(actions=("*",), condition="@Resource[a] StringEquals 'b'", condition_version="2.0")
    plane = estate().given(define(OTHER, conditional), assign("/", role=role_definition_id(OTHER)))
    denied = check(plane.world, GUEST, READ, "/")
    assert (denied.allowed, denied.reason) == (False, "condition-not-evaluated")
    assert "conditions are not evaluated" in denied.text


def test_without_a_role_that_names_the_action_it_is_denied() -> None:
    denied = check(estate().given(assign(NORTH)).world, GUEST, START, MACHINE)
    assert (denied.allowed, denied.reason, denied.path) == (False, "no-role-names-it", None)


def test_an_unknown_principal_may_do_nothing() -> None:
    assert check(estate().world, "unknown", READ, "/").reason == "principal-unknown"


def test_data_actions_are_asked_apart() -> None:
    data = Permission(data_actions=("Microsoft.KeyVault/*",))
    plane = estate().given(define(OTHER, data), assign("/", role=role_definition_id(OTHER)), assign("/", TENANT, OWNER))
    read = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assert may(plane, GUEST, read, NORTH, data=True)
    assert not may(plane, GUEST, read, NORTH)
    assert not may(plane, TENANT, read, NORTH, data=True)


def test_a_disabled_principal_may_do_nothing_until_it_is_enabled() -> None:
    plane = estate().given(
        CreateApplication(display_name="Agent", app_id=APP),
        CreateServicePrincipal(app_id=APP, object_id=SERVICE),
        assign("/"),
        assign("/", SERVICE),
    )
    assert [holder.principal for holder in who(plane.world, READ, "/")] == [GUEST, SERVICE]
    plane.given(DisableUser(object_id=GUEST), DisableServicePrincipal(object_id=SERVICE))
    for principal in (GUEST, SERVICE):
        assert check(plane.world, principal, READ, "/").reason == "principal-disabled"
    assert who(plane.world, READ, "/") == []
    assert [holding.path.role for holding in what(plane.world, GUEST)] == ["Reader"]
    plane.given(EnableUser(object_id=GUEST), EnableServicePrincipal(object_id=SERVICE))
    assert may(plane, GUEST, READ, "/")


def test_the_owner_of_a_subscription_is_owner_there_and_nowhere_else() -> None:
    plane = estate()
    assert check(plane.world, TENANT, ASSIGN, MACHINE) == Decision(
        True,
        "granted",
        f"role owner of the subscription at {NORTH} grants {ASSIGN}",
        Path(None, SUBSCRIPTION_OWNER, NORTH),
    )
    assert not may(plane, TENANT, READ, SOUTH)
    assert not may(plane, TENANT, READ, "/")
    assert what(plane.world, TENANT)[0].path == Path(None, SUBSCRIPTION_OWNER, NORTH)
    plane.given(SubscriptionDeleted(NORTH, {}))
    assert not may(plane, TENANT, READ, NORTH)
    assert who(plane.world, READ, NORTH) == []


def test_an_answer_changes_with_the_assignment() -> None:
    plane = estate().given(assign(NORTH, name=NAME))
    plane.given(UnassignRole(id=role_assignment_id(NORTH, NAME)))
    assert not may(plane, GUEST, READ, NORTH)


def test_who_lists_everyone_in_the_groups_once_with_a_path() -> None:
    plane = estate().given(assign(NORTH, ALL_TEAMS, name=NAME), assign(NORTH_GROUP, GUEST, name=OTHER))
    own = Path(role_assignment_id(NORTH_GROUP, OTHER), "Reader", NORTH_GROUP)
    assert who(plane.world, READ, MACHINE) == [
        Holder(TENANT, Path(None, SUBSCRIPTION_OWNER, NORTH)),
        Holder(GUEST, own),
    ]
    through = Path(role_assignment_id(NORTH, NAME), "Reader", NORTH, (principal_id(TEAM), principal_id(ALL_TEAMS)))
    assert who(plane.world, READ, NORTH)[1] == Holder(GUEST, through)


def test_what_lists_every_role_with_its_permissions() -> None:
    plane = estate().given(assign(NORTH, ALL_TEAMS, CONTRIBUTOR), assign(SOUTH))
    holdings = what(plane.world, GUEST)
    assert [(h.path.role, h.path.scope, len(h.path.groups)) for h in holdings] == [
        ("Reader", SOUTH, 0),
        ("Contributor", NORTH, 2),
    ]
    assert holdings[0].permissions[0]["actions"] == ["*/read"]
    assert what(plane.world, "unknown") == []


@pytest.mark.parametrize("size", [200])
def test_a_long_chain_of_groups_is_followed_to_its_end(size: int) -> None:
    groups = [f"70000000-0000-4000-9000-{n:012d}" for n in range(size)]
    plane = estate().given(*(CreateGroup(display_name="g", object_id=group) for group in groups))
    plane.given(
        *(
            AddGroupMember(group_id=above, member_id=below)
            for below, above in zip([GUEST, *groups], groups, strict=False)
        )
    )
    plane.given(assign("/", groups[-1]))
    path = check(plane.world, GUEST, READ, "/").path
    assert path is not None
    assert len(path.groups) == size
    assert OPERATOR not in {holder.principal for holder in who(plane.world, READ, "/")}
