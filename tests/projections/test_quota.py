"""Effective quotas and admission, with the numbers worked out by hand."""

import pytest

from domain.acquired_plan import AcquirePlan, ReleasePlan, acquired_plan_id
from domain.errors import NotFound, Usage
from domain.offer import LinkPlan, UnlinkPlan
from domain.plan import plan_id
from domain.quota import UpdateComputeQuota
from domain.subscription_state import DisableSubscription
from projections.quota import Admission, QuotaSource, ServiceQuota, Violation, admit, effective_quotas
from tests.domain.scenario import ControlPlane
from tests.domain.tenants import (
    ADDON_PLAN,
    BASE_PLAN,
    COMPUTE,
    KEY_VAULT,
    OFFER,
    OTHER_GUID,
    PROVIDER,
    PROVIDER_GUID,
    STORAGE,
    TENANT_GUID,
    TENANT_SUBSCRIPTION,
    create_plan,
    with_tenant,
)

FIRST = acquired_plan_id(TENANT_SUBSCRIPTION, OTHER_GUID)
ACQUIRE = AcquirePlan(subscription_id=TENANT_GUID, plan_id=ADDON_PLAN, acquisition_id=OTHER_GUID)
AGAIN = AcquirePlan(subscription_id=TENANT_GUID, plan_id=ADDON_PLAN, acquisition_id=TENANT_GUID)
SECOND = acquired_plan_id(TENANT_SUBSCRIPTION, TENANT_GUID)


def cores(plane: ControlPlane) -> int:
    return effective_quotas(plane.world, TENANT_SUBSCRIPTION)["compute"].limits["coresLimit"]


def test_a_subscription_has_the_quotas_of_the_base_plans_of_its_offer() -> None:
    quotas = effective_quotas(with_tenant().world, TENANT_SUBSCRIPTION)
    assert list(quotas) == ["compute", "key-vault"]
    assert quotas["compute"].limits["coresLimit"] == 100
    assert quotas["compute"].sources == (QuotaSource(BASE_PLAN, COMPUTE),)
    assert quotas["key-vault"] == ServiceQuota("key-vault", {}, (QuotaSource(BASE_PLAN, KEY_VAULT),))


def test_an_acquired_addon_adds_to_them_each_time() -> None:
    plane = with_tenant().given(ACQUIRE)
    quotas = effective_quotas(plane.world, TENANT_SUBSCRIPTION)
    assert quotas["compute"].limits["coresLimit"] == 200
    assert quotas["compute"].sources == (QuotaSource(BASE_PLAN, COMPUTE), QuotaSource(ADDON_PLAN, COMPUTE, FIRST))
    assert quotas["storage"].limits == {"capacityInGb": 2048, "numberOfStorageAccounts": 20}
    plane.given(AGAIN)
    quotas = effective_quotas(plane.world, TENANT_SUBSCRIPTION)
    assert quotas["compute"].limits["coresLimit"] == 300
    assert quotas["storage"].limits == {"capacityInGb": 4096, "numberOfStorageAccounts": 40}
    assert quotas["storage"].sources == (
        QuotaSource(ADDON_PLAN, STORAGE, SECOND),
        QuotaSource(ADDON_PLAN, STORAGE, FIRST),
    )
    assert cores(plane.given(ReleasePlan(id=FIRST))) == 200


def test_changes_of_quota_plan_and_offer_count_at_once() -> None:
    plane = with_tenant()
    assert cores(plane.given(UpdateComputeQuota(id=COMPUTE, cores_limit=7))) == 7
    third = plan_id(PROVIDER_GUID, "plans", "third")
    plane.given(create_plan("third", (COMPUTE,)), LinkPlan(id=OFFER, plan_id=third))
    assert cores(plane) == 14
    assert cores(plane.given(UnlinkPlan(id=OFFER, plan_id=BASE_PLAN))) == 7
    assert "key-vault" not in effective_quotas(plane.world, TENANT_SUBSCRIPTION)


def test_an_addon_that_left_the_offer_still_counts_where_it_was_acquired() -> None:
    plane = with_tenant().given(ACQUIRE, UnlinkPlan(id=OFFER, plan_id=ADDON_PLAN))
    assert cores(plane) == 200


