"""Delegated providers: subscriptions whose owners sell offers that the operator delegates to them."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Guid, Id, Name, Prepared
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.offer import OFFER
from domain.removal import must_be_unused
from domain.resource import Kind, Link, World, key
from domain.tenancy import need_enabled, need_provider, subscription_id, subscription_of


@with_config(STRICT)
class DelegatedProviderFields(TypedDict):
    """Everything else that the admin view shows of a delegated provider is its subscription's."""

    subscriptionId: str


class DelegatedProvider(DelegatedProviderFields):
    """The state of a delegated provider."""

    id: str


@with_config(STRICT)
class OfferDelegationFields(TypedDict):
    """`subscriptionId` is the delegated provider that receives the offer."""

    subscriptionId: str


class OfferDelegation(OfferDelegationFields):
    """The state of an offer delegation."""

    id: str


DelegatedProviderCreated = EventType("delegated-provider.created", DelegatedProviderFields, created)
DelegatedProviderDeleted = EventType("delegated-provider.deleted", Nothing, deleted)
OfferDelegated = EventType("offer-delegation.created", OfferDelegationFields, created)
OfferDelegationEnded = EventType("offer-delegation.deleted", Nothing, deleted)


def provider_key(subscription_guid: str) -> str:
    """Return the target of the link that finds the delegated provider of a subscription."""
    return key("delegated-provider", subscription_guid)


def delegation_key(offer: str, subscription_guid: str) -> str:
    """Return the target of the link that keeps a delegation unique by offer and receiver."""
    return key("offer-delegation", offer, subscription_guid)


def _delegated_provider_links(state: DelegatedProvider) -> Iterable[Link]:
    yield "key", provider_key(state["subscriptionId"])


def _offer_delegation_links(state: OfferDelegation) -> Iterable[Link]:
    yield "offer", offer_of(state["id"])
    yield "receiver", subscription_id(state["subscriptionId"])
    yield "key", delegation_key(offer_of(state["id"]), state["subscriptionId"])


DELEGATED_PROVIDER = Kind[DelegatedProvider](
    "delegated-provider",
    "subscriptions",
    "delegated provider",
    (DelegatedProviderCreated, DelegatedProviderDeleted),
    _delegated_provider_links,
    ("subscriptionId",),
    state=DelegatedProvider,
)
OFFER_DELEGATION = Kind[OfferDelegation](
    "offer-delegation",
    "subscriptions",
    "offer delegation",
    (OfferDelegated, OfferDelegationEnded),
    _offer_delegation_links,
    ("subscriptionId",),
    state=OfferDelegation,
)


def delegated_provider_id(provider_subscription_guid: str, subscription_guid: str) -> str:
    """Return the id of the delegated provider that a subscription is."""
    provider = subscription_id(provider_subscription_guid)
    return resource_id.provided(provider, "Microsoft.Subscriptions.Admin", "delegatedProviders", subscription_guid)


def offer_of(delegation: str) -> str:
    """Return the id of the offer that a delegation's id begins with."""
    return delegation.rsplit("/", 2)[0]


def need_provider_of_offer(world: World, offer: str, subscription_guid: str) -> None:
    """Refuse unless the offer stands in that subscription or is delegated to it."""
    owns = resource_id.fold(subscription_of(offer)) == resource_id.fold(subscription_id(subscription_guid))
    if not owns and not world.sources(delegation_key(offer, subscription_guid), "key"):
        raise Refused(
            f"offer {offer} is not delegated to subscription {subscription_guid}: "
            "delegate it first, or choose another provider",
            rule="offer-delegated",
            resource=offer,
        )


class CreateDelegatedProvider(Command):
    """Let the owner of a user subscription sell offers that are delegated to it."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/delegatedProviders/write"

    provider_subscription_id: Guid
    subscription_id: Guid

    def scope(self) -> str:
        return delegated_provider_id(self.provider_subscription_id, self.subscription_id)


class DeleteDelegatedProvider(Command):
    """End a delegated provider that has no offers and no subscriptions any more; its own subscription stays."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/delegatedProviders/delete"

    id: Id

    def scope(self) -> str:
        return self.id


