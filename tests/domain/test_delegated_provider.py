"""Delegated providers: who can be one, which offers they have, and what holds both."""

from domain.delegated_provider import (
    CreateDelegatedProvider,
    DelegateOffer,
    DeleteDelegatedProvider,
    EndOfferDelegation,
    delegated_provider_id,
)
from domain.offer import DeleteOffer, UnlinkPlan, offer_id
from domain.subscription import CreateProviderSubscription, MoveSubscription
from domain.subscription_state import DisableSubscription
from tests.domain.scenario import ControlPlane
from tests.domain.tenants import (
    BASE_PLAN,
    DIRECTORY,
    OFFER,
    OPERATOR,
    OTHER_GUID,
    OTHER_TENANT,
    PROVIDER_GUID,
    TENANT_GUID,
    create_offer,
    subscribe,
    types,
    with_offer,
    with_tenant,
)

CREATE = CreateDelegatedProvider(provider_subscription_id=PROVIDER_GUID, subscription_id=TENANT_GUID)
SELLER = delegated_provider_id(PROVIDER_GUID, TENANT_GUID)
DELEGATE = DelegateOffer(offer_id=OFFER, name="d1", subscription_id=TENANT_GUID)
DELEGATION = f"{OFFER}/offerDelegations/d1"
SOLD = subscribe(OTHER_GUID, owner=OTHER_TENANT, delegated_provider_subscription_id=TENANT_GUID)


def with_seller() -> ControlPlane:
    return with_tenant().given(CREATE, DELEGATE)


def test_a_users_subscription_becomes_a_delegated_provider_once() -> None:
    plane = with_tenant().given(CREATE)
    assert plane.state(SELLER) == {"id": SELLER, "subscriptionId": TENANT_GUID}
    plane.refuses(CREATE, "id-is-new")


def test_a_subscription_is_a_delegated_provider_of_one_provider() -> None:
    second = "a0000000-0000-4000-9000-000000000009"
    create = CreateProviderSubscription(subscription_id=second, owner=OPERATOR, tenant_id=DIRECTORY)
    again = CreateDelegatedProvider(provider_subscription_id=second, subscription_id=TENANT_GUID)
    with_tenant().given(CREATE, create).refuses(again, "one-delegated-provider-per-subscription")
    with_tenant().given(create, again)


def test_a_delegated_provider_is_an_enabled_users_subscription() -> None:
    own = CreateDelegatedProvider(provider_subscription_id=PROVIDER_GUID, subscription_id=PROVIDER_GUID)
    with_tenant().refuses(own, "delegated-provider-is-user")
    with_offer().refuses(CREATE, "subscription-exists")
    disable = DisableSubscription(provider_subscription_id=PROVIDER_GUID, subscription_id=TENANT_GUID)
    with_tenant().given(disable).refuses(CREATE, "subscription-enabled")


def test_only_the_provider_delegates() -> None:
    by_tenant = CreateDelegatedProvider(provider_subscription_id=TENANT_GUID, subscription_id=TENANT_GUID)
    with_tenant().refuses(by_tenant, "provider-subscription")


def test_an_offer_is_delegated_to_a_delegated_provider_once() -> None:
    plane = with_tenant()
    plane.refuses(DELEGATE, "delegated-provider-exists")
    plane.given(CREATE, DELEGATE)
    assert plane.state(DELEGATION) == {"id": DELEGATION, "subscriptionId": TENANT_GUID}
    again = DelegateOffer(offer_id=OFFER.upper(), name="d2", subscription_id=TENANT_GUID)
    plane.refuses(again, "one-delegation-per-offer-and-provider")
    unknown = DelegateOffer(offer_id=offer_id(PROVIDER_GUID, "plans", "none"), name="d1", subscription_id=TENANT_GUID)
    plane.refuses(unknown, "offer-exists")


def test_a_delegation_in_use_does_not_end() -> None:
    plane = with_seller().given(SOLD)
    plane.refuses(EndOfferDelegation(id=DELEGATION), "offer-delegation-unused")
    back = MoveSubscription(
        provider_subscription_id=PROVIDER_GUID,
        subscription_id=OTHER_GUID,
        target_provider_subscription_id=PROVIDER_GUID,
    )
    assert types(plane.given(back).when(EndOfferDelegation(id=DELEGATION))) == [
        ("offer-delegation.deleted", DELEGATION)
    ]
    plane.refuses(EndOfferDelegation(id=DELEGATION), "offer-delegation-exists")


def test_a_delegation_ends_while_only_another_offer_is_sold() -> None:
    plane = with_seller().given(create_offer("other"))
    other = offer_id(PROVIDER_GUID, "plans", "other")
    plane.given(DelegateOffer(offer_id=other, name="d1", subscription_id=TENANT_GUID))
    plane.given(SOLD.model_copy(update={"offer_id": other}), EndOfferDelegation(id=DELEGATION))


def test_a_delegated_provider_with_offers_or_subscriptions_is_not_deleted() -> None:
    plane = with_seller()
    assert DELEGATION in str(plane.refuses(DeleteDelegatedProvider(id=SELLER), "delegated-provider-unused"))
    plane.given(EndOfferDelegation(id=DELEGATION))
    assert types(plane.when(DeleteDelegatedProvider(id=SELLER))) == [("delegated-provider.deleted", SELLER)]
    plane.refuses(DeleteDelegatedProvider(id=SELLER), "delegated-provider-exists")


def test_a_delegated_offer_may_lose_its_last_base_plan_while_nobody_has_subscribed() -> None:
    plane = with_seller().given(create_offer("other", state="Private"))
    other = offer_id(PROVIDER_GUID, "plans", "other")
    plane.given(DelegateOffer(offer_id=other, name="d1", subscription_id=TENANT_GUID))
    plane.given(UnlinkPlan(id=other, plan_id=BASE_PLAN))
    assert plane.state(other)["basePlanIds"] == []


def test_a_delegated_offer_is_not_deleted() -> None:
    plane = with_seller().given(create_offer("other"))
    other = offer_id(PROVIDER_GUID, "plans", "other")
    plane.given(DelegateOffer(offer_id=other, name="d1", subscription_id=TENANT_GUID))
    plane.refuses(DeleteOffer(id=other), "offer-unused")
    plane.given(EndOfferDelegation(id=f"{other}/offerDelegations/d1"), DeleteOffer(id=other))
