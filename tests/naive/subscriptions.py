"""Naive subscriptions: how they come to be, on which offer of which provider, their states and acquired plans."""

from typing import Any

from tests.naive.offerings import live, need_provider
from tests.naive.roles import assignments_on
from tests.naive.vaults import must_be_purgeable, need_enabled, remove
from tests.naive.world import Json, World, given, must, provided, same

TRANSITIONS = {
    "EnableSubscription": ("Enabled", ["Disabled"]),
    "DisableSubscription": ("Disabled", ["Enabled"]),
    "DeleteSubscription": ("Deleting", ["Enabled", "Disabled", "PartiallyDeleted"]),
    "FailSubscriptionDeletion": ("PartiallyDeleted", ["Deleting"]),
    "CompleteSubscriptionDeletion": ("Deleted", ["Deleting"]),
}


def subscription_id(guid: str) -> str:
    return f"/subscriptions/{guid}"


def guid_of(resource_id: str) -> str:
    return resource_id.split("/")[2]


def owner_of(world: World, name: str) -> str:
    users = world.where("user", userPrincipalName=name)
    must(users, "the owner exists")
    return str(users[0]["userPrincipalName"])


def need_room(world: World, owner: str, offer: Json) -> None:
    """An account has so many subscriptions to an offer at most; 0 says that there is no maximum."""
    most = offer["maxSubscriptionsPerAccount"]
    held = [s for s in live(world) if same(s["owner"], owner) and same(s.get("offerId"), offer["id"])]
    must(most == 0 or len(held) < most, "the owner may have one more")


def need_provider_of_offer(world: World, offer: str, guid: str) -> None:
    delegations = [d for d in world.inside("offer-delegation", offer) if same(d["subscriptionId"], guid)]
    must(same(guid_of(offer), guid) or delegations, "the provider has the offer, as its own or delegated")


def need_open_offer(world: World, offer_id: str, states: list[str]) -> Json:
    offer = world.need("offer", offer_id)
    must(offer["state"] in states, "the offer is open to whoever asks")
    return offer


def create_provider_subscription(world: World, a: Json, fresh: str) -> None:
    guid = a.get("subscriptionId", fresh)
    fields = {
        "subscriptionId": guid,
        "displayName": a.get("displayName", "Default Provider Subscription"),
        "owner": owner_of(world, a["owner"]),
        "tenantId": a["tenantId"],
        "delegatedProviderSubscriptionId": guid,
        "routingResourceManagerType": "Admin",
        "state": "Enabled",
    }
    world.create("subscription", subscription_id(guid), fields)


def create_user_subscription(world: World, a: Json, fresh: str, states: list[str]) -> None:
    guid = a.get("subscriptionId", fresh)
    offer = need_open_offer(world, a["offerId"], states)
    owner = owner_of(world, a["owner"])
    need_room(world, owner, offer)
    provider = a.get("delegatedProviderSubscriptionId", guid_of(offer["id"]))
    need_provider_of_offer(world, offer["id"], provider)
    fields = {
        **given(a, "displayName", "tenantId", "externalReferenceId"),
        "subscriptionId": guid,
        "owner": owner,
        "offerId": offer["id"],
        "delegatedProviderSubscriptionId": provider,
        "routingResourceManagerType": "Default",
        "state": "Enabled",
    }
    world.create("subscription", subscription_id(guid), fields)


def need_operated(world: World, a: Json) -> Json:
    """Return the subscription; who asks is the operator, or the provider that it stands under, and is Enabled."""
    subscription = world.need("subscription", subscription_id(a["subscriptionId"]))
    provider = need_enabled(world, subscription_id(a["providerSubscriptionId"]))
    is_operator = provider["routingResourceManagerType"] == "Admin"
    is_provider = same(provider["subscriptionId"], subscription["delegatedProviderSubscriptionId"])
    must(is_operator or is_provider, "the subscription is provided by who asks")
    return subscription


def need_live(world: World, a: Json) -> Json:
    subscription = need_operated(world, a)
    must(subscription["state"] in ("Enabled", "Disabled"), "the subscription can still be changed")
    return subscription


