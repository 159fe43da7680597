"""Quotas: what one service grants to each subscription whose plans name the quota."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Guid, Id, Name, Prepared
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.removal import must_be_unused
from domain.resource import Kind, World
from domain.tenancy import need_provider, subscription_id

Int32 = Annotated[int, Field(ge=0, le=2**31 - 1)]
Int64 = Annotated[int, Field(ge=0, le=2**63 - 1)]


@with_config(STRICT)
class ComputeQuotaLimits(TypedDict):
    """Names as in Microsoft.Compute.Admin 2021-01-01; allocations of disks and snapshots in GB."""

    virtualMachineCount: int
    coresLimit: int
    availabilitySetCount: int
    vmScaleSetCount: int
    maxAllocationStandardManagedDisksAndSnapshots: int
    maxAllocationPremiumManagedDisksAndSnapshots: int
    ddagpuCount: int
    partitionedGpuCount: int


@with_config(STRICT)
class NetworkQuotaLimits(TypedDict):
    """Names as in Microsoft.Network.Admin 2015-06-15; its migration phase is no limit, and only the service sets it."""

    maxPublicIpsPerSubscription: int
    maxVnetsPerSubscription: int
    maxVirtualNetworkGatewaysPerSubscription: int
    maxVirtualNetworkGatewayConnectionsPerSubscription: int
    maxLoadBalancersPerSubscription: int
    maxNicsPerSubscription: int
    maxSecurityGroupsPerSubscription: int


@with_config(STRICT)
class StorageQuotaLimits(TypedDict):
    """Names as in Microsoft.Storage.Admin 2019-08-08."""

    capacityInGb: int
    numberOfStorageAccounts: int


def _kind(service: str, title: str, limits: type[Any]) -> Kind[Any]:
    """Return the kind; a change carries all limits, and where there are none nothing can change."""
    change = () if limits is Nothing else (EventType(f"{service}-quota.changed", limits, changed),)
    events = (
        EventType(f"{service}-quota.created", limits, created),
        *change,
        EventType(f"{service}-quota.deleted", Nothing, deleted),
    )
    make: Any = TypedDict  # beside its limits a quota has its id alone
    state = make(f"{title.title().replace(' ', '')}Quota", {"id": str, **limits.__annotations__})
    state.__doc__ = f"The state of a {title} quota."
    return Kind(f"{service}-quota", "subscriptions", f"{title} quota", events, state=state)


COMPUTE_QUOTA = _kind("compute", "compute", ComputeQuotaLimits)
NETWORK_QUOTA = _kind("network", "network", NetworkQuotaLimits)
STORAGE_QUOTA = _kind("storage", "storage", StorageQuotaLimits)
KEY_VAULT_QUOTA = _kind("key-vault", "Key Vault", Nothing)

Service = Literal["compute", "network", "storage", "key-vault"]
QUOTAS: Mapping[Service, Kind[Any]] = {
    "compute": COMPUTE_QUOTA,
    "network": NETWORK_QUOTA,
    "storage": STORAGE_QUOTA,
    "key-vault": KEY_VAULT_QUOTA,
}
LIMITS: Mapping[Service, frozenset[str]] = {
    service: frozenset(kind.events[0].payload.__annotations__) for service, kind in QUOTAS.items()
}
"""The fields of each service that are limits; none of Key Vault's, whose one quota is Unlimited."""

SERVICE_OF_KIND: Mapping[str, Service] = {kind.name: service for service, kind in QUOTAS.items()}


def quota_id(provider_subscription_guid: str, namespace: str, location: str, name: str) -> str:
    """Return `/subscriptions/{provider}/providers/{namespace}/locations/{location}/quotas/{name}`."""
    provider = subscription_id(provider_subscription_guid)
    return resource_id.provided(provider, namespace, "locations", location, "quotas", name)


class CreateQuota(Command):
    """What creating a quota of any service takes; the limits default to those of Azure Stack Hub's portal."""

    kind: ClassVar[Kind[Any]]

    provider_subscription_id: Guid
    location: Name
    name: Name

    def scope(self) -> str:
        return quota_id(self.provider_subscription_id, self.action.split("/")[0], self.location, self.name)


class UpdateQuota(Command):
    """Change the limits that are given, at once for all subscriptions whose plans name the quota."""

    kind: ClassVar[Kind[Any]]

    id: Id

    def scope(self) -> str:
        return self.id


class DeleteQuota(Command):
    """Delete a quota that no plan names."""

    kind: ClassVar[Kind[Any]]

    id: Id

    def scope(self) -> str:
        return self.id


class CreateComputeQuota(CreateQuota):
    """Create a compute quota. GPUs are not granted unless given."""

    action: ClassVar[str] = "Microsoft.Compute.Admin/locations/quotas/write"
    kind = COMPUTE_QUOTA

    virtual_machine_count: Int32 = 50
    cores_limit: Int32 = 100
    availability_set_count: Int32 = 10
    vm_scale_set_count: Int32 = 100
    max_allocation_standard_managed_disks_and_snapshots: Int32 = 2048
    max_allocation_premium_managed_disks_and_snapshots: Int32 = 2048
    ddagpu_count: Int32 = 0
    partitioned_gpu_count: Int32 = 0


