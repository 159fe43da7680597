"""Resource groups: what a subscription's resources stand in and are deleted with."""

from typing import Annotated, ClassVar

from pydantic import Field

from domain.command import Command, Guid, Id, Name, Prepared
from domain.errors import Refused
from domain.event import Event
from domain.fields import given
from domain.removal import once, removed
from domain.resource import World
from domain.tenancy import (
    RESOURCE_GROUP,
    ResourceGroupCreated,
    ResourceGroupFields,
    ResourceGroupTagged,
    ResourceGroupTags,
    Tags,
    need_enabled,
    need_resource_group,
    resource_group_id,
    subscription_id,
)
from domain.vault_state import VAULT, deletion

ResourceGroupName = Annotated[str, Field(pattern=r"^[-\w.()]{0,89}[-\w()]$")]
"""ARM's rule: 90 letters, digits, `_`, `-`, `.` and parentheses at most, no period at the end."""


class CreateResourceGroup(Command):
    """Create a resource group in an Enabled subscription."""

    action: ClassVar[str] = "Microsoft.Resources/subscriptions/resourceGroups/write"

    subscription_id: Guid
    name: ResourceGroupName
    location: Name
    tags: Tags | None = None

    def scope(self) -> str:
        return resource_group_id(self.subscription_id, self.name)


class TagResourceGroup(Command):
    """Replace the tags of a resource group."""

    action: ClassVar[str] = "Microsoft.Resources/subscriptions/resourceGroups/write"

    id: Id
    tags: Tags

    def scope(self) -> str:
        return self.id


class DeleteResourceGroup(Command):
    """Delete a resource group that is empty, or with `cascade` together with its vaults, each as DeleteVault would.

    A soft-deleted vault does not hold its resource group; it is recovered once the group was created again. Plans and
    offers always hold theirs.
    """

    action: ClassVar[str] = "Microsoft.Resources/subscriptions/resourceGroups/delete"

    id: Id
    cascade: bool = False

    def scope(self) -> str:
        return self.id


def create_resource_group(world: World, now: str, prepared: Prepared, command: CreateResourceGroup) -> list[Event]:
    """The subscription is Enabled, and the name is free."""
    need_enabled(world, subscription_id(command.subscription_id))
    RESOURCE_GROUP.must_be_new(world, command.scope())
    return [ResourceGroupCreated(command.scope(), given(ResourceGroupFields, command))]


def tag_resource_group(world: World, now: str, prepared: Prepared, command: TagResourceGroup) -> list[Event]:
    """The subscription is Enabled."""
    group = need_resource_group(world, command.id)
    if group.get("tags", {}) == command.tags:
        return []
    return [ResourceGroupTagged(group["id"], ResourceGroupTags(tags=command.tags))]


def delete_resource_group(world: World, now: str, prepared: Prepared, command: DeleteResourceGroup) -> list[Event]:
    """Nothing is in it that must stay."""
    group = RESOURCE_GROUP.need(world, command.id, rule="resource-group-exists")["id"]
    events: list[Event] = []
    for source in world.sources(group, "resource_group"):
        vault = VAULT.get(world, source)
        if vault is not None and "deletionDate" in vault:
            continue
        if vault is None or not command.cascade:
            holder = world.find(source)
            raise Refused(
                f"resource group {group} holds {holder.id if holder else source}: delete it first"
                + (", or delete the group with cascade" if vault else ""),
                rule="resource-group-empty",
                resource=group,
            )
        events += deletion(world, now, vault)
    return once([*events, *removed(world, group)])


DECISIONS = {
    CreateResourceGroup: create_resource_group,
    TagResourceGroup: tag_resource_group,
    DeleteResourceGroup: delete_resource_group,
}
KINDS = (RESOURCE_GROUP,)
