"""Quotas: defaults and ranges of each service, and what holds a quota."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.control_plane import COMMANDS
from domain.plan import UpdatePlan
from domain.quota import (
    CreateComputeQuota,
    CreateKeyVaultQuota,
    CreateNetworkQuota,
    CreateStorageQuota,
    DeleteComputeQuota,
    DeleteStorageQuota,
    UpdateComputeQuota,
    UpdateStorageQuota,
    quota_id,
)
from tests.domain.tenants import (
    BASE_PLAN,
    COMPUTE,
    KEY_VAULT,
    OTHER_GUID,
    PROVIDER_GUID,
    STORAGE,
    TENANT_GUID,
    create_plan,
    provider,
    types,
    with_quotas,
    with_tenant,
)

PLACE: dict[str, Any] = {"provider_subscription_id": PROVIDER_GUID, "location": "east", "name": "small"}


def test_a_quota_has_the_limits_of_the_portal_unless_given() -> None:
    plane = provider().given(
        CreateNetworkQuota(**PLACE), CreateStorageQuota(**PLACE), CreateComputeQuota(**PLACE, cores_limit=8)
    )
    network = quota_id(PROVIDER_GUID, "Microsoft.Network.Admin", "east", "small")
    assert plane.state(network) == {
        "id": network,
        "maxPublicIpsPerSubscription": 50,
        "maxVnetsPerSubscription": 50,
        "maxVirtualNetworkGatewaysPerSubscription": 1,
        "maxVirtualNetworkGatewayConnectionsPerSubscription": 2,
        "maxLoadBalancersPerSubscription": 50,
        "maxNicsPerSubscription": 100,
        "maxSecurityGroupsPerSubscription": 50,
    }
    assert plane.state(STORAGE) == {"id": STORAGE, "capacityInGb": 2048, "numberOfStorageAccounts": 20}
    assert plane.state(COMPUTE) == {
        "id": COMPUTE,
        "virtualMachineCount": 50,
        "coresLimit": 8,
        "availabilitySetCount": 10,
        "vmScaleSetCount": 100,
        "maxAllocationStandardManagedDisksAndSnapshots": 2048,
        "maxAllocationPremiumManagedDisksAndSnapshots": 2048,
        "ddagpuCount": 0,
        "partitionedGpuCount": 0,
    }


def test_the_key_vault_quota_is_unlimited_and_has_no_other_name() -> None:
    plane = provider().given(CreateKeyVaultQuota(provider_subscription_id=PROVIDER_GUID, location="east"))
    assert plane.state(KEY_VAULT) == {"id": KEY_VAULT}
    with pytest.raises(ValidationError):
        CreateKeyVaultQuota.model_validate(PLACE)


@pytest.mark.parametrize(
    ("command", "limits"),
    [
        (CreateComputeQuota, {"cores_limit": -1}),
        (CreateComputeQuota, {"cores_limit": 2**31}),
        (CreateStorageQuota, {"capacity_in_gb": "5"}),
        (CreateNetworkQuota, {"max_nics_per_subscription": 2**63}),
    ],
)
def test_a_limit_out_of_its_range_is_refused(command: type[Any], limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        command(**PLACE, **limits)


def test_the_largest_limit_of_each_width_is_kept() -> None:
    plane = provider().given(
        CreateComputeQuota(**PLACE, cores_limit=2**31 - 1),
        CreateNetworkQuota(**PLACE, max_nics_per_subscription=2**63 - 1),
    )
    assert plane.state(COMPUTE)["coresLimit"] == 2**31 - 1


def test_a_quota_stands_in_a_provider_subscription() -> None:
    plane = with_tenant()
    plane.refuses(CreateStorageQuota(**{**PLACE, "provider_subscription_id": TENANT_GUID}), "provider-subscription")
    plane.refuses(
        CreateStorageQuota(**{**PLACE, "provider_subscription_id": OTHER_GUID}), "provider-subscription-exists"
    )
    plane.refuses(CreateStorageQuota(**PLACE), "id-is-new")


def test_an_update_changes_the_given_limits_and_keeps_the_others() -> None:
    plane = with_quotas()
    events = plane.when(UpdateComputeQuota(id=COMPUTE.upper(), cores_limit=7))
    assert types(events) == [("compute-quota.changed", COMPUTE)]
    assert plane.state(COMPUTE)["coresLimit"] == 7
    assert plane.state(COMPUTE)["virtualMachineCount"] == 50
    assert plane.when(UpdateComputeQuota(id=COMPUTE, cores_limit=7)) == []


def test_a_quota_is_changed_as_what_it_is() -> None:
    with_quotas().refuses(UpdateStorageQuota(id=COMPUTE, capacity_in_gb=1), "quota-exists")


def test_a_quota_that_a_plan_names_is_not_deleted() -> None:
    plane = with_quotas().given(create_plan())
    assert BASE_PLAN.lower() in str(plane.refuses(DeleteComputeQuota(id=COMPUTE), "quota-unused")).lower()
    plane.given(UpdatePlan(id=BASE_PLAN, quota_ids=()))
    assert types(plane.when(DeleteComputeQuota(id=COMPUTE))) == [("compute-quota.deleted", COMPUTE)]
    plane.refuses(DeleteComputeQuota(id=COMPUTE), "quota-exists")
    plane.given(DeleteStorageQuota(id=STORAGE))


def test_every_quota_command_is_asked_on_the_quota_under_its_own_action() -> None:
    assert CreateStorageQuota(**PLACE).scope() == STORAGE
    actions = {name: command.action for name, command in COMMANDS.items() if name.endswith("Quota")}
    assert len(actions) == 11
    assert actions["DeleteKeyVaultQuota"] == "Microsoft.KeyVault.Admin/locations/quotas/delete"
