"""Naive offerings: quotas, plans and offers, and the resource groups that hold them."""

from typing import Any

from tests.naive.vaults import delete, need_enabled, need_resource_group, remove
from tests.naive.world import Json, World, given, must, provided, same

LIMITS: dict[str, dict[str, int]] = {
    "compute": {
        "virtualMachineCount": 50,
        "coresLimit": 100,
        "availabilitySetCount": 10,
        "vmScaleSetCount": 100,
        "maxAllocationStandardManagedDisksAndSnapshots": 2048,
        "maxAllocationPremiumManagedDisksAndSnapshots": 2048,
        "ddagpuCount": 0,
        "partitionedGpuCount": 0,
    },
    "network": {
        "maxPublicIpsPerSubscription": 50,
        "maxVnetsPerSubscription": 50,
        "maxVirtualNetworkGatewaysPerSubscription": 1,
        "maxVirtualNetworkGatewayConnectionsPerSubscription": 2,
        "maxLoadBalancersPerSubscription": 50,
        "maxNicsPerSubscription": 100,
        "maxSecurityGroupsPerSubscription": 50,
    },
    "storage": {"capacityInGb": 2048, "numberOfStorageAccounts": 20},
    "key-vault": {},
}
"""The limits of each service, as Azure Stack Hub's portal proposes them."""

NAMESPACES = {"compute": "Compute", "network": "Network", "storage": "Storage", "key-vault": "KeyVault"}


def need_provider(world: World, guid: str) -> None:
    subscription = world.need("subscription", f"/subscriptions/{guid}")
    must(subscription["routingResourceManagerType"] == "Admin", "the subscription is the provider's")


def live(world: World) -> list[Json]:
    """Return the subscriptions that are not Deleted."""
    return [subscription for subscription in world.all("subscription") if subscription["state"] != "Deleted"]


# Resource groups


def create_resource_group(world: World, a: Json, fresh: str) -> None:
    group = f"/subscriptions/{a['subscriptionId']}/resourceGroups/{a['name']}"
    need_enabled(world, group)
    world.create("resource-group", group, given(a, "location", "tags"))


def tag_resource_group(world: World, a: Json, fresh: str) -> None:
    world.need("resource-group", a["id"])
    group = need_resource_group(world, a["id"])
    if a["tags"] != group.get("tags", {}):
        group["tags"] = a["tags"]


def delete_resource_group(world: World, a: Json, fresh: str) -> None:
    group = world.need("resource-group", a["id"])
    held = [resource for kind in ("plan", "offer") for resource in world.inside(kind, group["id"])]
    vaults = [vault for vault in world.inside("vault", group["id"]) if "deletionDate" not in vault]
    must(not held, "a resource group with plans or offers stays")
    must(not vaults or a.get("cascade"), "a resource group with vaults stays")
    for vault in vaults:
        delete(world, vault)
    remove(world, group)


# Quotas


def create_quota(world: World, service: str, a: Json) -> None:
    need_provider(world, a["providerSubscriptionId"])
    namespace = f"Microsoft.{NAMESPACES[service]}.Admin"
    name = a.get("name", "Unlimited")
    quota = (
        f"/subscriptions/{a['providerSubscriptionId']}/providers/{namespace}/locations/{a['location']}/quotas/{name}"
    )
    world.create(f"{service}-quota", quota, {**LIMITS[service], **given(a, *LIMITS[service])})


def update_quota(world: World, service: str, a: Json) -> None:
    quota = world.need(f"{service}-quota", a["id"])
    quota |= given(a, *LIMITS[service])


def delete_quota(world: World, service: str, a: Json) -> None:
    quota = world.need(f"{service}-quota", a["id"])
    named = [same(named, quota["id"]) for plan in world.all("plan") for named in plan["quotaIds"]]
    must(not any(named), "no plan names the quota")
    world.delete([quota])


# Plans


def quotas_of(world: World, a: Json) -> list[str]:
    """Return the quotas that are given: all exist, at most one of each service."""
    found = [quota for named in a for service in LIMITS if (quota := world.get(f"{service}-quota", named))]
    must(len(found) == len(a), "the quotas exist")
    must(len({quota["kind"] for quota in found}) == len(found), "a plan has one quota of each service")
    return [quota["id"] for quota in found]


def create_plan(world: World, a: Json, fresh: str) -> None:
    need_provider(world, a["providerSubscriptionId"])
    group = f"/subscriptions/{a['providerSubscriptionId']}/resourceGroups/{a['resourceGroup']}"
    need_resource_group(world, group)
    fields = given(a, "name", "displayName", "description", "externalReferenceId")
    fields |= {"quotaIds": quotas_of(world, a.get("quotaIds", [])), "skuIds": a.get("skuIds", [])}
    world.create("plan", provided(group, f"Microsoft.Subscriptions.Admin/plans/{a['name']}"), fields)


def update_plan(world: World, a: Json, fresh: str) -> None:
    plan = world.need("plan", a["id"])
    if "quotaIds" in a:
        plan["quotaIds"] = quotas_of(world, a["quotaIds"])
    plan |= given(a, "displayName", "description", "externalReferenceId", "skuIds")


def delete_plan(world: World, a: Json, fresh: str) -> None:
    plan = world.need("plan", a["id"])
    linked = [same(linked, plan["id"]) for offer in world.all("offer") for linked in plans_of(offer)]
    must(not any(linked), "no offer links the plan")
    must(not world.where("acquired-plan", planId=plan["id"]), "no subscription has acquired the plan")
    world.delete([plan])