class UpdateComputeQuota(UpdateQuota):
    """Change limits of a compute quota."""

    action: ClassVar[str] = "Microsoft.Compute.Admin/locations/quotas/write"
    kind = COMPUTE_QUOTA

    virtual_machine_count: Int32 | None = None
    cores_limit: Int32 | None = None
    availability_set_count: Int32 | None = None
    vm_scale_set_count: Int32 | None = None
    max_allocation_standard_managed_disks_and_snapshots: Int32 | None = None
    max_allocation_premium_managed_disks_and_snapshots: Int32 | None = None
    ddagpu_count: Int32 | None = None
    partitioned_gpu_count: Int32 | None = None


class DeleteComputeQuota(DeleteQuota):
    """Delete a compute quota."""

    action: ClassVar[str] = "Microsoft.Compute.Admin/locations/quotas/delete"
    kind = COMPUTE_QUOTA


class CreateNetworkQuota(CreateQuota):
    """Create a network quota."""

    action: ClassVar[str] = "Microsoft.Network.Admin/locations/quotas/write"
    kind = NETWORK_QUOTA

    max_public_ips_per_subscription: Int64 = 50
    max_vnets_per_subscription: Int64 = 50
    max_virtual_network_gateways_per_subscription: Int64 = 1
    max_virtual_network_gateway_connections_per_subscription: Int64 = 2
    max_load_balancers_per_subscription: Int64 = 50
    max_nics_per_subscription: Int64 = 100
    max_security_groups_per_subscription: Int64 = 50


class UpdateNetworkQuota(UpdateQuota):
    """Change limits of a network quota."""

    action: ClassVar[str] = "Microsoft.Network.Admin/locations/quotas/write"
    kind = NETWORK_QUOTA

    max_public_ips_per_subscription: Int64 | None = None
    max_vnets_per_subscription: Int64 | None = None
    max_virtual_network_gateways_per_subscription: Int64 | None = None
    max_virtual_network_gateway_connections_per_subscription: Int64 | None = None
    max_load_balancers_per_subscription: Int64 | None = None
    max_nics_per_subscription: Int64 | None = None
    max_security_groups_per_subscription: Int64 | None = None


class DeleteNetworkQuota(DeleteQuota):
    """Delete a network quota."""

    action: ClassVar[str] = "Microsoft.Network.Admin/locations/quotas/delete"
    kind = NETWORK_QUOTA


class CreateStorageQuota(CreateQuota):
    """Create a storage quota."""

    action: ClassVar[str] = "Microsoft.Storage.Admin/locations/quotas/write"
    kind = STORAGE_QUOTA

    capacity_in_gb: Int32 = 2048
    number_of_storage_accounts: Int32 = 20


class UpdateStorageQuota(UpdateQuota):
    """Change limits of a storage quota."""

    action: ClassVar[str] = "Microsoft.Storage.Admin/locations/quotas/write"
    kind = STORAGE_QUOTA

    capacity_in_gb: Int32 | None = None
    number_of_storage_accounts: Int32 | None = None


class DeleteStorageQuota(DeleteQuota):
    """Delete a storage quota."""

    action: ClassVar[str] = "Microsoft.Storage.Admin/locations/quotas/delete"
    kind = STORAGE_QUOTA


class CreateKeyVaultQuota(CreateQuota):
    """Create the Key Vault quota of a location: it is named Unlimited and has no limits."""

    action: ClassVar[str] = "Microsoft.KeyVault.Admin/locations/quotas/write"
    kind = KEY_VAULT_QUOTA

    name: Literal["Unlimited"] = "Unlimited"


class DeleteKeyVaultQuota(DeleteQuota):
    """Delete a Key Vault quota."""

    action: ClassVar[str] = "Microsoft.KeyVault.Admin/locations/quotas/delete"
    kind = KEY_VAULT_QUOTA


def create_quota(world: World, now: str, prepared: Prepared, command: CreateQuota) -> list[Event]:
    """The subscription is the provider's, and the name is free."""
    quota = command.scope()
    need_provider(world, command.provider_subscription_id)
    command.kind.must_be_new(world, quota)
    quota_created = command.kind.events[0]
    return [quota_created(quota, given(quota_created.payload, command))]


def update_quota(world: World, now: str, prepared: Prepared, command: UpdateQuota) -> list[Event]:
    """The quota exists."""
    quota = command.kind.need(world, command.id, rule="quota-exists")
    quota_changed = command.kind.events[1]
    changes = differing(quota_changed.payload, quota, command)
    limits = {name: quota[name] for name in quota_changed.payload.__annotations__}
    return [quota_changed(quota["id"], {**limits, **changes})] if changes else []


def delete_quota(world: World, now: str, prepared: Prepared, command: DeleteQuota) -> list[Event]:
    """No plan names the quota."""
    quota = command.kind.need(world, command.id, rule="quota-exists")
    must_be_unused(world, quota["id"], "quota", rule="quota-unused")
    assert command.kind.ended is not None
    return [command.kind.ended(quota["id"], Nothing())]


DECISIONS = {
    CreateComputeQuota: create_quota,
    CreateNetworkQuota: create_quota,
    CreateStorageQuota: create_quota,
    CreateKeyVaultQuota: create_quota,
    UpdateComputeQuota: update_quota,
    UpdateNetworkQuota: update_quota,
    UpdateStorageQuota: update_quota,
    DeleteComputeQuota: delete_quota,
    DeleteNetworkQuota: delete_quota,
    DeleteStorageQuota: delete_quota,
    DeleteKeyVaultQuota: delete_quota,
}
KINDS = tuple(QUOTAS.values())
