"""Vaults: created, changed, shared through access policies, deleted, recovered and purged."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domain.access_policy import (
    ACCESS_POLICIES_MAX,
    AccessPolicy,
    AccessPolicyEntry,
    Permissions,
    access_policy,
    holder,
    holder_of,
)
from domain.command import Command, Guid, Id, Name, Prepared
from domain.deployment import DEPLOYMENT, DEPLOYMENT_ID
from domain.errors import Refused
from domain.event import Event, Nothing
from domain.fields import differing, given
from domain.object_id import ObjectId
from domain.removal import removed
from domain.resource import World
from domain.tenancy import Tags, need_enabled, need_resource_group, resource_group_of, subscription_of
from domain.vault_state import (
    VAULT,
    Sku,
    Vault,
    VaultChanged,
    VaultChanges,
    VaultCreated,
    VaultFields,
    VaultRecovered,
    deletion,
    must_be_purgeable,
    name_key,
    need_vault,
    need_writable_vault,
    vault_id,
)

RETENTION_DAYS = 90

VaultName = Annotated[str, Field(min_length=3, max_length=24, pattern=r"^[A-Za-z](-?[0-9A-Za-z])+$")]
"""Key Vault's rule, as the name is a host name: a letter, then letters, digits and single hyphens, none at the end."""

RetentionDays = Annotated[int, Field(ge=7, le=90)]
SkuName = Literal["standard", "premium"]


class CreateVault(Command):
    """Create a vault in a resource group. Its tenant is the subscription's unless given."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/write"

    resource_group_id: Id
    name: VaultName
    location: Name
    tags: Tags | None = None
    tenant_id: Guid | None = None
    sku_name: SkuName = "standard"
    access_policies: Annotated[tuple[AccessPolicyEntry, ...], Field(strict=False)] = ()
    enabled_for_deployment: bool = False
    enabled_for_disk_encryption: bool = False
    enabled_for_template_deployment: bool = False
    enable_soft_delete: bool = True
    enable_purge_protection: bool = False
    soft_delete_retention_in_days: RetentionDays = RETENTION_DAYS

    def scope(self) -> str:
        return vault_id(self.resource_group_id, self.name)


class VaultCommand(Command):
    """A command on one vault."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/write"

    id: Id

    def scope(self) -> str:
        return self.id


class UpdateVault(VaultCommand):
    """Change the fields that are given.

    Soft delete and purge protection can only be switched on, and retention only be set together with soft delete.
    """

    tags: Tags | None = None
    sku_name: SkuName | None = None
    enabled_for_deployment: bool | None = None
    enabled_for_disk_encryption: bool | None = None
    enabled_for_template_deployment: bool | None = None
    enable_soft_delete: bool | None = None
    enable_purge_protection: bool | None = None
    soft_delete_retention_in_days: RetentionDays | None = None


class SetAccessPolicy(VaultCommand):
    """Say what a principal may do in a vault, instead of what was said before."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/accessPolicies/write"

    object_id: ObjectId
    application_id: Guid | None = None
    permissions: Permissions


class RemoveAccessPolicy(VaultCommand):
    """Take a principal's access policy away."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/accessPolicies/delete"

    object_id: ObjectId
    application_id: Guid | None = None


