"""Plans: one quota of each service, and what holds a plan."""

from domain.acquired_plan import AcquirePlan, ReleasePlan, acquired_plan_id
from domain.offer import UnlinkPlan
from domain.plan import DeletePlan, UpdatePlan, plan_id
from domain.quota import CreateComputeQuota, quota_id
from tests.domain.tenants import (
    ADDON_PLAN,
    BASE_PLAN,
    COMPUTE,
    KEY_VAULT,
    OFFER,
    PROVIDER_GUID,
    STORAGE,
    TENANT_GUID,
    TENANT_SUBSCRIPTION,
    create_plan,
    types,
    with_offer,
    with_quotas,
    with_tenant,
)

LARGE = quota_id(PROVIDER_GUID, "Microsoft.Compute.Admin", "east", "large")
LARGE_QUOTA = CreateComputeQuota(provider_subscription_id=PROVIDER_GUID, location="east", name="large")


def test_a_plan_keeps_its_quotas_as_they_write_their_ids() -> None:
    plane = with_quotas().given(
        create_plan(quota_ids=(COMPUTE.upper(), KEY_VAULT), description="for all", sku_ids=["s1"])
    )
    assert plane.state(BASE_PLAN) == {
        "id": BASE_PLAN,
        "name": "base",
        "displayName": "base",
        "description": "for all",
        "quotaIds": [COMPUTE, KEY_VAULT],
        "skuIds": ["s1"],
    }


def test_a_plan_names_quotas_that_exist() -> None:
    with_quotas().refuses(create_plan(quota_ids=(LARGE,)), "quota-exists")
    with_quotas().given(create_plan()).refuses(create_plan("other", quota_ids=(BASE_PLAN,)), "quota-exists")


def test_a_plan_holds_one_quota_of_each_service() -> None:
    plane = with_quotas().given(LARGE_QUOTA)
    plane.refuses(create_plan(quota_ids=(COMPUTE, LARGE)), "one-quota-per-service")
    plane.refuses(create_plan(quota_ids=(COMPUTE, COMPUTE)), "one-quota-per-service")
    plane.given(create_plan(quota_ids=(LARGE, STORAGE)))
    plane.refuses(UpdatePlan(id=BASE_PLAN, quota_ids=(LARGE, COMPUTE)), "one-quota-per-service")


def test_a_plan_stands_in_an_existing_group_of_the_provider() -> None:
    with_quotas().refuses(create_plan(resource_group="elsewhere"), "resource-group-exists")
    with_tenant().refuses(
        create_plan(provider_subscription_id=TENANT_GUID, resource_group="app"), "provider-subscription"
    )
    with_quotas().given(create_plan()).refuses(create_plan("BASE"), "id-is-new")


def test_an_update_replaces_what_is_given() -> None:
    plane = with_quotas().given(create_plan(), LARGE_QUOTA)
    plane.given(UpdatePlan(id=BASE_PLAN, display_name="Base", quota_ids=(LARGE,)))
    assert plane.state(BASE_PLAN)["displayName"] == "Base"
    assert plane.state(BASE_PLAN)["quotaIds"] == [LARGE]
    assert plane.when(UpdatePlan(id=BASE_PLAN, display_name="Base", quota_ids=(LARGE.upper(),))) == []


def test_a_plan_that_an_offer_links_is_not_deleted() -> None:
    plane = with_offer()
    plane.refuses(DeletePlan(id=BASE_PLAN), "plan-unused")
    plane.refuses(DeletePlan(id=ADDON_PLAN), "plan-unused")
    plane.given(UnlinkPlan(id=OFFER, plan_id=ADDON_PLAN))
    assert types(plane.when(DeletePlan(id=ADDON_PLAN))) == [("plan.deleted", ADDON_PLAN)]
    plane.refuses(DeletePlan(id=plan_id(PROVIDER_GUID, "plans", "none")), "plan-exists")


def test_a_plan_that_a_subscription_acquired_is_not_deleted() -> None:
    plane = with_tenant().given(
        AcquirePlan(subscription_id=TENANT_GUID, plan_id=ADDON_PLAN, acquisition_id=TENANT_GUID)
    )
    plane.given(UnlinkPlan(id=OFFER, plan_id=ADDON_PLAN))
    acquired = acquired_plan_id(TENANT_SUBSCRIPTION, TENANT_GUID)
    assert acquired in str(plane.refuses(DeletePlan(id=ADDON_PLAN), "plan-unused"))
    plane.given(ReleasePlan(id=acquired), DeletePlan(id=ADDON_PLAN))