def test_the_provider_subscription_is_offered_nothing() -> None:
    assert effective_quotas(with_tenant().world, PROVIDER) == {}


def test_a_subscription_that_does_not_exist_has_no_quotas() -> None:
    with pytest.raises(NotFound):
        effective_quotas(with_tenant().world, OFFER)
    with pytest.raises(NotFound):
        admit(with_tenant().world, f"/subscriptions/{OTHER_GUID}", {})


def test_a_request_up_to_the_limit_is_admitted() -> None:
    world = with_tenant().world
    use = {"compute": {"coresLimit": 90, "virtualMachineCount": 3}}
    assert admit(
        world, TENANT_SUBSCRIPTION, {"compute": {"coresLimit": 10, "virtualMachineCount": 1}}, use
    ) == Admission(True)
    assert admit(world, TENANT_SUBSCRIPTION.upper(), {"compute": {"coresLimit": 100}}) == Admission(True)


def test_a_request_over_the_limit_names_the_numbers_and_the_quotas() -> None:
    plane = with_tenant().given(ACQUIRE)
    request = {"compute": {"coresLimit": 111, "virtualMachineCount": 1, "vmScaleSetCount": 201}}
    assert admit(plane.world, TENANT_SUBSCRIPTION, request, {"compute": {"coresLimit": 90}}) == Admission(
        False,
        None,
        (
            Violation("compute", "coresLimit", 200, 90, 111, (COMPUTE, COMPUTE)),
            Violation("compute", "vmScaleSetCount", 200, 0, 201, (COMPUTE, COMPUTE)),
        ),
    )


def test_a_service_without_a_quota_is_not_offered() -> None:
    plane = with_tenant()
    request = {"storage": {"numberOfStorageAccounts": 1}}
    refusal = Admission(False, None, (Violation("storage", "numberOfStorageAccounts", 0, 0, 1, ()),))
    assert admit(plane.world, TENANT_SUBSCRIPTION, request) == refusal
    assert admit(plane.given(ACQUIRE).world, TENANT_SUBSCRIPTION, request).admitted


def test_key_vault_is_unlimited_once_it_is_offered() -> None:
    plane = with_tenant()
    request = {"key-vault": {"vaults": 10_000}}
    assert admit(plane.world, TENANT_SUBSCRIPTION, request).admitted
    plane.given(create_plan("third", (COMPUTE,)), LinkPlan(id=OFFER, plan_id=plan_id(PROVIDER_GUID, "plans", "third")))
    plane.given(UnlinkPlan(id=OFFER, plan_id=BASE_PLAN))
    assert not admit(plane.world, TENANT_SUBSCRIPTION, request).admitted


def test_a_request_for_nothing_is_admitted_even_where_a_lowered_limit_is_exceeded() -> None:
    plane = with_tenant().given(UpdateComputeQuota(id=COMPUTE, cores_limit=1))
    use = {"compute": {"coresLimit": 50}}
    assert admit(
        plane.world, TENANT_SUBSCRIPTION, {"compute": {"coresLimit": 0}, "storage": {"capacityInGb": 0}}, use
    ).admitted
    assert not admit(plane.world, TENANT_SUBSCRIPTION, {"compute": {"coresLimit": 1}}, use).admitted


def test_a_subscription_that_is_not_enabled_is_admitted_nothing() -> None:
    plane = with_tenant().given(
        DisableSubscription(provider_subscription_id=PROVIDER_GUID, subscription_id=TENANT_GUID)
    )
    answer = admit(plane.world, TENANT_SUBSCRIPTION, {"compute": {"coresLimit": 1}})
    assert answer == Admission(False, f"subscription {TENANT_SUBSCRIPTION} is Disabled")


@pytest.mark.parametrize(
    "amounts", [{"databases": {"count": 1}}, {"compute": {"cores": 1}}, {"compute": {"coresLimit": -1}}]
)
def test_a_question_that_makes_no_sense_is_not_answered(amounts: dict[str, dict[str, int]]) -> None:
    world = with_tenant().world
    with pytest.raises(Usage):
        admit(world, TENANT_SUBSCRIPTION, amounts)
    with pytest.raises(Usage):
        admit(world, TENANT_SUBSCRIPTION, {}, amounts)
