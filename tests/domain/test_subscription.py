"""Subscriptions: who may subscribe to what, how often, and how a subscription changes hands, offer and provider."""

from typing import Any

from domain.acquired_plan import AcquirePlan, ReleasePlan, acquired_plan_id
from domain.delegated_provider import CreateDelegatedProvider, DelegateOffer
from domain.offer import ChangeOfferState, offer_id
from domain.subscription import (
    ChangeSubscriptionOffer,
    CreateProviderSubscription,
    CreateUserSubscription,
    MoveSubscription,
    UpdateSubscription,
)
from domain.subscription_state import CompleteSubscriptionDeletion, DeleteSubscription, EnableSubscription
from domain.tenancy import subscription_id
from tests.domain.scenario import ControlPlane
from tests.domain.tenants import (
    ADDON_PLAN,
    DIRECTORY,
    OFFER,
    OPERATOR,
    OTHER_GUID,
    OTHER_TENANT,
    PROVIDER,
    PROVIDER_GUID,
    TENANT,
    TENANT_GUID,
    TENANT_SUBSCRIPTION,
    create_offer,
    provider,
    subscribe,
    with_offer,
    with_tenant,
)

THIRD_GUID = "a0000000-0000-4000-9000-000000000004"
OTHER_OFFER = offer_id(PROVIDER_GUID, "plans", "other")
OPERATED: dict[str, Any] = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": TENANT_GUID}


def by_operator(guid: str = TENANT_GUID, **given: Any) -> CreateUserSubscription:
    return CreateUserSubscription.model_validate(subscribe(guid, **given).model_dump())


def with_delegated_provider() -> ControlPlane:
    """Return the tenant, and another user who sells the standard offer."""
    return with_tenant().given(
        subscribe(OTHER_GUID, owner=OTHER_TENANT),
        CreateDelegatedProvider(provider_subscription_id=PROVIDER_GUID, subscription_id=OTHER_GUID),
        DelegateOffer(offer_id=OFFER, name="d1", subscription_id=OTHER_GUID),
    )


def test_a_user_subscribes_to_a_public_offer() -> None:
    plane = with_offer()
    plane.when(subscribe(owner=TENANT.upper(), external_reference_id="r1"))
    assert plane.state(TENANT_SUBSCRIPTION) == {
        "id": TENANT_SUBSCRIPTION,
        "subscriptionId": TENANT_GUID,
        "displayName": "A subscription",
        "owner": TENANT,
        "tenantId": DIRECTORY,
        "offerId": OFFER,
        "delegatedProviderSubscriptionId": PROVIDER_GUID,
        "routingResourceManagerType": "Default",
        "state": "Enabled",
        "externalReferenceId": "r1",
    }


def test_a_subscription_without_an_id_draws_one() -> None:
    plane = with_offer()
    drawn = subscription_id(plane.fresh_id())
    plane.given(subscribe().model_copy(update={"subscription_id": None}))
    assert plane.state(drawn)["subscriptionId"] == drawn.rsplit("/", 1)[1]


def test_only_the_operator_subscribes_to_a_private_offer() -> None:
    plane = with_offer(state="Private")
    plane.refuses(subscribe(), "offer-open")
    plane.given(by_operator())


def test_nobody_subscribes_to_a_decommissioned_offer_and_subscriptions_stay() -> None:
    plane = with_tenant().given(ChangeOfferState(id=OFFER, state="Decommissioned"))
    plane.refuses(subscribe(OTHER_GUID), "offer-open")
    plane.refuses(by_operator(OTHER_GUID), "offer-open")
    assert plane.state(TENANT_SUBSCRIPTION)["state"] == "Enabled"


def test_the_owner_is_a_user() -> None:
    with_offer().refuses(subscribe(owner="nobody@region.example"), "owner-exists")
    nobody = CreateProviderSubscription(owner="nobody@region.example", tenant_id=DIRECTORY)
    provider().refuses(nobody, "owner-exists")


def test_the_offer_exists() -> None:
    provider().refuses(subscribe(), "offer-exists")


