"""Tenancy: what subscriptions and resource groups are, for every module whose resources stand in them."""

from collections.abc import Iterable
from typing import Annotated, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.errors import Refused
from domain.event import STRICT, EventType, Evolution, Nothing, Payload, State, changed, created, deleted
from domain.resource import Kind, Link, World, key

SubscriptionState = Literal["Enabled", "Disabled", "Deleting", "PartiallyDeleted", "Deleted"]
"""The states that Azure Stack Hub uses; it also declares NotDefined, Warned and PastDue, and never sets them."""

RoutingResourceManagerType = Literal["Default", "Admin"]
"""Admin marks the provider's own subscriptions, which hold quotas, plans and offers."""

Tags = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=512)], Annotated[str, Field(max_length=256)]],
    Field(max_length=50),
]
"""Tags of an ARM resource; the limits are ARM's."""


@with_config(STRICT)
class SubscriptionChanges(TypedDict, total=False):
    """Names as in the admin view of Microsoft.Subscriptions.Admin 2015-11-01; `owner` is a user principal name."""

    displayName: str
    externalReferenceId: str
    owner: str
    offerId: str
    delegatedProviderSubscriptionId: str


@with_config(STRICT)
class SubscriptionFields(TypedDict):
    """A provider subscription has no offer and is its own delegated provider."""

    subscriptionId: str
    displayName: str
    externalReferenceId: NotRequired[str]
    owner: str
    tenantId: str
    offerId: NotRequired[str]
    delegatedProviderSubscriptionId: str
    routingResourceManagerType: RoutingResourceManagerType
    state: SubscriptionState


class Subscription(SubscriptionFields):
    """The state of a subscription. A Deleted one stays, as its id is never used again."""

    id: str


def _becomes(subscription_state: SubscriptionState) -> Evolution:
    def evolve(state: State | None, resource: str, payload: Payload) -> State:
        return changed(state, resource, {"state": subscription_state})

    return evolve


SubscriptionCreated = EventType("subscription.created", SubscriptionFields, created)
SubscriptionChanged = EventType("subscription.changed", SubscriptionChanges, changed)
SubscriptionEnabled = EventType("subscription.enabled", Nothing, _becomes("Enabled"))
SubscriptionDisabled = EventType("subscription.disabled", Nothing, _becomes("Disabled"))
SubscriptionDeletionStarted = EventType("subscription.deletion-started", Nothing, _becomes("Deleting"))
SubscriptionDeletionFailed = EventType("subscription.deletion-failed", Nothing, _becomes("PartiallyDeleted"))
SubscriptionDeleted = EventType("subscription.deleted", Nothing, _becomes("Deleted"))


def owner_key(user_principal_name: str) -> str:
    """Return the target of the link by which a user's subscriptions are found."""
    return key("subscription-owner", user_principal_name)


def account_key(owner: str, offer: str) -> str:
    """Return the target of the link that counts an account's subscriptions to an offer."""
    return key("subscription-account", owner, offer)


def _subscription_links(state: Subscription) -> Iterable[Link]:
    if state["state"] == "Deleted":
        return
    yield "owner", owner_key(state["owner"])
    yield "delegated_provider", subscription_id(state["delegatedProviderSubscriptionId"])
    if "offerId" in state:
        yield "offer", state["offerId"]
        yield "key", account_key(state["owner"], state["offerId"])


SUBSCRIPTION = Kind[Subscription](
    "subscription",
    "subscriptions",
    "subscription",
    (
        SubscriptionCreated,
        SubscriptionChanged,
        SubscriptionEnabled,
        SubscriptionDisabled,
        SubscriptionDeletionStarted,
        SubscriptionDeletionFailed,
        SubscriptionDeleted,
    ),
    _subscription_links,
    ("state", "owner", "delegatedProviderSubscriptionId", "offerId"),
    state=Subscription,
)


@with_config(STRICT)
class ResourceGroupTags(TypedDict):
    """All tags, which replace those before."""

    tags: dict[str, str]


@with_config(STRICT)
class ResourceGroupFields(TypedDict):
    """Names as in Microsoft.Resources 2019-10-01."""

    location: str
    tags: NotRequired[dict[str, str]]


class ResourceGroup(ResourceGroupFields):
    """The state of a resource group."""

    id: str


ResourceGroupCreated = EventType("resource-group.created", ResourceGroupFields, created)
ResourceGroupTagged = EventType("resource-group.tagged", ResourceGroupTags, changed)
ResourceGroupDeleted = EventType("resource-group.deleted", Nothing, deleted)


def _resource_group_links(state: ResourceGroup) -> Iterable[Link]:
    yield "subscription", subscription_of(state["id"])


RESOURCE_GROUP = Kind[ResourceGroup](
    "resource-group",
    "subscriptions",
    "resource group",
    (ResourceGroupCreated, ResourceGroupTagged, ResourceGroupDeleted),
    _resource_group_links,
    state=ResourceGroup,
)


def subscription_id(guid: str) -> str:
    """Return `/subscriptions/{guid}`."""
    return resource_id.child("/", "subscriptions", guid)


def resource_group_id(subscription_guid: str, name: str) -> str:
    """Return `/subscriptions/{guid}/resourceGroups/{name}`."""
    return resource_id.child(subscription_id(subscription_guid), "resourceGroups", name)


def subscription_of(resource: str) -> str:
    """Return the id of the subscription that a resource's id begins with."""
    return "/".join(resource.split("/")[:3])


def resource_group_of(resource: str) -> str:
    """Return the id of the resource group that a resource's id begins with."""
    return "/".join(resource.split("/")[:5])


def need_enabled(world: World, subscription: str) -> Subscription:
    """Return the subscription of that id, or refuse because it does not exist or is not Enabled."""
    state = SUBSCRIPTION.need(world, subscription, rule="subscription-exists")
    if state["state"] != "Enabled":
        raise Refused(
            f"subscription {state['id']} is {state['state']}: only an Enabled one takes new resources and changes",
            rule="subscription-enabled",
            resource=state["id"],
        )
    return state


def need_provider(world: World, subscription_guid: str) -> Subscription:
    """Return the provider's subscription, or refuse because it does not exist or is a user's."""
    state = SUBSCRIPTION.need(world, subscription_id(subscription_guid), rule="provider-subscription-exists")
    if state["routingResourceManagerType"] != "Admin":
        raise Refused(
            f"subscription {state['id']} is a user's: quotas, plans and offers stand in a provider subscription",
            rule="provider-subscription",
            resource=state["id"],
        )
    return state


def need_resource_group(world: World, resource_group: str) -> ResourceGroup:
    """Return the resource group of that id, whose subscription is Enabled, or refuse."""
    state = RESOURCE_GROUP.need(world, resource_group, rule="resource-group-exists")
    need_enabled(world, subscription_of(state["id"]))
    return state
