"""Groups: principals that hold users, service principals and other groups, never themselves, at any depth."""

from typing import ClassVar, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain.command import Command, Lines, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.group_membership import (
    GROUP_MEMBERSHIP,
    GroupMemberAdded,
    GroupMemberRemoved,
    GroupMembershipFields,
    group_membership_id,
    membership_path,
)
from domain.object_id import ObjectId
from domain.principal import need_principal, principal_id
from domain.principal_references import references_ended
from domain.resource import Kind, World
from domain.role_assignment import must_leave_an_owner


@with_config(STRICT)
class GroupChanges(TypedDict, total=False):
    """Names as in Graph; `securityIdentifier` is the SID that claims carry for the group."""

    displayName: str
    description: str
    securityIdentifier: str


@with_config(STRICT)
class GroupFields(TypedDict):
    """The members are resources of their own; see domain.group_membership."""

    objectId: str
    displayName: str
    description: NotRequired[str]
    securityIdentifier: NotRequired[str]


class Group(GroupFields):
    """The state of a group."""

    id: str


GroupCreated = EventType("group.created", GroupFields, created)
GroupChanged = EventType("group.changed", GroupChanges, changed)
GroupDeleted = EventType("group.deleted", Nothing, deleted)

GROUP = Kind[Group]("group", "identity", "group", (GroupCreated, GroupChanged, GroupDeleted), state=Group)


class CreateGroup(Command):
    """Create an empty group. Without `object_id` one is drawn."""

    action: ClassVar[str] = "Microsoft.Graph/groups/write"

    display_name: Text = Field(min_length=1)
    object_id: ObjectId | None = None
    description: Lines | None = None
    security_identifier: Text | None = None

    def scope(self) -> str:
        return principal_id(self.object_id) if self.object_id else "/"


class UpdateGroup(Command):
    """Change the fields that are given."""

    action: ClassVar[str] = "Microsoft.Graph/groups/write"

    object_id: ObjectId
    display_name: Text | None = Field(default=None, min_length=1)
    description: Lines | None = None
    security_identifier: Text | None = None

    def scope(self) -> str:
        return principal_id(self.object_id)


class DeleteGroup(Command):
    """Delete a group and all memberships in it and of it; with `force` its role assignments too."""

    action: ClassVar[str] = "Microsoft.Graph/groups/delete"

    object_id: ObjectId
    force: bool = False

    def scope(self) -> str:
        return principal_id(self.object_id)


class AddGroupMember(Command):
    """Put a user, a service principal or another group into a group; both are named by object id."""

    action: ClassVar[str] = "Microsoft.Graph/groups/members/write"
    gives_roles: ClassVar[bool] = True

    group_id: ObjectId
    member_id: ObjectId

    def scope(self) -> str:
        return principal_id(self.group_id)


class RemoveGroupMember(Command):
    """Take a direct member out of a group."""

    action: ClassVar[str] = "Microsoft.Graph/groups/members/delete"

    group_id: ObjectId
    member_id: ObjectId

    def scope(self) -> str:
        return principal_id(self.group_id)


def create_group(world: World, now: str, prepared: Prepared, command: CreateGroup) -> list[Event]:
    """No other principal has the object id."""
    object_id = command.object_id or prepared.id
    GROUP.must_be_new(world, principal_id(object_id))
    fields: GroupFields = {**given(GroupFields, command), "objectId": object_id}
    return [GroupCreated(principal_id(object_id), fields)]


def update_group(world: World, now: str, prepared: Prepared, command: UpdateGroup) -> list[Event]:
    """The group exists."""
    group = _need(world, command.object_id)
    changes = differing(GroupChanges, group, command)
    return [GroupChanged(group["id"], changes)] if changes else []


def delete_group(world: World, now: str, prepared: Prepared, command: DeleteGroup) -> list[Event]:
    """What refers to the group goes first; see domain.principal_references."""
    group = _need(world, command.object_id)
    return [*references_ended(world, group["id"], force=command.force), GroupDeleted(group["id"], Nothing())]


def add_group_member(world: World, now: str, prepared: Prepared, command: AddGroupMember) -> list[Event]:
    """Both exist, and the group is not, at any depth, a member of the member. Adding twice changes nothing."""
    group = _need(world, command.group_id)
    member = need_principal(world, command.member_id)
    membership = group_membership_id(group["id"], command.member_id)
    if GROUP_MEMBERSHIP.get(world, membership) is not None:
        return []
    path = membership_path(world, group["objectId"], command.member_id)
    if path:
        circle = " -> ".join([path[-1], *path])
        raise Refused(
            f"group {group['displayName']} would be a member of itself ({circle}): remove one of these first",
            rule="groups-form-no-cycle",
            resource=group["id"],
        )
    fields = GroupMembershipFields(groupId=group["objectId"], memberId=str(member.state["objectId"]))
    return [GroupMemberAdded(membership, fields)]


def remove_group_member(world: World, now: str, prepared: Prepared, command: RemoveGroupMember) -> list[Event]:
    """The membership is a direct one, and without it there still is an Owner at the root '/'."""
    group = _need(world, command.group_id)
    membership = GROUP_MEMBERSHIP.need(
        world,
        group_membership_id(group["id"], command.member_id),
        rule="group-membership-exists",
        advice="it may be gone already, or come from a nested group",
    )
    must_leave_an_owner(world, membership["id"])
    return [GroupMemberRemoved(membership["id"], Nothing())]


def _need(world: World, object_id: str) -> Group:
    return GROUP.need(world, principal_id(object_id), rule="group-exists")


DECISIONS = {
    CreateGroup: create_group,
    UpdateGroup: update_group,
    DeleteGroup: delete_group,
    AddGroupMember: add_group_member,
    RemoveGroupMember: remove_group_member,
}
KINDS = (GROUP, GROUP_MEMBERSHIP)
