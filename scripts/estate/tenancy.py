"""The tenancy of an estate: quotas, plans and offers, and the subscriptions and resource groups of users."""

from scripts.estate.draft import REGION, Draft, Subscription, upn

CATALOG = "catalog"
SIZES = ("small", "medium", "large", "huge")
SMALL_CORES = 120
"""What the smallest plan grants after the week of changes; an add-on grants as much again."""


def begin(draft: Draft) -> None:
    """Write the tenancy of the base. The first tenant's subscription is the first, and nobody else touches it."""
    draft.add(
        "CreateResourceGroup", "home of plans and offers", subscriptionId=draft.provider, name=CATALOG, location=REGION
    )
    _create_quotas(draft)
    _create_plans(draft)
    _create_offers(draft)
    for number in range(1, draft.count(480, least=16) + 1):
        _create_subscription(draft, number)
    _acquire_plans(draft)
    _change_subscriptions(draft)
    _delete_subscriptions(draft, draft.count(6, least=2))
    _delegate(draft)


def go_on(draft: Draft) -> None:
    """Write a week of changes."""
    first = draft.count(480, least=16) + 1
    for number in range(first, first + draft.count(25)):
        _create_subscription(draft, number)
    draft.add("UpdateComputeQuota", "new hardware", id=quota_id(draft, "Compute", "small"), coresLimit=SMALL_CORES)
    for subscription in draft.some(draft.subscriptions[1:], draft.count(40)):
        tags = {"environment": "production", "cost-center": str(draft.random.randrange(1000, 9999))}
        draft.add("TagResourceGroup", "cost centres", id=subscription.resource_group_id("main"), tags=tags)


def quota_id(draft: Draft, service: str, name: str) -> str:
    """Return the id of a quota in the provider subscription."""
    return f"/subscriptions/{draft.provider}/providers/Microsoft.{service}.Admin/locations/{REGION}/quotas/{name}"


def plan_id(draft: Draft, name: str) -> str:
    """Return the id of a plan."""
    return f"{_catalog(draft)}/providers/Microsoft.Subscriptions.Admin/plans/{name}"


def offer_id(draft: Draft, name: str) -> str:
    """Return the id of an offer."""
    return f"{_catalog(draft)}/providers/Microsoft.Subscriptions.Admin/offers/{name}"


def _catalog(draft: Draft) -> str:
    return f"/subscriptions/{draft.provider}/resourceGroups/{CATALOG}"


def _create_quotas(draft: Draft) -> None:
    where = {"providerSubscriptionId": draft.provider, "location": REGION}
    for factor, size in enumerate(SIZES, 1):
        draft.add(
            "CreateComputeQuota",
            "catalogue",
            **where,
            name=size,
            virtualMachineCount=10 * factor,
            coresLimit=40 * factor,
        )
        draft.add("CreateNetworkQuota", "catalogue", **where, name=size, maxPublicIpsPerSubscription=5 * factor)
        draft.add("CreateStorageQuota", "catalogue", **where, name=size, capacityInGb=512 * factor)
    draft.add("CreateKeyVaultQuota", "catalogue", **where)
    draft.add("UpdateNetworkQuota", "more addresses", id=quota_id(draft, "Network", "huge"), maxVnetsPerSubscription=80)
    draft.add("UpdateStorageQuota", "more disks", id=quota_id(draft, "Storage", "huge"), numberOfStorageAccounts=40)
    for service in ("Compute", "Network", "Storage"):
        draft.add(f"Create{service}Quota", "a mistake", **where, name="mistake")
        draft.add(f"Delete{service}Quota", "a mistake", id=quota_id(draft, service, "mistake"))
    pilot = {**where, "location": "pilot"}
    draft.add("CreateKeyVaultQuota", "a pilot", **pilot)
    draft.add("DeleteKeyVaultQuota", "the pilot is over",
              id=quota_id(draft, "KeyVault", "Unlimited").replace(f"/{REGION}/", "/pilot/"))  # fmt: skip


def _create_plans(draft: Draft) -> None:
    """Make a plan of each size, and one more of each that a subscription may acquire."""
    where = {"providerSubscriptionId": draft.provider, "resourceGroup": CATALOG}
    vault = quota_id(draft, "KeyVault", "Unlimited")
    for size in SIZES:
        quotas = [quota_id(draft, service, size) for service in ("Compute", "Network", "Storage")]
        draft.add(
            "CreatePlan",
            "catalogue",
            **where,
            name=f"{size}-base",
            displayName=f"{size} services",
            quotaIds=[*quotas, vault],
        )
        draft.add(
            "CreatePlan", "catalogue", **where, name=f"{size}-addon", displayName=f"more of {size}", quotaIds=quotas[:1]
        )
    draft.add("UpdatePlan", "wording", id=plan_id(draft, "huge-addon"), description="Compute without limits, nearly")
    draft.add("CreatePlan", "a mistake", **where, name="mistake", displayName="Mistake")
    draft.add("DeletePlan", "a mistake", id=plan_id(draft, "mistake"))