def test_an_account_has_no_more_subscriptions_than_the_offer_allows() -> None:
    plane = with_offer(max_subscriptions_per_account=1).given(subscribe())
    plane.refuses(subscribe(OTHER_GUID, owner=TENANT.upper()), "offer-max-subscriptions-per-account")
    plane.refuses(by_operator(OTHER_GUID), "offer-max-subscriptions-per-account")
    plane.given(subscribe(OTHER_GUID, owner=OTHER_TENANT))
    change = UpdateSubscription(**{**OPERATED, "subscription_id": OTHER_GUID}, owner=TENANT)
    plane.refuses(change, "offer-max-subscriptions-per-account")
    plane.given(DeleteSubscription(**OPERATED))
    plane.refuses(subscribe(THIRD_GUID), "offer-max-subscriptions-per-account")
    plane.given(CompleteSubscriptionDeletion(**OPERATED), subscribe(THIRD_GUID))


def test_a_subscription_id_is_never_used_again() -> None:
    plane = with_offer().given(subscribe(), DeleteSubscription(**OPERATED), CompleteSubscriptionDeletion(**OPERATED))
    plane.refuses(subscribe(), "id-is-new")


def test_the_provider_subscription_is_its_own_provider_and_has_no_offer() -> None:
    state = provider().state(PROVIDER)
    assert state["displayName"] == "Default Provider Subscription"
    assert state["routingResourceManagerType"] == "Admin"
    assert state["delegatedProviderSubscriptionId"] == PROVIDER_GUID
    assert "offerId" not in state


def test_a_subscription_changes_its_name_and_its_owner() -> None:
    plane = with_tenant()
    plane.given(UpdateSubscription(**OPERATED, display_name="Renamed", owner=OTHER_TENANT.upper()))
    assert plane.state(TENANT_SUBSCRIPTION)["displayName"] == "Renamed"
    assert plane.state(TENANT_SUBSCRIPTION)["owner"] == OTHER_TENANT
    plane.refuses(UpdateSubscription(**OPERATED, owner="nobody@region.example"), "owner-exists")
    assert plane.when(UpdateSubscription(**OPERATED, owner=OTHER_TENANT.upper(), display_name="Renamed")) == []


def test_the_provider_subscription_changes_its_owner() -> None:
    operated = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": PROVIDER_GUID}
    plane = provider().given(UpdateSubscription(**operated, owner=TENANT))
    assert plane.state(PROVIDER)["owner"] == TENANT


def test_owning_a_subscription_gives_no_right_to_operate_it() -> None:
    plane = with_tenant()
    by_owner = {"provider_subscription_id": TENANT_GUID, "subscription_id": TENANT_GUID}
    plane.refuses(UpdateSubscription(**by_owner, display_name="Mine"), "subscription-provided")
    plane.refuses(EnableSubscription(**by_owner), "subscription-provided")
    assert EnableSubscription(**by_owner).scope().startswith(TENANT_SUBSCRIPTION)
    assert EnableSubscription(**OPERATED).scope().startswith(PROVIDER)


def test_a_subscription_changes_to_another_open_offer() -> None:
    plane = with_tenant().given(create_offer("other", state="Private"))
    plane.given(ChangeSubscriptionOffer(**OPERATED, offer_id=OTHER_OFFER))
    assert plane.state(TENANT_SUBSCRIPTION)["offerId"] == OTHER_OFFER
    assert plane.when(ChangeSubscriptionOffer(**OPERATED, offer_id=OTHER_OFFER.upper())) == []
    plane.given(ChangeOfferState(id=OFFER, state="Decommissioned"))
    plane.refuses(ChangeSubscriptionOffer(**OPERATED, offer_id=OFFER), "offer-open")


def test_the_other_offer_has_room_for_the_account() -> None:
    plane = with_tenant().given(create_offer("other", max_subscriptions_per_account=1))
    plane.given(subscribe(OTHER_GUID, offer_id=OTHER_OFFER))
    change = ChangeSubscriptionOffer(**OPERATED, offer_id=OTHER_OFFER)
    plane.refuses(change, "offer-max-subscriptions-per-account")


def test_the_other_offer_has_the_plans_that_were_acquired() -> None:
    plane = with_tenant().given(create_offer("other", addon_plans=[]))
    plane.given(AcquirePlan(subscription_id=TENANT_GUID, plan_id=ADDON_PLAN, acquisition_id=THIRD_GUID))
    change = ChangeSubscriptionOffer(**OPERATED, offer_id=OTHER_OFFER)
    plane.refuses(change, "acquired-plans-fit-offer")
    plane.given(ReleasePlan(id=acquired_plan_id(TENANT_SUBSCRIPTION, THIRD_GUID)), change)


