"""Access, compared with a second model, written from the words of the rules: plain sets, no links, no shortcuts.

Checked of every random estate: `check` is what the model says, `who` are all for whom it says yes, and whoever may read
a resource sees it.
"""

import re
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.event import Event
from domain.group import GroupCreated
from domain.group_membership import GroupMemberAdded, group_membership_id
from domain.management_group import (
    ManagementGroupCreated,
    SubscriptionAddedToManagementGroup,
    management_group_id,
)
from domain.principal import principal_id
from domain.role_assignment import RoleAssigned, role_assignment_id
from domain.role_definition import PermissionBlock, RoleDefined, RoleDefinitionFields, role_definition_id
from projections.access import check, who
from projections.visibility import visible
from tests.domain.estate import subscription, user
from tests.domain.scenario import NOW, ControlPlane

USERS = ("user-1", "user-2", "user-3")
GROUPS = ("group-1", "group-2", "group-3")
TOP, MIDDLE = management_group_id("top"), management_group_id("middle")
FIRST, SECOND = "/subscriptions/first", "/subscriptions/second"
GROUP = f"{FIRST}/resourceGroups/g"
MACHINE = f"{GROUP}/providers/Compute/machines/m"
SCOPES = ("/", TOP, MIDDLE, FIRST, SECOND, GROUP, MACHINE, f"{GROUP}2/providers/Compute/machines/m")
ABOVE = {TOP: ("/",), MIDDLE: (TOP, "/"), FIRST: (MIDDLE, TOP, "/"), SECOND: ("/",)}
ACTIONS = ("Compute/machines/read", "Compute/machines/start/action", "Authorization/roles/write")
PATTERNS = (*ACTIONS, "*", "*/read", "compute/*", "Compute/machines/*/ACTION", "Authorization/*/write", "none/*")

patterns = st.lists(st.sampled_from(PATTERNS), max_size=2)


@st.composite
def blocks(draw: st.DrawFn) -> PermissionBlock:
    """Draw a block of permissions, sometimes with a condition."""
    named = [draw(patterns) for _ in range(4)]
    block = PermissionBlock(actions=named[0], notActions=named[1], dataActions=named[2], notDataActions=named[3])
    if draw(st.integers(0, 4)) == 0:
        block["condition"] = "@Resource[a] StringEquals 'b'"
    return block


@dataclass(frozen=True)
class Estate:
    """Assignments are (principal, number of the role, scope), memberships (group, member), owners user names."""

    roles: list[list[PermissionBlock]]
    assignments: list[tuple[str, int, str]]
    memberships: set[tuple[str, str]]
    disabled: set[str]
    owners: tuple[str, str]


estates = st.builds(
    Estate,
    st.lists(st.lists(blocks(), min_size=1, max_size=2), min_size=2, max_size=2),
    st.lists(
        st.tuples(st.sampled_from(USERS + GROUPS), st.integers(0, 1), st.sampled_from(SCOPES)), max_size=5, unique=True
    ),
    st.sets(st.tuples(st.sampled_from(GROUPS), st.sampled_from(USERS + GROUPS)), max_size=6),
    st.sets(st.sampled_from(USERS), max_size=1),
    st.tuples(st.sampled_from((*USERS, "nobody")), st.sampled_from((*USERS, "nobody"))),
)


def recorded(estate: Estate) -> ControlPlane:
    """Return a control plane in which all of it happened, cycles of groups too, which no command would allow."""
    events: list[Event] = [user(one, f"{one}@x", enabled=one not in estate.disabled) for one in USERS]
    events += [GroupCreated(principal_id(one), {"objectId": one, "displayName": one}) for one in GROUPS]
    for group, member in estate.memberships:
        membership = group_membership_id(principal_id(group), member)
        events.append(GroupMemberAdded(membership, {"groupId": group, "memberId": member}))
    events += [
        ManagementGroupCreated(TOP, {"displayName": "top"}),
        ManagementGroupCreated(MIDDLE, {"displayName": "middle", "parent": TOP}),
        subscription("first", f"{estate.owners[0]}@x"),
        subscription("second", f"{estate.owners[1]}@x"),
        SubscriptionAddedToManagementGroup(
            f"{MIDDLE}/subscriptions/first", {"managementGroup": MIDDLE, "subscription": FIRST}
        ),
    ]
    for number, permissions in enumerate(estate.roles):
        fields = RoleDefinitionFields(
            roleName=f"role {number}",
            description="",
            type="CustomRole",
            permissions=permissions,
            assignableScopes=["/"],
        )
        events.append(RoleDefined(role_definition_id(str(number)), fields))
    for number, (principal, role, scope) in enumerate(estate.assignments):
        definition = role_definition_id(str(role))
        events.append(
            RoleAssigned(
                role_assignment_id(scope, str(number)),
                {"roleDefinitionId": definition, "principalId": principal, "scope": scope, "createdOn": NOW},
            )
        )
    return ControlPlane().given(*events)


def named(some: list[str], action: str) -> bool:
    """Say whether one of the patterns is the action, by a regular expression."""
    return any(re.fullmatch(one.replace("*", ".*"), action, re.IGNORECASE) for one in some)


def may(estate: Estate, principal: str, action: str, scope: str, data: bool) -> bool:
    """Answer by the words of the rules."""
    if principal in estate.disabled:
        return False
    identities = {principal}
    while more := {group for group, member in estate.memberships if member in identities} - identities:
        identities |= more
    scopes = {one for one in SCOPES if scope == one or scope.startswith(one + "/") or one == "/"}
    scopes |= {above for one in scopes for above in ABOVE.get(one, ())}
    for owner, owned in zip(estate.owners, (FIRST, SECOND), strict=True):
        if owner == principal and owned in scopes and not data:
            return True
    for holder, role, assigned_at in estate.assignments:
        if holder in identities and assigned_at in scopes:
            for block in estate.roles[role]:
                allowed, taken = block["actions"], block["notActions"]
                if data:
                    allowed, taken = block["dataActions"], block["notDataActions"]
                if named(allowed, action) and not named(taken, action) and "condition" not in block:
                    return True
    return False


@settings(deadline=None)
@given(estates, st.sampled_from(ACTIONS), st.sampled_from(SCOPES), st.booleans())
def test_access_is_what_the_rules_say(estate: Estate, action: str, scope: str, data: bool) -> None:
    world = recorded(estate).world
    expected = {principal: may(estate, principal, action, scope, data) for principal in USERS + GROUPS}
    decisions = {principal: check(world, principal, action, scope, data=data) for principal in USERS + GROUPS}
    assert {principal: decision.allowed for principal, decision in decisions.items()} == expected
    holders = who(world, action, scope, data=data)
    assert [holder.principal for holder in holders] == [principal for principal in USERS if expected[principal]]
    assert [holder.path for holder in holders] == [decisions[holder.principal].path for holder in holders]


@settings(deadline=None)
@given(estates, st.sampled_from(USERS))
def test_whoever_may_read_a_resource_sees_it(estate: Estate, principal: str) -> None:
    assert visible(recorded(estate).world, principal)(MACHINE) == may(
        estate, principal, "Compute/machines/read", MACHINE, False
    )