def update_subscription(world: World, a: Json, fresh: str) -> None:
    subscription = need_live(world, a)
    if "owner" in a and not same(a["owner"], subscription["owner"]):
        owner = owner_of(world, a["owner"])
        if "offerId" in subscription:
            need_room(world, owner, world.need("offer", subscription["offerId"]))
        subscription["owner"] = owner
    subscription |= given(a, "displayName", "externalReferenceId")


def place(world: World, subscription: Json, offer_id: str, provider: str) -> None:
    """Put a subscription on an offer of a provider."""
    is_there = same(offer_id, subscription["offerId"])
    if not is_there:
        offer = need_open_offer(world, offer_id, ["Public", "Private"])
        need_room(world, subscription["owner"], offer)
        addons = {addon["planId"].lower() for addon in offer["addonPlans"]}
        for acquired in world.inside("acquired-plan", subscription["id"]):
            must(acquired["planId"].lower() in addons, "the offer has all add-on plans that were acquired")
    if not (is_there and same(provider, subscription["delegatedProviderSubscriptionId"])):
        need_provider_of_offer(world, offer_id, provider)
    subscription |= {"offerId": offer_id, "delegatedProviderSubscriptionId": provider}


def change_offer(world: World, a: Json, fresh: str) -> None:
    subscription = need_live(world, a)
    must("offerId" in subscription, "it is a user's subscription")
    place(world, subscription, a["offerId"], subscription["delegatedProviderSubscriptionId"])


def move_subscription(world: World, a: Json, fresh: str) -> None:
    need_provider(world, a["providerSubscriptionId"])
    subscription = need_live(world, a)
    must("offerId" in subscription, "it is a user's subscription")
    target = a["targetProviderSubscriptionId"]
    must(not same(target, subscription["subscriptionId"]), "no user's subscription is its own provider")
    place(world, subscription, str(a.get("offerId", subscription["offerId"])), target)


def change_state(world: World, command: str, a: Json) -> None:
    subscription = need_operated(world, a)
    after, before = TRANSITIONS[command]
    if subscription["state"] == after:
        return
    must(subscription["routingResourceManagerType"] != "Admin", "the provider's own subscription stays Enabled")
    must(subscription["state"] in before, "the transition is legal")
    if command == "DeleteSubscription":
        delete_resources(world, subscription, a)
    if command == "CompleteSubscriptionDeletion":
        world.delete(assignments_on(world, subscription["id"]))
        world.delete(world.where("management-group-subscription", subscription=subscription["id"]))
    subscription["state"] = after


def delete_resources(world: World, subscription: Json, a: Json) -> None:
    """Release the acquired plans and, with `cascade`, purge the vaults and delete the resource groups."""
    guid = subscription["subscriptionId"]
    must(not world.where("delegated-provider", subscriptionId=guid), "the subscription is no delegated provider")
    vaults = world.inside("vault", subscription["id"])
    groups = world.inside("resource-group", subscription["id"])
    must(a.get("cascade") or not (vaults or groups), "the subscription is empty")
    for vault in vaults:
        must_be_purgeable(world, vault)
    for resource in [*vaults, *groups, *world.inside("acquired-plan", subscription["id"])]:
        remove(world, resource)


# Acquired plans


def acquire_plan(world: World, a: Json, fresh: str) -> None:
    subscription = need_enabled(world, subscription_id(a["subscriptionId"]))
    offer = world.get("offer", subscription.get("offerId", ""))
    addons = [addon for addon in offer["addonPlans"] if same(addon["planId"], a["planId"])] if offer else []
    must(addons, "the plan is an add-on of the subscription's offer")
    acquired = [p for p in world.inside("acquired-plan", subscription["id"]) if same(p["planId"], a["planId"])]
    must(len(acquired) < addons[0]["maxAcquisitionCount"], "the plan may be acquired once more")
    acquisition = a.get("acquisitionId", fresh)
    fields = {
        **given(a, "externalReferenceId"),
        "acquisitionId": acquisition,
        "planId": addons[0]["planId"],
        "provisioningState": "Succeeded",
        "acquisitionTime": world.text(),
    }
    name = f"Microsoft.Subscriptions.Admin/acquiredPlans/{acquisition}"
    world.create("acquired-plan", provided(subscription["id"], name), fields)