def test_the_provider_subscription_is_on_no_offer() -> None:
    operated = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": PROVIDER_GUID}
    with_offer().refuses(ChangeSubscriptionOffer(**operated, offer_id=OFFER), "subscription-has-offer")


def test_a_subscription_moves_to_a_provider_that_has_its_offer() -> None:
    plane = with_delegated_provider().given(subscribe(THIRD_GUID))
    plane.refuses(MoveSubscription(**OPERATED, target_provider_subscription_id=THIRD_GUID), "offer-delegated")
    plane.given(MoveSubscription(**OPERATED, target_provider_subscription_id=OTHER_GUID))
    assert plane.state(TENANT_SUBSCRIPTION)["delegatedProviderSubscriptionId"] == OTHER_GUID
    assert plane.when(MoveSubscription(**OPERATED, target_provider_subscription_id=OTHER_GUID)) == []
    plane.given(MoveSubscription(**OPERATED, target_provider_subscription_id=PROVIDER_GUID))


def test_a_subscription_moves_and_changes_its_offer_at_once() -> None:
    plane = with_delegated_provider().given(create_offer("other"))
    move = MoveSubscription(**OPERATED, target_provider_subscription_id=OTHER_GUID, offer_id=OTHER_OFFER)
    plane.refuses(move, "offer-delegated")
    plane.given(DelegateOffer(offer_id=OTHER_OFFER, name="d1", subscription_id=OTHER_GUID), move)
    assert plane.state(TENANT_SUBSCRIPTION)["offerId"] == OTHER_OFFER
    back = ChangeSubscriptionOffer(**OPERATED, offer_id=OFFER)
    assert plane.given(back).state(TENANT_SUBSCRIPTION)["offerId"] == OFFER


def test_a_subscription_is_never_its_own_provider() -> None:
    operated = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": OTHER_GUID}
    move = MoveSubscription(**operated, target_provider_subscription_id=OTHER_GUID)
    with_delegated_provider().refuses(move, "provider-is-another")


def test_a_delegated_provider_sells_and_operates_what_is_delegated_to_it() -> None:
    plane = with_delegated_provider()
    plane.refuses(subscribe(THIRD_GUID, delegated_provider_subscription_id=TENANT_GUID), "offer-delegated")
    plane.given(subscribe(THIRD_GUID, delegated_provider_subscription_id=OTHER_GUID))
    by_seller = {"provider_subscription_id": OTHER_GUID, "subscription_id": THIRD_GUID}
    plane.given(UpdateSubscription(**by_seller, display_name="Sold"))
    other = {"provider_subscription_id": OTHER_GUID, "subscription_id": TENANT_GUID}
    plane.refuses(UpdateSubscription(**other, display_name="Not sold"), "subscription-provided")


def test_a_delegated_provider_does_not_give_away_the_offers_of_others() -> None:
    plane = with_delegated_provider().given(create_offer("other", state="Private"))
    plane.given(subscribe(THIRD_GUID, delegated_provider_subscription_id=OTHER_GUID))
    by_seller = {"provider_subscription_id": OTHER_GUID, "subscription_id": THIRD_GUID}
    plane.refuses(ChangeSubscriptionOffer(**by_seller, offer_id=OTHER_OFFER), "offer-delegated")
    to_operator = {"target_provider_subscription_id": PROVIDER_GUID, "offer_id": OTHER_OFFER}
    plane.refuses(MoveSubscription(**by_seller, **to_operator), "provider-subscription")
    plane.given(MoveSubscription(provider_subscription_id=PROVIDER_GUID, subscription_id=THIRD_GUID, **to_operator))


def test_a_subscription_that_is_being_deleted_does_not_change() -> None:
    plane = with_offer().given(create_offer("other"), subscribe(), DeleteSubscription(**OPERATED))
    plane.refuses(UpdateSubscription(**OPERATED, display_name="Late"), "subscription-live")
    plane.refuses(ChangeSubscriptionOffer(**OPERATED, offer_id=OTHER_OFFER), "subscription-live")
    plane.refuses(MoveSubscription(**OPERATED, target_provider_subscription_id=PROVIDER_GUID), "subscription-live")


def test_a_user_asks_nobody_and_the_operator_the_provider() -> None:
    assert subscribe().scope() == "/"
    assert by_operator().scope() == PROVIDER
    assert CreateProviderSubscription(owner=OPERATOR, tenant_id=DIRECTORY).scope() == "/"
