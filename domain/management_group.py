"""Management groups: a tree above subscriptions, through which roles and policies are inherited."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Guid, Id, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, Payload, State, changed, created, deleted
from domain.removal import must_be_unused
from domain.resource import Kind, Link, World
from domain.resource_id import fold, parent_scopes
from domain.scope import need_scope

USER_RELATIONS = ("parent", "management_group", "scope", "assignable_scope", "defined_at")
"""The links by which others say that they need a management group."""

DEPTH_MAX = 6
"""Levels of management groups below the root '/', as in Azure; subscriptions are not counted."""


@with_config(STRICT)
class ManagementGroupFields(TypedDict):
    """`parent` is the id of the management group above; absent directly below the root '/'."""

    displayName: str
    parent: NotRequired[str]


class ManagementGroup(ManagementGroupFields):
    """The state of a management group."""

    id: str


@with_config(STRICT)
class Renaming(TypedDict):
    """The new display name."""

    displayName: str


@with_config(STRICT)
class Placement(TypedDict):
    """The new parent; absent: directly below the root '/'."""

    parent: NotRequired[str]


@with_config(STRICT)
class MembershipFields(TypedDict):
    """The membership of a subscription in a management group."""

    managementGroup: str
    subscription: str


class Membership(MembershipFields):
    """The state of a membership."""

    id: str


def _moved(state: State | None, resource: str, payload: Payload) -> State:
    before = changed(state, resource, {})
    return {**{field: value for field, value in before.items() if field != "parent"}, **payload}


ManagementGroupCreated = EventType("management-group.created", ManagementGroupFields, created)
ManagementGroupRenamed = EventType("management-group.renamed", Renaming, changed)
ManagementGroupMoved = EventType("management-group.moved", Placement, _moved)
ManagementGroupDeleted = EventType("management-group.deleted", Nothing, deleted)
SubscriptionAddedToManagementGroup = EventType("management-group-subscription.created", MembershipFields, created)
SubscriptionRemovedFromManagementGroup = EventType("management-group-subscription.deleted", Nothing, deleted)


def _links(state: ManagementGroup) -> Iterable[Link]:
    if "parent" in state:
        yield "parent", state["parent"]


def _membership_links(state: Membership) -> Iterable[Link]:
    yield "management_group", state["managementGroup"]
    yield "subscription", state["subscription"]


MANAGEMENT_GROUP = Kind[ManagementGroup](
    "management-group",
    "roles",
    "management group",
    (ManagementGroupCreated, ManagementGroupRenamed, ManagementGroupMoved, ManagementGroupDeleted),
    _links,
    ("parent",),
    state=ManagementGroup,
)
MANAGEMENT_GROUP_SUBSCRIPTION = Kind[Membership](
    "management-group-subscription",
    "roles",
    "subscription of a management group",
    (SubscriptionAddedToManagementGroup, SubscriptionRemovedFromManagementGroup),
    _membership_links,
    ("managementGroup", "subscription"),
    state=Membership,
)


def management_group_id(name: str) -> str:
    """Return `/providers/Microsoft.Management/managementGroups/{name}`."""
    return resource_id.provided("/", "Microsoft.Management", "managementGroups", name)


def enclosing_scopes(world: World, scope: str) -> list[str]:
    """Return the scope and all that enclose it, management groups included: narrowest first, the root '/' last."""
    *path, root = parent_scopes(scope)
    return [*path, *_groups_above(world, path[-1]), root] if path else [root]


def _groups_above(world: World, scope: str) -> list[str]:
    """Return the management groups above a subscription or a management group, nearest first."""
    group = MANAGEMENT_GROUP.get(world, scope)
    if group is None:
        memberships = MANAGEMENT_GROUP_SUBSCRIPTION.sources(world, scope, "subscription")
        parent = memberships[0][1]["managementGroup"] if memberships else None
    else:
        parent = group.get("parent")
    return [] if parent is None else [parent, *_groups_above(world, parent)]


class CreateManagementGroup(Command):
    """Create a management group, below `parent` or else the root '/'. Unless given, the display name is the name."""

    action: ClassVar[str] = "Microsoft.Management/managementGroups/write"

    name: Annotated[str, Field(pattern=r"^[0-9A-Za-z_()-][0-9A-Za-z_().-]{0,89}$")]
    display_name: Text | None = None
    parent: Id | None = None

    def scope(self) -> str:
        return management_group_id(self.name)


class RenameManagementGroup(Command):
    """Give a management group another display name."""

    action: ClassVar[str] = "Microsoft.Management/managementGroups/write"

    id: Id
    display_name: Text

    def scope(self) -> str:
        return self.id


class MoveManagementGroup(Command):
    """Move a management group, with all below it, under another parent; without `parent` below the root '/'.

    It is asked on the root '/', as moving changes which roles and policies are inherited from above.
    """

    action: ClassVar[str] = "Microsoft.Management/managementGroups/write"

    id: Id
    parent: Id | None = None

    def scope(self) -> str:
        return "/"


class DeleteManagementGroup(Command):
    """Delete a management group that nothing refers to."""

    action: ClassVar[str] = "Microsoft.Management/managementGroups/delete"

    id: Id

    def scope(self) -> str:
        return self.id


class AddSubscriptionToManagementGroup(Command):
    """Put a subscription into a management group; if it is in another one, it moves. It is asked on the root '/'."""

    action: ClassVar[str] = "Microsoft.Management/managementGroups/subscriptions/write"

    management_group_id: Id
    subscription_id: Guid

    def scope(self) -> str:
        return "/"


class RemoveSubscriptionFromManagementGroup(Command):
    """Take a subscription out of its management group, directly below the root '/', on which this is asked."""

    action: ClassVar[str] = "Microsoft.Management/managementGroups/subscriptions/delete"

    management_group_id: Id
    subscription_id: Guid

    def scope(self) -> str:
        return "/"


def create_management_group(world: World, now: str, prepared: Prepared, command: CreateManagementGroup) -> list[Event]:
    """The name is new, the parent exists and the tree stays within its depth."""
    created_id = management_group_id(command.name)
    MANAGEMENT_GROUP.must_be_new(world, created_id)
    fields = ManagementGroupFields(displayName=command.display_name or command.name)
    if command.parent is not None:
        fields["parent"] = _need_group(world, command.parent)["id"]
        _must_fit(world, created_id, fields["parent"], 1)
    return [ManagementGroupCreated(created_id, fields)]


def rename_management_group(world: World, now: str, prepared: Prepared, command: RenameManagementGroup) -> list[Event]:
    """The management group exists."""
    group = _need_group(world, command.id)
    if group["displayName"] == command.display_name:
        return []
    return [ManagementGroupRenamed(group["id"], Renaming(displayName=command.display_name))]


def move_management_group(world: World, now: str, prepared: Prepared, command: MoveManagementGroup) -> list[Event]:
    """Both exist, the group does not come to stand below itself, and the tree stays within its depth."""
    group = _need_group(world, command.id)
    if command.parent is None:
        return [ManagementGroupMoved(group["id"], Placement())] if "parent" in group else []
    parent = _need_group(world, command.parent)["id"]
    if fold(parent) == fold(group.get("parent", "")):
        return []
    if fold(group["id"]) in map(fold, [parent, *_groups_above(world, parent)]):
        raise Refused(
            f"management group {group['id']} would stand below itself under {parent}: "
            "move it under a group outside its own tree",
            rule="management-groups-form-a-tree",
            resource=group["id"],
        )
    _must_fit(world, group["id"], parent, _height(world, group["id"]))
    return [ManagementGroupMoved(group["id"], Placement(parent=parent))]


def delete_management_group(world: World, now: str, prepared: Prepared, command: DeleteManagementGroup) -> list[Event]:
    """Nothing is in it, assigned on it or defined for it."""
    group = _need_group(world, command.id)
    must_be_unused(world, group["id"], *USER_RELATIONS, rule="management-group-unused")
    return [ManagementGroupDeleted(group["id"], Nothing())]


def add_subscription(
    world: World, now: str, prepared: Prepared, command: AddSubscriptionToManagementGroup
) -> list[Event]:
    """The subscription and the group exist; a subscription is in one management group, so it leaves the one before."""
    group = _need_group(world, command.management_group_id)["id"]
    subscription = need_scope(world, resource_id.child("/", "subscriptions", command.subscription_id))
    membership = resource_id.child(group, "subscriptions", command.subscription_id)
    before = [found for found, _ in MANAGEMENT_GROUP_SUBSCRIPTION.sources(world, subscription, "subscription")]
    if fold(membership) in map(fold, before):
        return []
    return [
        *(SubscriptionRemovedFromManagementGroup(left, Nothing()) for left in before),
        SubscriptionAddedToManagementGroup(
            membership, MembershipFields(managementGroup=group, subscription=subscription)
        ),
    ]


def remove_subscription(
    world: World, now: str, prepared: Prepared, command: RemoveSubscriptionFromManagementGroup
) -> list[Event]:
    """The subscription is in that group."""
    membership = resource_id.child(command.management_group_id, "subscriptions", command.subscription_id)
    state = MANAGEMENT_GROUP_SUBSCRIPTION.need(
        world, membership, rule="subscription-in-management-group", advice="see in which group the subscription is"
    )
    return [SubscriptionRemovedFromManagementGroup(state["id"], Nothing())]


def _need_group(world: World, group: str) -> ManagementGroup:
    return MANAGEMENT_GROUP.need(world, group, rule="management-group-exists")


def _height(world: World, group: str) -> int:
    """Return the levels of the tree that begins with this group, itself included."""
    children = MANAGEMENT_GROUP.sources(world, group, "parent")
    return 1 + max((_height(world, child) for child, _ in children), default=0)


def _must_fit(world: World, group: str, parent: str, height: int) -> None:
    depth = 1 + len(_groups_above(world, parent)) + height
    if depth > DEPTH_MAX:
        raise Refused(
            f"management group {group} under {parent} would make {depth} levels: "
            f"{DEPTH_MAX} at most, choose a parent nearer the root",
            rule="management-group-depth",
            resource=group,
        )


DECISIONS = {
    CreateManagementGroup: create_management_group,
    RenameManagementGroup: rename_management_group,
    MoveManagementGroup: move_management_group,
    DeleteManagementGroup: delete_management_group,
    AddSubscriptionToManagementGroup: add_subscription,
    RemoveSubscriptionFromManagementGroup: remove_subscription,
}
KINDS = (MANAGEMENT_GROUP, MANAGEMENT_GROUP_SUBSCRIPTION)