def release_plan(world: World, a: Json, fresh: str) -> None:
    world.delete([world.need("acquired-plan", a["id"])])


# Delegated providers


def create_delegated_provider(world: World, a: Json, fresh: str) -> None:
    need_provider(world, a["providerSubscriptionId"])
    subscription = need_enabled(world, subscription_id(a["subscriptionId"]))
    must(subscription["routingResourceManagerType"] != "Admin", "a delegated provider is a user's subscription")
    guid = subscription["subscriptionId"]
    must(not world.where("delegated-provider", subscriptionId=guid), "a subscription is a delegated provider once")
    name = f"Microsoft.Subscriptions.Admin/delegatedProviders/{a['subscriptionId']}"
    provider = subscription_id(a["providerSubscriptionId"])
    world.create("delegated-provider", provided(provider, name), {"subscriptionId": guid})


def delete_delegated_provider(world: World, a: Json, fresh: str) -> None:
    provider = world.need("delegated-provider", a["id"])
    guid = provider["subscriptionId"]
    below = [same(subscription["delegatedProviderSubscriptionId"], guid) for subscription in live(world)]
    must(not world.where("offer-delegation", subscriptionId=guid), "no offer is delegated to it")
    must(not any(below), "no subscription stands under it")
    world.delete([provider])


def delegate_offer(world: World, a: Json, fresh: str) -> None:
    offer = world.need("offer", a["offerId"])
    guid = a["subscriptionId"]
    must(world.where("delegated-provider", subscriptionId=guid), "the receiver is a delegated provider")
    received = [same(d["subscriptionId"], guid) for d in world.inside("offer-delegation", offer["id"])]
    must(not any(received), "it does not have the offer yet")
    world.create("offer-delegation", f"{offer['id']}/offerDelegations/{a['name']}", {"subscriptionId": guid})


def end_offer_delegation(world: World, a: Json, fresh: str) -> None:
    delegation = world.need("offer-delegation", a["id"])
    offer = delegation["id"].rsplit("/", 2)[0]
    for subscription in live(world):
        is_on_offer = same(subscription.get("offerId"), offer)
        is_below = same(subscription["delegatedProviderSubscriptionId"], delegation["subscriptionId"])
        must(not (is_on_offer and is_below), "none of the provider's subscriptions uses the offer")
    world.delete([delegation])


COMMANDS: dict[str, Any] = {
    "CreateProviderSubscription": create_provider_subscription,
    "Subscribe": lambda world, a, fresh: create_user_subscription(world, a, fresh, ["Public"]),
    "CreateUserSubscription": lambda world, a, fresh: create_user_subscription(world, a, fresh, ["Public", "Private"]),
    "UpdateSubscription": update_subscription,
    "ChangeSubscriptionOffer": change_offer,
    "MoveSubscription": move_subscription,
    "EnableSubscription": lambda world, a, fresh: change_state(world, "EnableSubscription", a),
    "DisableSubscription": lambda world, a, fresh: change_state(world, "DisableSubscription", a),
    "DeleteSubscription": lambda world, a, fresh: change_state(world, "DeleteSubscription", a),
    "FailSubscriptionDeletion": lambda world, a, fresh: change_state(world, "FailSubscriptionDeletion", a),
    "CompleteSubscriptionDeletion": lambda world, a, fresh: change_state(world, "CompleteSubscriptionDeletion", a),
    "AcquirePlan": acquire_plan,
    "ReleasePlan": release_plan,
    "CreateDelegatedProvider": create_delegated_provider,
    "DeleteDelegatedProvider": delete_delegated_provider,
    "DelegateOffer": delegate_offer,
    "EndOfferDelegation": end_offer_delegation,
}
