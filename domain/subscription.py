"""Subscriptions: how they come to be, whose they are, and on which offer of which provider."""

from typing import ClassVar

from domain import resource_id
from domain.acquired_plan import ACQUIRED_PLAN
from domain.command import Command, Guid, Id, Prepared, Text
from domain.delegated_provider import need_provider_of_offer
from domain.errors import Refused
from domain.event import Event
from domain.fields import differing
from domain.offer import OFFER, Offer, addon_of
from domain.resource import World
from domain.resource_id import fold
from domain.subscription_state import (
    CompleteSubscriptionDeletion,
    DeleteSubscription,
    DisableSubscription,
    EnableSubscription,
    FailSubscriptionDeletion,
    OperatedSubscription,
    change_subscription_state,
    need_operated,
)
from domain.tenancy import (
    SUBSCRIPTION,
    Subscription,
    SubscriptionChanged,
    SubscriptionChanges,
    SubscriptionCreated,
    SubscriptionFields,
    account_key,
    need_provider,
    subscription_id,
    subscription_of,
)
from domain.user import UserPrincipalName, find_user


class CreateProviderSubscription(Command):
    """Create a subscription of the operator's own, which holds quotas, plans and offers. Without an id one is drawn."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/subscriptions/write"

    subscription_id: Guid | None = None
    display_name: Text = "Default Provider Subscription"
    owner: UserPrincipalName
    tenant_id: Guid

    def scope(self) -> str:
        return "/"


class NewSubscription(Command):
    """What a user's subscription takes. Unless given, its provider is the one whose offer it is."""

    subscription_id: Guid | None = None
    display_name: Text
    owner: UserPrincipalName
    tenant_id: Guid
    offer_id: Id
    delegated_provider_subscription_id: Guid | None = None
    external_reference_id: Text | None = None


class Subscribe(NewSubscription):
    """Subscribe to a Public offer, as every user may without the operator, for itself."""

    action: ClassVar[str] = "Microsoft.Subscriptions/subscriptions/write"

    def scope(self) -> str:
        return "/"

    def self_service(self) -> str:
        return self.owner


class CreateUserSubscription(NewSubscription):
    """Subscribe a user to a Public or Private offer, as the operator."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/subscriptions/write"

    def scope(self) -> str:
        return subscription_of(self.offer_id)


class UpdateSubscription(OperatedSubscription):
    """Change the fields that are given; a new owner takes over all rights that come with owning it."""

    display_name: Text | None = None
    external_reference_id: Text | None = None
    owner: UserPrincipalName | None = None


class ChangeSubscriptionOffer(OperatedSubscription):
    """Put a user's subscription on another offer of its provider; its quotas change at once."""

    offer_id: Id


class MoveSubscription(OperatedSubscription):
    """Put a user's subscription under another provider that has its offer, or that has the offer that is given.

    Only the operator moves, as the offers of the target are not the old provider's to give.
    """

    target_provider_subscription_id: Guid
    offer_id: Id | None = None


def create_provider_subscription(
    world: World, now: str, prepared: Prepared, command: CreateProviderSubscription
) -> list[Event]:
    """The owner exists, and the id was never used."""
    guid = command.subscription_id or prepared.id
    subscription = subscription_id(guid)
    SUBSCRIPTION.must_be_new(world, subscription)
    fields = SubscriptionFields(
        subscriptionId=guid,
        displayName=command.display_name,
        owner=_owner(world, subscription, command.owner),
        tenantId=command.tenant_id,
        delegatedProviderSubscriptionId=guid,
        routingResourceManagerType="Admin",
        state="Enabled",
    )
    return [SubscriptionCreated(subscription, fields)]


def create_user_subscription(world: World, now: str, prepared: Prepared, command: NewSubscription) -> list[Event]:
    """The owner exists and may have one more, and the offer is open to whoever asks, at the provider that is named."""
    guid = command.subscription_id or prepared.id
    subscription = subscription_id(guid)
    SUBSCRIPTION.must_be_new(world, subscription)
    owner = _owner(world, subscription, command.owner)
    offer = _open_offer(world, command.offer_id, or_private=isinstance(command, CreateUserSubscription))
    _account_must_have_room(world, owner, offer)
    provider = command.delegated_provider_subscription_id or resource_id.name(subscription_of(offer["id"]))
    need_provider_of_offer(world, offer["id"], provider)
    fields = SubscriptionFields(
        subscriptionId=guid,
        displayName=command.display_name,
        owner=owner,
        tenantId=command.tenant_id,
        offerId=offer["id"],
        delegatedProviderSubscriptionId=provider,
        routingResourceManagerType="Default",
        state="Enabled",
    )
    if command.external_reference_id is not None:
        fields["externalReferenceId"] = command.external_reference_id
    return [SubscriptionCreated(subscription, fields)]


def update_subscription(world: World, now: str, prepared: Prepared, command: UpdateSubscription) -> list[Event]:
    """A new owner exists and may have one more subscription to the offer."""
    subscription = _need_live(world, command)
    changes = differing(SubscriptionChanges, subscription, command)
    if "owner" in changes:
        if fold(changes["owner"]) == fold(subscription["owner"]):
            del changes["owner"]
        else:
            changes["owner"] = _owner(world, subscription["id"], changes["owner"])
        if "owner" in changes and "offerId" in subscription:
            _account_must_have_room(
                world, changes["owner"], OFFER.need(world, subscription["offerId"], rule="offer-exists")
            )
    return [SubscriptionChanged(subscription["id"], changes)] if changes else []