class DelegateOffer(Command):
    """Let a delegated provider sell an offer."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/offers/offerDelegations/write"

    offer_id: Id
    name: Name
    subscription_id: Guid

    def scope(self) -> str:
        return resource_id.child(self.offer_id, "offerDelegations", self.name)


class EndOfferDelegation(Command):
    """Take an offer back from a delegated provider none of whose subscriptions uses it."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/offers/offerDelegations/delete"

    id: Id

    def scope(self) -> str:
        return self.id


def create_delegated_provider(
    world: World, now: str, prepared: Prepared, command: CreateDelegatedProvider
) -> list[Event]:
    """The subscription is an Enabled one of a user."""
    need_provider(world, command.provider_subscription_id)
    DELEGATED_PROVIDER.must_be_new(world, command.scope())
    subscription = need_enabled(world, subscription_id(command.subscription_id))
    if subscription["routingResourceManagerType"] == "Admin":
        raise Refused(
            f"subscription {subscription['id']} is the provider's own: delegate to a user's subscription",
            rule="delegated-provider-is-user",
            resource=subscription["id"],
        )
    _must_be_first(world, provider_key(command.subscription_id), "one-delegated-provider-per-subscription")
    return [
        DelegatedProviderCreated(
            command.scope(), DelegatedProviderFields(subscriptionId=subscription["subscriptionId"])
        )
    ]


def delete_delegated_provider(
    world: World, now: str, prepared: Prepared, command: DeleteDelegatedProvider
) -> list[Event]:
    """No offer is delegated to it, and no subscription stands under it."""
    provider = DELEGATED_PROVIDER.need(world, command.id, rule="delegated-provider-exists")
    must_be_unused(
        world,
        subscription_id(provider["subscriptionId"]),
        "receiver",
        "delegated_provider",
        rule="delegated-provider-unused",
    )
    return [DelegatedProviderDeleted(provider["id"], Nothing())]


def delegate_offer(world: World, now: str, prepared: Prepared, command: DelegateOffer) -> list[Event]:
    """The offer and the delegated provider exist, and it does not have the offer yet."""
    OFFER_DELEGATION.must_be_new(world, command.scope())
    offer = OFFER.need(world, command.offer_id, rule="offer-exists")
    if not world.sources(provider_key(command.subscription_id), "key"):
        raise Refused(
            f"subscription {command.subscription_id} is not a delegated provider: make it one first",
            rule="delegated-provider-exists",
            resource=subscription_id(command.subscription_id),
        )
    _must_be_first(world, delegation_key(offer["id"], command.subscription_id), "one-delegation-per-offer-and-provider")
    delegation = resource_id.child(offer["id"], "offerDelegations", command.name)
    return [OfferDelegated(delegation, OfferDelegationFields(subscriptionId=command.subscription_id))]


def end_offer_delegation(world: World, now: str, prepared: Prepared, command: EndOfferDelegation) -> list[Event]:
    """None of the provider's subscriptions uses the offer."""
    delegation = OFFER_DELEGATION.need(world, command.id, rule="offer-delegation-exists")
    of_offer = world.sources(offer_of(delegation["id"]), "offer")
    of_provider = world.sources(subscription_id(delegation["subscriptionId"]), "delegated_provider")
    users = sorted(set(of_offer) & set(of_provider))
    if users:
        raise Refused(
            f"offer delegation {delegation['id']} is in use by {users[0]}: "
            "move the subscription or change its offer first",
            rule="offer-delegation-unused",
            resource=delegation["id"],
        )
    return [OfferDelegationEnded(delegation["id"], Nothing())]


def _must_be_first(world: World, target: str, rule: str) -> None:
    same = world.sources(target, "key")
    if same:
        raise Refused(f"{same[0]} says the same already: there is nothing to create", rule=rule, resource=same[0])


DECISIONS = {
    CreateDelegatedProvider: create_delegated_provider,
    DeleteDelegatedProvider: delete_delegated_provider,
    DelegateOffer: delegate_offer,
    EndOfferDelegation: end_offer_delegation,
}
KINDS = (DELEGATED_PROVIDER, OFFER_DELEGATION)
