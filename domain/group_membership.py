"""Group memberships: a user, a group or a service principal belongs to a group, directly or through other groups."""

from collections.abc import Iterable

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.principal import principal_id
from domain.resource import Kind, Link, World


@with_config(STRICT)
class GroupMembershipFields(TypedDict):
    """Both are object ids."""

    groupId: str
    memberId: str


class GroupMembership(GroupMembershipFields):
    """The state of a group membership."""

    id: str


GroupMemberAdded = EventType("group-membership.created", GroupMembershipFields, created)
GroupMemberRemoved = EventType("group-membership.deleted", Nothing, deleted)


def _links(state: GroupMembership) -> Iterable[Link]:
    yield "group", principal_id(state["groupId"])
    yield "member", principal_id(state["memberId"])


GROUP_MEMBERSHIP = Kind[GroupMembership](
    "group-membership",
    "identity",
    "group membership",
    (GroupMemberAdded, GroupMemberRemoved),
    _links,
    ("groupId", "memberId"),
    state=GroupMembership,
)


def group_membership_id(group: str, member_object_id: str) -> str:
    """Return `{group id}/members/{object id of the member}`."""
    return resource_id.child(group, "members", member_object_id)


def membership_path(world: World, member: str, group: str) -> list[str]:
    """Return the folded object ids along a shortest row of memberships from `member` up to `group`, or [].

    Both are object ids. The cost is the number of groups above the member.
    """
    start, goal = resource_id.fold(member), resource_id.fold(group)
    came_from = {start: ""}
    reached = [start]
    for current in reached:
        if current == goal:
            path = [current]
            while came_from[path[-1]]:
                path.append(came_from[path[-1]])
            return path[::-1]
        for _, membership in GROUP_MEMBERSHIP.sources(world, principal_id(current), "member"):
            above = resource_id.fold(membership["groupId"])
            if above not in came_from:
                came_from[above] = current
                reached.append(above)
    return []


def memberships_ended(world: World, principal: str) -> list[Event]:
    """Return the events that take the principal out of its groups and, if it is a group, its members out of it."""
    memberships = [
        *GROUP_MEMBERSHIP.sources(world, principal, "member"),
        *GROUP_MEMBERSHIP.sources(world, principal, "group"),
    ]
    return [GroupMemberRemoved(membership, Nothing()) for membership, _ in memberships]