def change_subscription_offer(
    world: World, now: str, prepared: Prepared, command: ChangeSubscriptionOffer
) -> list[Event]:
    """The provider has the offer, and the offer has all add-on plans that the subscription acquired."""
    subscription = _need_users(world, command)
    provider = subscription["delegatedProviderSubscriptionId"]
    return _placed(world, subscription, command.offer_id, provider)


def move_subscription(world: World, now: str, prepared: Prepared, command: MoveSubscription) -> list[Event]:
    """The operator moves it, to another subscription, which has the offer."""
    need_provider(world, command.provider_subscription_id)
    subscription = _need_users(world, command)
    if fold(command.target_provider_subscription_id) == fold(subscription["subscriptionId"]):
        raise Refused(
            f"subscription {subscription['id']} would be its own provider: choose another target",
            rule="provider-is-another",
            resource=subscription["id"],
        )
    offer = command.offer_id or subscription["offerId"]
    return _placed(world, subscription, offer, command.target_provider_subscription_id)


def _placed(world: World, subscription: Subscription, offer_id: str, provider: str) -> list[Event]:
    """Return the event that puts a subscription on an offer of a provider, none if it is there."""
    changes = SubscriptionChanges()
    if fold(provider) != fold(subscription["delegatedProviderSubscriptionId"]):
        changes["delegatedProviderSubscriptionId"] = provider
    if fold(offer_id) != fold(subscription["offerId"]):
        offer = _open_offer(world, offer_id, or_private=True)
        _account_must_have_room(world, subscription["owner"], offer)
        _acquired_plans_must_fit(world, subscription, offer)
        changes["offerId"] = offer["id"]
    if not changes:
        return []
    need_provider_of_offer(world, changes.get("offerId", subscription["offerId"]), provider)
    return [SubscriptionChanged(subscription["id"], changes)]


def _need_live(world: World, command: OperatedSubscription) -> Subscription:
    subscription = need_operated(world, command)
    if subscription["state"] not in ("Enabled", "Disabled"):
        raise Refused(
            f"subscription {subscription['id']} is {subscription['state']}: it can no longer be changed",
            rule="subscription-live",
            resource=subscription["id"],
        )
    return subscription


def _need_users(world: World, command: OperatedSubscription) -> Subscription:
    subscription = _need_live(world, command)
    if "offerId" not in subscription:
        raise Refused(
            f"subscription {subscription['id']} is the provider's own and has no offer: choose a user's",
            rule="subscription-has-offer",
            resource=subscription["id"],
        )
    return subscription


def _owner(world: World, subscription: str, user_principal_name: str) -> str:
    """Return the name as the user has it, or refuse."""
    user = find_user(world, user_principal_name)
    if user is None:
        raise Refused(
            f"owner {user_principal_name} of subscription {subscription} is no user: create the user first",
            rule="owner-exists",
            resource=subscription,
        )
    return user["userPrincipalName"]


def _open_offer(world: World, offer_id: str, *, or_private: bool) -> Offer:
    offer = OFFER.need(world, offer_id, rule="offer-exists")
    if offer["state"] != "Public" and not (or_private and offer["state"] == "Private"):
        raise Refused(
            f"offer {offer['id']} is {offer['state']}: choose a Public one, or for a Private one ask the operator",
            rule="offer-open",
            resource=offer["id"],
        )
    return offer


def _account_must_have_room(world: World, owner: str, offer: Offer) -> None:
    most = offer["maxSubscriptionsPerAccount"]
    held = len(world.sources(account_key(owner, offer["id"]), "key"))
    if most and held >= most:
        raise Refused(
            f"{owner} has {held} subscriptions to offer {offer['id']}, {most} per account at most: delete one first",
            rule="offer-max-subscriptions-per-account",
            resource=offer["id"],
        )


def _acquired_plans_must_fit(world: World, subscription: Subscription, offer: Offer) -> None:
    for acquired, plan in ACQUIRED_PLAN.sources(world, subscription["id"], "acquirer"):
        if addon_of(offer, plan["planId"]) is None:
            raise Refused(
                f"offer {offer['id']} has no add-on plan {plan['planId']}, which {acquired} acquired: release it first",
                rule="acquired-plans-fit-offer",
                resource=acquired,
            )


DECISIONS = {
    CreateProviderSubscription: create_provider_subscription,
    Subscribe: create_user_subscription,
    CreateUserSubscription: create_user_subscription,
    UpdateSubscription: update_subscription,
    ChangeSubscriptionOffer: change_subscription_offer,
    MoveSubscription: move_subscription,
    EnableSubscription: change_subscription_state,
    DisableSubscription: change_subscription_state,
    DeleteSubscription: change_subscription_state,
    FailSubscriptionDeletion: change_subscription_state,
    CompleteSubscriptionDeletion: change_subscription_state,
}
KINDS = (SUBSCRIPTION,)
