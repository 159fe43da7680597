"""Acquired plans: which add-ons a subscription takes, and how often."""

from domain.acquired_plan import AcquirePlan, ReleasePlan, acquired_plan_id
from domain.subscription_state import DisableSubscription
from tests.domain.scenario import NOW
from tests.domain.tenants import (
    ADDON_PLAN,
    BASE_PLAN,
    OTHER_GUID,
    PROVIDER_GUID,
    TENANT_GUID,
    TENANT_SUBSCRIPTION,
    subscribe,
    types,
    with_tenant,
)

ACQUIRE = AcquirePlan(subscription_id=TENANT_GUID, plan_id=ADDON_PLAN)


def test_a_subscription_acquires_an_addon_of_its_offer() -> None:
    plane = with_tenant()
    named = AcquirePlan(
        subscription_id=TENANT_GUID, plan_id=ADDON_PLAN.upper(), acquisition_id=OTHER_GUID, external_reference_id="r"
    )
    plane.given(named)
    acquired = acquired_plan_id(TENANT_SUBSCRIPTION, OTHER_GUID)
    assert plane.state(acquired) == {
        "id": acquired,
        "acquisitionId": OTHER_GUID,
        "planId": ADDON_PLAN,
        "externalReferenceId": "r",
        "provisioningState": "Succeeded",
        "acquisitionTime": NOW,
    }
    plane.refuses(named, "id-is-new")


def test_an_addon_is_acquired_no_more_often_than_the_offer_says() -> None:
    plane = with_tenant().given(subscribe(OTHER_GUID))
    first = acquired_plan_id(TENANT_SUBSCRIPTION, plane.fresh_id())
    plane.given(ACQUIRE, ACQUIRE)
    plane.refuses(ACQUIRE, "plan-max-acquisition-count")
    plane.given(AcquirePlan(subscription_id=OTHER_GUID, plan_id=ADDON_PLAN))
    assert types(plane.when(ReleasePlan(id=first))) == [("acquired-plan.deleted", first)]
    plane.given(ACQUIRE)


def test_only_addons_are_acquired() -> None:
    plane = with_tenant()
    plane.refuses(AcquirePlan(subscription_id=TENANT_GUID, plan_id=BASE_PLAN), "plan-is-addon")
    plane.refuses(AcquirePlan(subscription_id=PROVIDER_GUID, plan_id=ADDON_PLAN), "plan-is-addon")


def test_a_disabled_or_missing_subscription_acquires_nothing() -> None:
    plane = with_tenant()
    plane.refuses(AcquirePlan(subscription_id=OTHER_GUID, plan_id=ADDON_PLAN), "subscription-exists")
    plane.given(DisableSubscription(provider_subscription_id=PROVIDER_GUID, subscription_id=TENANT_GUID))
    plane.refuses(ACQUIRE, "subscription-enabled")


def test_what_was_not_acquired_is_not_released() -> None:
    with_tenant().refuses(ReleasePlan(id=acquired_plan_id(TENANT_SUBSCRIPTION, OTHER_GUID)), "acquired-plan-exists")
