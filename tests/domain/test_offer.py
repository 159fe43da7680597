"""Offers: plans that are linked once, states, and what holds an offer."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.offer import PLANS_MAX, ChangeOfferState, DeleteOffer, LinkPlan, UnlinkPlan, UpdateOffer
from domain.plan import PlanCreated, PlanFields, plan_id
from domain.subscription_state import CompleteSubscriptionDeletion, DeleteSubscription
from tests.domain.tenants import (
    ADDON_PLAN,
    BASE_PLAN,
    OFFER,
    PROVIDER_GUID,
    TENANT_GUID,
    create_offer,
    create_plan,
    subscribe,
    types,
    with_offer,
    with_quotas,
    with_tenant,
)

THIRD_PLAN = plan_id(PROVIDER_GUID, "plans", "third")


def test_an_offer_is_private_and_unlimited_unless_given() -> None:
    plane = with_quotas().given(create_plan(), create_plan("more", ()), create_offer(state="Private"))
    assert plane.state(OFFER) == {
        "id": OFFER,
        "name": "standard",
        "displayName": "standard",
        "state": "Private",
        "basePlanIds": [BASE_PLAN],
        "addonPlans": [{"planId": ADDON_PLAN, "maxAcquisitionCount": 2}],
        "maxSubscriptionsPerAccount": 0,
    }
    minimal = create_offer("bare").model_copy(update={"state": "Private", "base_plan_ids": (), "addon_plans": ()})
    assert plane.given(minimal).state(minimal.scope())["addonPlans"] == []


def test_an_addon_can_be_had_once_unless_given() -> None:
    plane = with_offer(addon_plans=[{"plan_id": ADDON_PLAN}])
    assert plane.state(OFFER)["addonPlans"] == [{"planId": ADDON_PLAN, "maxAcquisitionCount": 1}]
    with pytest.raises(ValidationError):
        create_offer(addon_plans=[{"plan_id": ADDON_PLAN, "max_acquisition_count": 0}])


def test_an_offer_links_plans_that_exist_each_once() -> None:
    plane = with_quotas().given(create_plan())
    plane.refuses(create_offer(), "plan-exists")
    plane.refuses(create_offer(addon_plans=[], base_plan_ids=[THIRD_PLAN]), "plan-exists")
    plane.refuses(create_offer(addon_plans=[{"plan_id": BASE_PLAN.upper()}]), "plan-linked-once")
    plane.refuses(create_offer(addon_plans=[], base_plan_ids=[BASE_PLAN, BASE_PLAN]), "plan-linked-once")
    plane.given(create_offer(addon_plans=[]))


def test_an_offer_links_at_most_100_plans() -> None:
    plane = with_quotas()
    plans = [plan_id(PROVIDER_GUID, "plans", f"p{number}") for number in range(PLANS_MAX + 1)]
    plane.given(*(PlanCreated(p, PlanFields(name="p", displayName="p", quotaIds=[], skuIds=[])) for p in plans))
    plane.refuses(create_offer(base_plan_ids=plans, addon_plans=[]), "offer-plans-max")
    plane.given(create_offer(base_plan_ids=plans[:-1], addon_plans=[]))
    plane.refuses(LinkPlan(id=OFFER, plan_id=plans[-1]), "offer-plans-max")


def test_a_plan_is_linked_as_base_or_as_addon() -> None:
    plane = with_offer().given(create_plan("third", ()))
    plane.refuses(LinkPlan(id=OFFER, plan_id=BASE_PLAN, plan_link_type="Addon"), "plan-linked-once")
    plane.refuses(LinkPlan(id=OFFER, plan_id=ADDON_PLAN, plan_link_type="Base"), "plan-linked-once")
    plane.given(LinkPlan(id=OFFER, plan_id=THIRD_PLAN))
    assert plane.state(OFFER)["basePlanIds"] == [BASE_PLAN, THIRD_PLAN]
    assert plane.when(LinkPlan(id=OFFER, plan_id=THIRD_PLAN.upper())) == []


def test_linking_an_addon_again_changes_how_often_it_can_be_had() -> None:
    plane = with_offer().given(LinkPlan(id=OFFER, plan_id=ADDON_PLAN, plan_link_type="Addon", max_acquisition_count=5))
    assert plane.state(OFFER)["addonPlans"] == [{"planId": ADDON_PLAN, "maxAcquisitionCount": 5}]
    again = LinkPlan(id=OFFER, plan_id=ADDON_PLAN, plan_link_type="Addon", max_acquisition_count=5)
    assert plane.when(again) == []


def test_the_last_base_plan_of_a_public_offer_stays() -> None:
    plane = with_offer()
    plane.refuses(UnlinkPlan(id=OFFER, plan_id=BASE_PLAN), "offer-has-base-plan")
    plane.given(ChangeOfferState(id=OFFER, state="Private"), UnlinkPlan(id=OFFER, plan_id=BASE_PLAN.upper()))
    assert plane.state(OFFER)["basePlanIds"] == []
    plane.refuses(ChangeOfferState(id=OFFER, state="Public"), "offer-has-base-plan")
    plane.refuses(create_offer("empty", base_plan_ids=[]), "offer-has-base-plan")


def test_the_last_base_plan_that_anybody_has_stays() -> None:
    plane = with_offer().given(subscribe(), ChangeOfferState(id=OFFER, state="Private"))
    plane.refuses(UnlinkPlan(id=OFFER, plan_id=BASE_PLAN), "offer-has-base-plan")
    plane.given(
        create_plan("third", ()), LinkPlan(id=OFFER, plan_id=THIRD_PLAN), UnlinkPlan(id=OFFER, plan_id=BASE_PLAN)
    )


def test_a_plan_that_is_not_linked_is_not_unlinked() -> None:
    plane = with_offer()
    plane.given(UnlinkPlan(id=OFFER, plan_id=ADDON_PLAN))
    assert plane.state(OFFER)["addonPlans"] == []
    plane.refuses(UnlinkPlan(id=OFFER, plan_id=ADDON_PLAN), "plan-linked")


def test_an_offer_changes_its_fields_and_its_state() -> None:
    plane = with_offer()
    plane.given(UpdateOffer(id=OFFER, display_name="Standard", max_subscriptions_per_account=3))
    plane.given(ChangeOfferState(id=OFFER, state="Decommissioned"))
    offer = plane.state(OFFER)
    assert (offer["displayName"], offer["maxSubscriptionsPerAccount"], offer["state"]) == (
        "Standard",
        3,
        "Decommissioned",
    )
    assert plane.when(ChangeOfferState(id=OFFER, state="Decommissioned")) == []
    assert plane.when(UpdateOffer(id=OFFER, display_name="Standard")) == []


def test_an_offer_with_subscriptions_is_not_deleted() -> None:
    plane = with_offer().given(subscribe())
    plane.refuses(DeleteOffer(id=OFFER), "offer-unused")
    operated: dict[str, Any] = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": TENANT_GUID}
    plane.given(DeleteSubscription(**operated))
    plane.refuses(DeleteOffer(id=OFFER), "offer-unused")
    plane.given(CompleteSubscriptionDeletion(**operated))
    assert types(plane.when(DeleteOffer(id=OFFER))) == [("offer.deleted", OFFER)]


def test_only_a_provider_subscription_holds_offers() -> None:
    in_own = {"provider_subscription_id": TENANT_GUID, "resource_group": "app"}
    with_tenant().refuses(create_offer("mine", **in_own), "provider-subscription")
    with_tenant().given(create_offer("mine"))
