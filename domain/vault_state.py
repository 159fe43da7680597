"""Vault states: what a vault is, and what becomes of it and of what is in it when it is deleted.

Soft delete keeps a deleted vault, with all that is in it and with its name, until it is purged; role and policy
assignments on it go at once, as in Azure, and do not come back when it is recovered.
"""

from collections.abc import Iterable
from typing import Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.access_policy import AccessPolicy
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, Payload, State, changed, created, deleted
from domain.instant import plus_days
from domain.principal import principal_id
from domain.removal import assignments_removed, removed
from domain.resource import Kind, Link, World, key
from domain.tenancy import SUBSCRIPTION, need_enabled, resource_group_of, subscription_of

RecoveryLevel = Literal["Purgeable", "Recoverable+Purgeable", "Recoverable", "Recoverable+ProtectedSubscription"]


@with_config(STRICT)
class Sku(TypedDict):
    """Family and tier."""

    family: Literal["A"]
    name: Literal["standard", "premium"]


@with_config(STRICT)
class VaultChanges(TypedDict, total=False):
    """The fields that replace those before."""

    tags: dict[str, str]
    sku: Sku
    accessPolicies: list[AccessPolicy]
    enabledForDeployment: bool
    enabledForDiskEncryption: bool
    enabledForTemplateDeployment: bool
    enableSoftDelete: bool
    enablePurgeProtection: bool
    softDeleteRetentionInDays: int


@with_config(STRICT)
class VaultFields(TypedDict):
    """Names as in Microsoft.KeyVault 2016-10-01, and the retention of later versions.

    `createMode` tells whether the vault was ever recovered.
    """

    location: str
    tags: NotRequired[dict[str, str]]
    tenantId: str
    sku: Sku
    accessPolicies: list[AccessPolicy]
    vaultUri: str
    enabledForDeployment: bool
    enabledForDiskEncryption: bool
    enabledForTemplateDeployment: bool
    enableSoftDelete: bool
    enablePurgeProtection: bool
    softDeleteRetentionInDays: int
    createMode: Literal["default", "recover"]


@with_config(STRICT)
class VaultDeletion(TypedDict):
    """Names as in DeletedVault: when it was deleted, and when its retention ends."""

    deletionDate: str
    scheduledPurgeDate: str


class Vault(VaultFields):
    """The state of a vault; the last two fields are there while it is soft-deleted."""

    id: str
    deletionDate: NotRequired[str]
    scheduledPurgeDate: NotRequired[str]


def _recovered(state: State | None, resource: str, payload: Payload) -> State:
    before = changed(state, resource, {"createMode": "recover"})
    return {name: value for name, value in before.items() if name not in VaultDeletion.__annotations__}


VaultCreated = EventType("vault.created", VaultFields, created)
VaultChanged = EventType("vault.changed", VaultChanges, changed)
VaultDeleted = EventType("vault.deleted", VaultDeletion, changed)
VaultRecovered = EventType("vault.recovered", Nothing, _recovered)
VaultPurged = EventType("vault.purged", Nothing, deleted)


def name_key(vault_name: str) -> str:
    """Return the target of the link that keeps a vault's name unique in the whole deployment."""
    return key("vault-name", vault_name)


def _links(state: Vault) -> Iterable[Link]:
    yield "subscription", subscription_of(state["id"])
    yield "resource_group", resource_group_of(state["id"])
    yield "key", name_key(resource_id.name(state["id"]))
    for policy in state["accessPolicies"]:
        yield "principal", principal_id(policy["objectId"])


VAULT = Kind[Vault](
    "vault",
    "vaults",
    "vault",
    (VaultCreated, VaultChanged, VaultDeleted, VaultRecovered, VaultPurged),
    _links,
    ("accessPolicies",),
    state=Vault,
)


def vault_id(resource_group: str, name: str) -> str:
    """Return `{resource group id}/providers/Microsoft.KeyVault/vaults/{name}`."""
    return resource_id.provided(resource_group, "Microsoft.KeyVault", "vaults", name)


def need_vault(world: World, vault: str) -> Vault:
    """Return the vault of that id, or refuse because it does not exist or is soft-deleted."""
    state = VAULT.need(world, vault, rule="vault-exists")
    if "deletionDate" in state:
        raise Refused(
            f"vault {state['id']} is deleted since {state['deletionDate']}: recover it first",
            rule="vault-not-deleted",
            resource=state["id"],
        )
    return state


def need_writable_vault(world: World, vault: str) -> Vault:
    """Return the vault of that id, or refuse because it, or its subscription, takes no changes."""
    state = need_vault(world, vault)
    need_enabled(world, subscription_of(state["id"]))
    return state


def recovery_level(world: World, vault: Vault) -> RecoveryLevel:
    """Return what deleting means in the vault now: Key Vault's attribute of every object in it.

    A provider subscription cannot be deleted, which is what ProtectedSubscription says.
    """
    if not vault["enableSoftDelete"]:
        return "Purgeable"
    if not vault["enablePurgeProtection"]:
        return "Recoverable+Purgeable"
    subscription = SUBSCRIPTION.get(world, subscription_of(vault["id"]))
    is_protected = subscription is not None and subscription["routingResourceManagerType"] == "Admin"
    return "Recoverable+ProtectedSubscription" if is_protected else "Recoverable"


def must_be_purgeable(vault: Vault, now: str) -> None:
    """Refuse if purge protection still keeps the vault."""
    if vault["enablePurgeProtection"] and now < vault.get("scheduledPurgeDate", "9"):
        until = vault.get("scheduledPurgeDate", "the end of its retention, which begins when it is deleted")
        raise Refused(
            f"vault {vault['id']} has purge protection: it can be purged from {until} on",
            rule="purge-protection",
            resource=vault["id"],
        )


def deletion(world: World, now: str, vault: Vault) -> list[Event]:
    """Return the events that delete a vault: it is kept if it has soft delete, and else goes with all that is in it."""
    if not vault["enableSoftDelete"]:
        return removed(world, vault["id"])
    fields = VaultDeletion(deletionDate=now, scheduledPurgeDate=plus_days(now, vault["softDeleteRetentionInDays"]))
    return [*assignments_removed(world, vault["id"]), VaultDeleted(vault["id"], fields)]