def _create_offers(draft: Draft) -> None:
    where = {"providerSubscriptionId": draft.provider, "resourceGroup": CATALOG}
    for size in SIZES:
        state = "Private" if size == "huge" else "Public"
        draft.add("CreateOffer", "catalogue", **where, name=size, displayName=f"{size} offer", state=state,
                  basePlanIds=[plan_id(draft, f"{size}-base")])  # fmt: skip
        draft.add("LinkPlan", "add-ons", id=offer_id(draft, size), planId=plan_id(draft, f"{size}-addon"),
                  planLinkType="Addon", maxAcquisitionCount=3)  # fmt: skip
    draft.add("UpdateOffer", "wording", id=offer_id(draft, "huge"), description="Ask the operator")
    draft.add(
        "CreateOffer",
        "a season",
        **where,
        name="season",
        displayName="Season",
        basePlanIds=[plan_id(draft, "small-base")],
    )
    draft.add("LinkPlan", "a season", id=offer_id(draft, "season"), planId=plan_id(draft, "medium-base"))
    draft.add("UnlinkPlan", "too much", id=offer_id(draft, "season"), planId=plan_id(draft, "medium-base"))
    draft.add("ChangeOfferState", "the season is over", id=offer_id(draft, "season"), state="Decommissioned")
    draft.add("DeleteOffer", "the season is over", id=offer_id(draft, "season"))


def _create_subscription(draft: Draft, number: int) -> None:
    """The first ones belong to the tenants, one after another; the first is on the smallest offer."""
    subscription = Subscription(draft.guid(f"subscription/{number}"))
    owner = draft.tenants[number - 1] if number <= len(draft.tenants) else draft.random.choice(draft.tenants[1:])
    size = SIZES[(number - 1) % len(SIZES)]
    draft.add("CreateUserSubscription" if size == "huge" else "Subscribe", "a new subscription",
              subscriptionId=subscription.guid, displayName=f"Subscription {number}", owner=upn(owner),
              tenantId=draft.tenant_id, offerId=offer_id(draft, size))  # fmt: skip
    for name in ("main", "test"):
        tags = {"environment": "production" if name == "main" else "test", "owner": owner}
        draft.add("CreateResourceGroup", "structure of a subscription", subscriptionId=subscription.guid, name=name,
                  location=REGION, tags=tags)  # fmt: skip
        subscription.resource_groups.append(name)
    draft.subscriptions.append(subscription)


def _acquire_plans(draft: Draft) -> None:
    chosen = [0, *draft.some(range(4, len(draft.subscriptions)), draft.count(130))]
    for index in chosen:
        guid, size = draft.subscriptions[index].guid, SIZES[index % len(SIZES)]
        draft.add("AcquirePlan", "growth", subscriptionId=guid, planId=plan_id(draft, f"{size}-addon"),
                  acquisitionId=draft.guid(f"acquisition/{index}"))  # fmt: skip
    for index in chosen[1 : 1 + draft.count(15)]:
        subscription = draft.subscriptions[index].id
        acquired = draft.guid(f"acquisition/{index}")
        draft.add(
            "ReleasePlan",
            "too much",
            id=f"{subscription}/providers/Microsoft.Subscriptions.Admin/acquiredPlans/{acquired}",
        )


def _change_subscriptions(draft: Draft) -> None:
    chosen = draft.some(draft.subscriptions[1:], draft.count(100, least=4))
    for subscription in chosen:
        operated = {"providerSubscriptionId": draft.provider, "subscriptionId": subscription.guid}
        draft.add(
            "UpdateSubscription", "new contract", **operated, externalReferenceId=f"contract-{subscription.guid[:8]}"
        )
    for subscription in chosen[: draft.count(20, least=2)]:
        operated = {"providerSubscriptionId": draft.provider, "subscriptionId": subscription.guid}
        draft.add("DisableSubscription", "unpaid", **operated)
        draft.add("EnableSubscription", "paid", **operated)
    for subscription in chosen[: draft.count(30)]:
        draft.add("DeleteResourceGroup", "no tests here", id=subscription.resource_group_id("test"))
        subscription.resource_groups.remove("test")
        draft.add(
            "TagResourceGroup", "tags", id=subscription.resource_group_id("main"), tags={"environment": "production"}
        )


def _delete_subscriptions(draft: Draft, count: int) -> None:
    for index in range(count):
        subscription = draft.subscriptions.pop()
        operated = {"providerSubscriptionId": draft.provider, "subscriptionId": subscription.guid}
        draft.add("DeleteSubscription", "terminated", **operated, cascade=True)
        if index == 0:
            draft.add("FailSubscriptionDeletion", "a disk is in use", **operated)
            draft.add("DeleteSubscription", "once more", **operated)
        draft.add("CompleteSubscriptionDeletion", "terminated", **operated)


def _delegate(draft: Draft) -> None:
    """Let two subscriptions sell an offer on, one of them for a while only, and move others under the first."""
    seller, former, moved = draft.subscriptions[1:4]
    offer = offer_id(draft, "medium")
    for name, subscription in (("seller", seller), ("former", former)):
        draft.add(
            "CreateDelegatedProvider", "resale", providerSubscriptionId=draft.provider, subscriptionId=subscription.guid
        )
        draft.add("DelegateOffer", "resale", offerId=offer, name=name, subscriptionId=subscription.guid)
    draft.add("EndOfferDelegation", "resale ends", id=f"{offer}/offerDelegations/former")
    admin = f"/subscriptions/{draft.provider}/providers/Microsoft.Subscriptions.Admin"
    draft.add("DeleteDelegatedProvider", "resale ends", id=f"{admin}/delegatedProviders/{former.guid}")
    operated = {"providerSubscriptionId": draft.provider, "subscriptionId": moved.guid}
    draft.add("ChangeSubscriptionOffer", "resale", **operated, offerId=offer)
    draft.add("MoveSubscription", "resale", **operated, targetProviderSubscriptionId=seller.guid)