class DeleteVault(VaultCommand):
    """Delete a vault; it can be recovered if it has soft delete, and else is gone with all that is in it."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/delete"


class RecoverVault(VaultCommand):
    """Undo the deletion of a vault, in the resource group that it stood in."""


class PurgeVault(VaultCommand):
    """Remove a deleted vault for good; every value that was kept in it can never be read again."""

    action: ClassVar[str] = "Microsoft.KeyVault/locations/deletedVaults/purge/action"


def create_vault(world: World, now: str, prepared: Prepared, command: CreateVault) -> list[Event]:
    """The resource group exists, and no vault of the deployment, deleted or not, has the name."""
    group = need_resource_group(world, command.resource_group_id)
    vault = vault_id(group["id"], command.name)
    subscription = need_enabled(world, subscription_of(group["id"]))
    _name_must_be_free(world, vault, command.name)
    tenant = command.tenant_id or subscription["tenantId"]
    policies = [access_policy(tenant, entry) for entry in command.access_policies]
    _policies_must_fit(vault, policies)
    _protection_must_fit(vault, command.enable_soft_delete, command.enable_purge_protection)
    fields: VaultFields = {
        **given(VaultFields, command),
        "tenantId": tenant,
        "sku": Sku(family="A", name=command.sku_name),
        "accessPolicies": policies,
        "vaultUri": _uri(world, command.name),
        "createMode": "default",
    }
    return [VaultCreated(vault, fields)]


def update_vault(world: World, now: str, prepared: Prepared, command: UpdateVault) -> list[Event]:
    """What protects from deletion only grows."""
    vault = need_writable_vault(world, command.id)
    changes = differing(VaultChanges, vault, command)
    if command.sku_name is not None and command.sku_name != vault["sku"]["name"]:
        changes["sku"] = Sku(family="A", name=command.sku_name)
    for name in ("enableSoftDelete", "enablePurgeProtection"):
        if changes.get(name) is False:
            raise Refused(
                f"{name} of vault {vault['id']} cannot be switched off again: leave it out",
                rule="protection-stays",
                resource=vault["id"],
            )
    if vault["enableSoftDelete"] and "softDeleteRetentionInDays" in changes:
        raise Refused(
            f"vault {vault['id']} keeps what is deleted for {vault['softDeleteRetentionInDays']} days, "
            "which cannot be changed once soft delete is on: leave it out",
            rule="retention-stays",
            resource=vault["id"],
        )
    _protection_must_fit(
        vault["id"],
        changes.get("enableSoftDelete", vault["enableSoftDelete"]),
        changes.get("enablePurgeProtection", vault["enablePurgeProtection"]),
    )
    return [VaultChanged(vault["id"], changes)] if changes else []


def set_access_policy(world: World, now: str, prepared: Prepared, command: SetAccessPolicy) -> list[Event]:
    """There are 16 at most, one for each principal and application."""
    vault = need_writable_vault(world, command.id)
    entry = AccessPolicyEntry(
        object_id=command.object_id, application_id=command.application_id, permissions=command.permissions
    )
    policy = access_policy(vault["tenantId"], entry)
    if policy in vault["accessPolicies"]:
        return []
    policies = [*_others(vault, command), policy]
    _policies_must_fit(vault["id"], policies)
    return [VaultChanged(vault["id"], VaultChanges(accessPolicies=policies))]


def remove_access_policy(world: World, now: str, prepared: Prepared, command: RemoveAccessPolicy) -> list[Event]:
    """The policy exists."""
    vault = need_writable_vault(world, command.id)
    policies = _others(vault, command)
    if len(policies) == len(vault["accessPolicies"]):
        raise Refused(
            f"vault {vault['id']} has no access policy for {command.object_id}: correct its object or application id",
            rule="access-policy-exists",
            resource=vault["id"],
        )
    return [VaultChanged(vault["id"], VaultChanges(accessPolicies=policies))]


def delete_vault(world: World, now: str, prepared: Prepared, command: DeleteVault) -> list[Event]:
    """The vault exists and is not deleted."""
    return deletion(world, now, need_vault(world, command.id))


def recover_vault(world: World, now: str, prepared: Prepared, command: RecoverVault) -> list[Event]:
    """The vault is deleted, and its resource group exists."""
    vault = VAULT.need(world, command.id, rule="vault-exists", advice="it may be purged")
    if "deletionDate" not in vault:
        return []
    need_resource_group(world, resource_group_of(vault["id"]))
    return [VaultRecovered(vault["id"], Nothing())]


def purge_vault(world: World, now: str, prepared: Prepared, command: PurgeVault) -> list[Event]:
    """The vault is deleted, and purge protection no longer keeps it."""
    vault = VAULT.need(world, command.id, rule="vault-exists", advice="it may be purged already")
    if "deletionDate" not in vault:
        raise Refused(
            f"vault {vault['id']} is not deleted: delete it first", rule="vault-deleted", resource=vault["id"]
        )
    must_be_purgeable(vault, now)
    return removed(world, vault["id"])


def _name_must_be_free(world: World, vault: str, name: str) -> None:
    taken = world.sources(name_key(name), "key")
    if taken:
        raise Refused(
            f"vault name {name} belongs to {taken[0]}: choose another, or purge that vault if it is deleted",
            rule="vault-name-unique",
            resource=taken[0],
        )
    VAULT.must_be_new(world, vault)


def _uri(world: World, name: str) -> str:
    inputs = DEPLOYMENT.need(world, DEPLOYMENT_ID, rule="deployment-exists")["inputs"]
    return f"https://{name.lower()}.vault.{inputs['region']}.{inputs['externalDomainName']}/"


def _others(vault: Vault, command: SetAccessPolicy | RemoveAccessPolicy) -> list[AccessPolicy]:
    named = holder(command.object_id, command.application_id)
    return [policy for policy in vault["accessPolicies"] if holder_of(policy) != named]


def _policies_must_fit(vault: str, policies: Sequence[AccessPolicy]) -> None:
    if len(policies) > ACCESS_POLICIES_MAX:
        raise Refused(
            f"vault {vault} would have {len(policies)} access policies, {ACCESS_POLICIES_MAX} at most: name a group",
            rule="access-policies-max",
            resource=vault,
        )
    holders = [holder_of(policy) for policy in policies]
    twice = next((who for who in holders if holders.count(who) > 1), None)
    if twice is not None:
        raise Refused(
            f"vault {vault} would have two access policies for {twice[0]}: join them",
            rule="one-access-policy",
            resource=vault,
        )


def _protection_must_fit(vault: str, soft_delete: bool, purge_protection: bool) -> None:
    if purge_protection and not soft_delete:
        raise Refused(
            f"vault {vault} would have purge protection without soft delete: enable both",
            rule="purge-protection-needs-soft-delete",
            resource=vault,
        )


DECISIONS = {
    CreateVault: create_vault,
    UpdateVault: update_vault,
    SetAccessPolicy: set_access_policy,
    RemoveAccessPolicy: remove_access_policy,
    DeleteVault: delete_vault,
    RecoverVault: recover_vault,
    PurgeVault: purge_vault,
}
KINDS = (VAULT,)