# Offers


def plans_of(offer: Json) -> list[str]:
    return [*offer["basePlanIds"], *(addon["planId"] for addon in offer["addonPlans"])]


def check_offer(offer: Json) -> None:
    plans = [plan.lower() for plan in plans_of(offer)]
    must(len(set(plans)) == len(plans), "an offer links each plan once")
    must(offer["basePlanIds"] or offer["state"] != "Public", "a Public offer has a base plan")


def create_offer(world: World, a: Json, fresh: str) -> None:
    need_provider(world, a["providerSubscriptionId"])
    group = f"/subscriptions/{a['providerSubscriptionId']}/resourceGroups/{a['resourceGroup']}"
    need_resource_group(world, group)
    addons = [
        {
            "planId": world.need("plan", addon["planId"])["id"],
            "maxAcquisitionCount": addon.get("maxAcquisitionCount", 1),
        }
        for addon in a.get("addonPlans", [])
    ]
    fields = {
        **given(a, "name", "displayName", "description", "externalReferenceId"),
        "state": a.get("state", "Private"),
        "basePlanIds": [world.need("plan", plan)["id"] for plan in a.get("basePlanIds", [])],
        "addonPlans": addons,
        "maxSubscriptionsPerAccount": a.get("maxSubscriptionsPerAccount", 0),
    }
    check_offer(fields)
    world.create("offer", provided(group, f"Microsoft.Subscriptions.Admin/offers/{a['name']}"), fields)


def update_offer(world: World, a: Json, fresh: str) -> None:
    offer = world.need("offer", a["id"])
    offer |= given(a, "displayName", "description", "externalReferenceId", "maxSubscriptionsPerAccount")


def change_offer_state(world: World, a: Json, fresh: str) -> None:
    offer = world.need("offer", a["id"])
    check_offer({**offer, "state": a["state"]})
    offer["state"] = a["state"]


def link_plan(world: World, a: Json, fresh: str) -> None:
    offer = world.need("offer", a["id"])
    plan = world.need("plan", a["planId"])["id"]
    if a.get("planLinkType", "Base") == "Addon":
        addon = {"planId": plan, "maxAcquisitionCount": a.get("maxAcquisitionCount", 1)}
        others = [other for other in offer["addonPlans"] if other["planId"] != plan]
        after = {**offer, "addonPlans": offer["addonPlans"] if addon in offer["addonPlans"] else [*others, addon]}
    else:
        after = {**offer, "basePlanIds": [*(other for other in offer["basePlanIds"] if other != plan), plan]}
        if plan in offer["basePlanIds"]:
            after = offer
    check_offer(after)
    offer |= after


def unlink_plan(world: World, a: Json, fresh: str) -> None:
    offer = world.need("offer", a["id"])
    must(any(same(plan, a["planId"]) for plan in plans_of(offer)), "the offer links the plan")
    base = [plan for plan in offer["basePlanIds"] if not same(plan, a["planId"])]
    if base != offer["basePlanIds"]:
        is_subscribed = any(same(subscription.get("offerId"), offer["id"]) for subscription in live(world))
        must(base or not (offer["state"] == "Public" or is_subscribed), "the last base plan stays")
        offer["basePlanIds"] = base
    else:
        offer["addonPlans"] = [addon for addon in offer["addonPlans"] if not same(addon["planId"], a["planId"])]


def delete_offer(world: World, a: Json, fresh: str) -> None:
    offer = world.need("offer", a["id"])
    must(not any(same(s.get("offerId"), offer["id"]) for s in live(world)), "no subscription uses the offer")
    must(not world.inside("offer-delegation", offer["id"]), "no delegation uses the offer")
    world.delete([offer])


COMMANDS: dict[str, Any] = {
    "CreateResourceGroup": create_resource_group,
    "TagResourceGroup": tag_resource_group,
    "DeleteResourceGroup": delete_resource_group,
    "CreateComputeQuota": lambda world, a, fresh: create_quota(world, "compute", a),
    "CreateNetworkQuota": lambda world, a, fresh: create_quota(world, "network", a),
    "CreateStorageQuota": lambda world, a, fresh: create_quota(world, "storage", a),
    "CreateKeyVaultQuota": lambda world, a, fresh: create_quota(world, "key-vault", a),
    "UpdateComputeQuota": lambda world, a, fresh: update_quota(world, "compute", a),
    "UpdateNetworkQuota": lambda world, a, fresh: update_quota(world, "network", a),
    "UpdateStorageQuota": lambda world, a, fresh: update_quota(world, "storage", a),
    "DeleteComputeQuota": lambda world, a, fresh: delete_quota(world, "compute", a),
    "DeleteNetworkQuota": lambda world, a, fresh: delete_quota(world, "network", a),
    "DeleteStorageQuota": lambda world, a, fresh: delete_quota(world, "storage", a),
    "DeleteKeyVaultQuota": lambda world, a, fresh: delete_quota(world, "key-vault", a),
    "CreatePlan": create_plan,
    "UpdatePlan": update_plan,
    "DeletePlan": delete_plan,
    "CreateOffer": create_offer,
    "UpdateOffer": update_offer,
    "ChangeOfferState": change_offer_state,
    "LinkPlan": link_plan,
    "UnlinkPlan": unlink_plan,
    "DeleteOffer": delete_offer,
}
