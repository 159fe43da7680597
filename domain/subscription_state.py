"""Subscription states: which may follow which, by whose command, and what a deletion takes along.

Enabled and Disabled alternate. Deleting, which cannot be undone, leads to Deleted, or to PartiallyDeleted, from which
the deletion can only be started again.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from domain import resource_id
from domain.acquired_plan import ACQUIRED_PLAN
from domain.command import Command, Guid, Prepared
from domain.delegated_provider import provider_key
from domain.errors import Refused
from domain.event import Event, EventType, Nothing
from domain.removal import contents_removed, removed
from domain.resource import World
from domain.resource_id import fold
from domain.tenancy import (
    RESOURCE_GROUP,
    SUBSCRIPTION,
    Subscription,
    SubscriptionDeleted,
    SubscriptionDeletionFailed,
    SubscriptionDeletionStarted,
    SubscriptionDisabled,
    SubscriptionEnabled,
    SubscriptionState,
    need_enabled,
    subscription_id,
)
from domain.vault_state import VAULT, must_be_purgeable


class OperatedSubscription(Command):
    """A command on a subscription by whoever provides it: the operator, or the delegated provider that it stands under.

    It is asked on the provider's subscription, as owning a subscription gives no right to do this to it.
    """

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/subscriptions/write"

    provider_subscription_id: Guid
    subscription_id: Guid

    def scope(self) -> str:
        provider = subscription_id(self.provider_subscription_id)
        return resource_id.provided(provider, "Microsoft.Subscriptions.Admin", "subscriptions", self.subscription_id)


class EnableSubscription(OperatedSubscription):
    """Enable a Disabled subscription; its workloads are not started again."""


class DisableSubscription(OperatedSubscription):
    """Disable an Enabled subscription: it takes no new resources, and its workloads are shut down."""


class DeleteSubscription(OperatedSubscription):
    """Start to delete a subscription, or start again after a failure; its acquired plans are released.

    With `cascade` its vaults are purged and its resource groups deleted; without it, they must be gone.
    """

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/subscriptions/delete"

    cascade: bool = False


class FailSubscriptionDeletion(OperatedSubscription):
    """Say that a resource provider could not delete its part."""


class CompleteSubscriptionDeletion(OperatedSubscription):
    """Say that every resource provider has deleted its part; role and policy assignments on the subscription go."""


TRANSITIONS: Mapping[
    type[OperatedSubscription], tuple[EventType[Nothing], SubscriptionState, Sequence[SubscriptionState]]
] = {
    EnableSubscription: (SubscriptionEnabled, "Enabled", ("Disabled",)),
    DisableSubscription: (SubscriptionDisabled, "Disabled", ("Enabled",)),
    DeleteSubscription: (SubscriptionDeletionStarted, "Deleting", ("Enabled", "Disabled", "PartiallyDeleted")),
    FailSubscriptionDeletion: (SubscriptionDeletionFailed, "PartiallyDeleted", ("Deleting",)),
    CompleteSubscriptionDeletion: (SubscriptionDeleted, "Deleted", ("Deleting",)),
}
"""The event that a command records, the state that it leads to, and the states that it may start from."""


def need_operated(world: World, command: OperatedSubscription) -> Subscription:
    """Return the subscription of the command, or refuse because the caller's subscription does not provide it."""
    subscription = SUBSCRIPTION.need(world, subscription_id(command.subscription_id), rule="subscription-exists")
    provider = need_enabled(world, subscription_id(command.provider_subscription_id))
    is_operator = provider["routingResourceManagerType"] == "Admin"
    if not is_operator and fold(provider["subscriptionId"]) != fold(subscription["delegatedProviderSubscriptionId"]):
        raise Refused(
            f"subscription {subscription['id']} is not provided by {provider['id']}: ask its provider or the operator",
            rule="subscription-provided",
            resource=subscription["id"],
        )
    return subscription


def change_subscription_state(world: World, now: str, prepared: Prepared, command: OperatedSubscription) -> list[Event]:
    """The transition is legal; asked for the state that a subscription has, nothing changes."""
    subscription = need_operated(world, command)
    transition, after, before = TRANSITIONS[type(command)]
    if subscription["state"] == after:
        return []
    if subscription["routingResourceManagerType"] == "Admin":
        raise Refused(
            f"subscription {subscription['id']} is the provider's own and stays Enabled: choose a user's",
            rule="provider-subscription-stays",
            resource=subscription["id"],
        )
    if subscription["state"] not in before:
        raise Refused(
            f"subscription {subscription['id']} is {subscription['state']} and cannot become {after}: "
            f"it must be {' or '.join(before)}",
            rule="subscription-transition",
            resource=subscription["id"],
        )
    along = _taken_along(world, now, subscription, command)
    return [*along, transition(subscription["id"], Nothing())]


def _taken_along(world: World, now: str, subscription: Subscription, command: OperatedSubscription) -> list[Event]:
    if isinstance(command, DeleteSubscription):
        return _resources_deleted(world, now, subscription, cascade=command.cascade)
    if isinstance(command, CompleteSubscriptionDeletion):
        return contents_removed(world, subscription["id"])
    return []


def _resources_deleted(world: World, now: str, subscription: Subscription, *, cascade: bool) -> list[Event]:
    """Return what goes before the subscription: vaults with their secrets, resource groups, acquired plans."""
    sold_on = world.sources(provider_key(subscription["subscriptionId"]), "key")
    if sold_on:
        raise Refused(
            f"subscription {subscription['id']} is the delegated provider {sold_on[0]}: delete that first",
            rule="subscription-unused",
            resource=subscription["id"],
        )
    vaults = VAULT.sources(world, subscription["id"], "subscription")
    groups = RESOURCE_GROUP.sources(world, subscription["id"], "subscription")
    plans = ACQUIRED_PLAN.sources(world, subscription["id"], "acquirer")
    held = [resource for resource, _ in (*vaults, *groups)]
    if held and not cascade:
        raise Refused(
            f"subscription {subscription['id']} holds {len(held)} vaults and resource groups, the first is {held[0]}: "
            "delete and purge them first, or delete with cascade",
            rule="subscription-empty",
            resource=subscription["id"],
        )
    for _, vault in vaults:
        must_be_purgeable(vault, now)
    going = [resource for resource, _ in (*vaults, *groups, *plans)]
    return removed(world, *going)
