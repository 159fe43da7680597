"""A small estate for roles and policies: two subscriptions, a resource group, users, groups and the built-in roles."""

from domain.access_policy import AccessPolicy
from domain.built_in_role import built_in_role_events
from domain.event import Event
from domain.group import AddGroupMember, CreateGroup
from domain.principal import principal_id
from domain.tenancy import (
    ResourceGroupCreated,
    ResourceGroupFields,
    SubscriptionCreated,
    SubscriptionFields,
    resource_group_id,
    subscription_id,
)
from domain.user import UserCreated, UserFields
from domain.vault_state import Sku, VaultCreated, VaultFields, vault_id
from tests.domain.scenario import ControlPlane

PROVIDER_GUID = "00000000-0000-4000-9000-00000000000f"
NORTH_GUID = "00000000-0000-4000-9000-00000000000a"
SOUTH_GUID = "00000000-0000-4000-9000-00000000000b"
NORTH = subscription_id(NORTH_GUID)
SOUTH = subscription_id(SOUTH_GUID)
NORTH_GROUP = resource_group_id(NORTH_GUID, "app")
VAULT = vault_id(NORTH_GROUP, "kv-app")
MACHINE = f"{NORTH_GROUP}/providers/Microsoft.Compute/virtualMachines/vm-1"

DIRECTORY = "30000000-0000-4000-9000-000000000001"
OPERATOR = "10000000-0000-4000-9000-000000000001"
TENANT = "10000000-0000-4000-9000-000000000002"
GUEST = "10000000-0000-4000-9000-000000000003"
TEAM = "20000000-0000-4000-9000-000000000001"
ALL_TEAMS = "20000000-0000-4000-9000-000000000002"


def user(object_id: str, name: str, *, enabled: bool = True) -> Event:
    """Return the event of a user who needs no password here."""
    fields = UserFields(objectId=object_id, userPrincipalName=name, displayName=name, accountEnabled=enabled)
    return UserCreated(principal_id(object_id), fields)


def subscription(guid: str, owner: str) -> Event:
    """Return the event of an enabled subscription."""
    fields = SubscriptionFields(
        subscriptionId=guid,
        displayName="A subscription",
        owner=owner,
        tenantId=DIRECTORY,
        delegatedProviderSubscriptionId=PROVIDER_GUID,
        routingResourceManagerType="Default",
        state="Enabled",
    )
    return SubscriptionCreated(subscription_id(guid), fields)


def resource_group(group: str) -> Event:
    """Return the event of a resource group."""
    return ResourceGroupCreated(group, ResourceGroupFields(location="local"))


def estate() -> ControlPlane:
    """Return a control plane with all of this; the guest is in the team, the team in the group of all teams."""
    return ControlPlane().given(
        *built_in_role_events(),
        user(OPERATOR, "operator-1@region.example"),
        user(TENANT, "tenant-1@region.example"),
        user(GUEST, "guest-1@region.example"),
        CreateGroup(display_name="Team", object_id=TEAM),
        CreateGroup(display_name="All teams", object_id=ALL_TEAMS),
        AddGroupMember(group_id=TEAM, member_id=GUEST),
        AddGroupMember(group_id=ALL_TEAMS, member_id=TEAM),
        subscription(NORTH_GUID, "tenant-1@region.example"),
        subscription(SOUTH_GUID, "operator-1@region.example"),
        resource_group(NORTH_GROUP),
    )


def with_vault(*policies: AccessPolicy) -> ControlPlane:
    """The estate with a vault."""
    fields = VaultFields(
        location="local",
        tenantId=DIRECTORY,
        sku=Sku(family="A", name="standard"),
        accessPolicies=list(policies),
        vaultUri="https://kv-app.vault.local.region.example/",
        enabledForDeployment=False,
        enabledForDiskEncryption=False,
        enabledForTemplateDeployment=False,
        enableSoftDelete=True,
        enablePurgeProtection=False,
        softDeleteRetentionInDays=90,
        createMode="default",
    )
    return estate().given(VaultCreated(VAULT, fields))
