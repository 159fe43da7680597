"""Tenancy: quotas, plans, offers, subscriptions and resource groups."""

from scripts.benchmark.cloud.identity import Identity
from scripts.benchmark.cloud.installation import DOMAIN, REGION, Installation
from scripts.benchmark.cloud.scribe import Resource, Scribe

ADMIN = "providers/Microsoft.Subscriptions.Admin"
SIZES = ("small", "medium", "large", "huge")
ENVIRONMENTS = ("production", "test", "staging", "development")


class Tenancy:
    """Subscriptions to offers, and what tenants and operators change about them."""

    def __init__(self, scribe: Scribe, installation: Installation, identity: Identity) -> None:
        self._scribe = scribe
        self._installation = installation
        self._identity = identity
        self.subscriptions: list[Resource] = []
        self.resource_groups: list[Resource] = []
        self._acquired: list[Resource] = []
        self._create_catalogue()
        for _ in range(8):
            self.subscribe()
            self.acquire_plan()
        self.actions = (
            (4, self.subscribe), (60, self.change_subscription), (75, self.switch_subscription),
            (6, self.create_group), (70, self.tag_group), (1.5, self.delete_group), (4, self.acquire_plan),
            (1, self.release_plan), (6, self.change_plan), (5, self.change_offer), (8, self.change_quota),
        )  # fmt: skip

    def subscribe(self) -> None:
        """Create a subscription to an offer, with a first resource group."""
        scribe = self._scribe
        subscription = Resource("", scribe.guid(), f"Subscription {len(self.subscriptions)}")
        subscription.id = f"/subscriptions/{subscription.guid}"
        payload = (
            f'{{"delegatedProviderSubscriptionId":"{self._installation.provider.guid}",'
            f'"displayName":"{subscription.name}","offerId":"{scribe.any(self._offers).id}",'
            f'"owner":"{scribe.any(self._identity.users).name}@{DOMAIN}","routingResourceManagerType":"Default",'
            f'"state":"Enabled","subscriptionId":"{subscription.guid}","tenantId":"{self._installation.tenant}"}}'
        )
        scribe.write("Subscribe", ("subscription.created", subscription, payload))
        self.subscriptions.append(subscription)
        self._create_group(subscription)

    def change_subscription(self) -> None:
        """Note another contract."""
        subscription = self._scribe.pick(self.subscriptions)
        payload = f'{{"externalReferenceId":"contract-{self._scribe.position:x}"}}'
        self._scribe.write("UpdateSubscription", ("subscription.changed", subscription, payload))

    def switch_subscription(self) -> None:
        """Disable a subscription, or enable one again."""
        subscription = self._scribe.pick(self.subscriptions)
        subscription.is_on = not subscription.is_on
        verb, past = ("Enable", "enabled") if subscription.is_on else ("Disable", "disabled")
        self._scribe.write(f"{verb}Subscription", (f"subscription.{past}", subscription, "{}"))

    def create_group(self) -> None:
        """Create a resource group in some subscription."""
        self._create_group(self._scribe.any(self.subscriptions))

    def tag_group(self) -> None:
        """Replace the tags of a resource group."""
        group = self._scribe.pick(self.resource_groups)
        self._scribe.write("TagResourceGroup", ("resource-group.tagged", group, f'{{"tags":{self._tags()}}}'))

    def delete_group(self) -> None:
        """Delete a resource group that holds nothing."""
        group = self._scribe.any(self.resource_groups)
        if not group.parts and len(self.resource_groups) > 8:
            self.resource_groups.remove(group)
            self._scribe.write("DeleteResourceGroup", ("resource-group.deleted", group, "{}"))

    def acquire_plan(self) -> None:
        """Acquire an add-on plan for a subscription."""
        scribe = self._scribe
        subscription, guid = scribe.any(self.subscriptions), scribe.guid()
        acquired = Resource(f"{subscription.id}/{ADMIN}/acquiredPlans/{guid}", guid)
        payload = (
            f'{{"acquisitionId":"{guid}","acquisitionTime":"{scribe.instant}",'
            f'"planId":"{scribe.any(self._plans).id}","provisioningState":"Succeeded"}}'
        )
        scribe.write("AcquirePlan", ("acquired-plan.created", acquired, payload))
        self._acquired.append(acquired)

    def release_plan(self) -> None:
        """Give an acquired plan back."""
        if self._acquired:
            self._scribe.write("ReleasePlan", ("acquired-plan.deleted", self._scribe.take(self._acquired), "{}"))

    def change_plan(self) -> None:
        """Describe a plan anew."""
        payload = f'{{"description":"Edition {self._scribe.position}"}}'
        self._scribe.write("UpdatePlan", ("plan.changed", self._scribe.any(self._plans), payload))

    def change_offer(self) -> None:
        """Describe an offer anew."""
        payload = f'{{"description":"Edition {self._scribe.position}"}}'
        self._scribe.write("UpdateOffer", ("offer.changed", self._scribe.any(self._offers), payload))

    def change_quota(self) -> None:
        """Set the limits of a storage quota."""
        quota, amount = self._scribe.any(self._storage_quotas), self._scribe.position
        payload = f'{{"capacityInGb":{512 + amount % 4096},"numberOfStorageAccounts":{20 + amount % 60}}}'
        self._scribe.write("UpdateStorageQuota", ("storage-quota.changed", quota, payload))

    def _create_catalogue(self) -> None:
        provider = self._installation.provider
        catalogue = Resource(f"{provider.id}/resourceGroups/catalog", name="catalog")
        self._scribe.write("CreateResourceGroup", ("resource-group.created", catalogue, f'{{"location":"{REGION}"}}'))
        self._storage_quotas, self._plans, self._offers = [], [], []
        for size in SIZES:
            quotas = self._create_quotas(provider, size)
            plan = Resource(f"{catalogue.id}/{ADMIN}/plans/{size}", name=size)
            ids = ",".join(f'"{quota.id}"' for quota in quotas)
            payload = f'{{"displayName":"{size} services","name":"{size}","quotaIds":[{ids}],"skuIds":[]}}'
            self._scribe.write("CreatePlan", ("plan.created", plan, payload))
            offer = Resource(f"{catalogue.id}/{ADMIN}/offers/{size}", name=size)
            payload = (
                f'{{"addonPlans":[],"basePlanIds":["{plan.id}"],"displayName":"{size} offer",'
                f'"maxSubscriptionsPerAccount":0,"name":"{size}","state":"Public"}}'
            )
            self._scribe.write("CreateOffer", ("offer.created", offer, payload))
            self._storage_quotas.append(quotas[1])
            self._plans.append(plan)
            self._offers.append(offer)

    def _create_quotas(self, provider: Resource, size: str) -> tuple[Resource, Resource]:
        compute, storage = (
            Resource(f"{provider.id}/providers/Microsoft.{service}.Admin/locations/{REGION}/quotas/{size}")
            for service in ("Compute", "Storage")
        )
        payload = (
            '{"availabilitySetCount":10,"coresLimit":40,"ddagpuCount":0,'
            '"maxAllocationPremiumManagedDisksAndSnapshots":2048,"maxAllocationStandardManagedDisksAndSnapshots":2048,'
            '"partitionedGpuCount":0,"virtualMachineCount":10,"vmScaleSetCount":100}'
        )
        self._scribe.write("CreateComputeQuota", ("compute-quota.created", compute, payload))
        payload = '{"capacityInGb":512,"numberOfStorageAccounts":20}'
        self._scribe.write("CreateStorageQuota", ("storage-quota.created", storage, payload))
        return compute, storage

    def _create_group(self, subscription: Resource) -> None:
        number = len(subscription.parts)
        group = Resource(f"{subscription.id}/resourceGroups/group-{number}")
        payload = f'{{"location":"{REGION}","tags":{self._tags()}}}'
        self._scribe.write("CreateResourceGroup", ("resource-group.created", group, payload))
        subscription.parts.append(group)
        self.resource_groups.append(group)

    def _tags(self) -> str:
        scribe = self._scribe
        environment = ENVIRONMENTS[scribe.position % len(ENVIRONMENTS)]
        owner = scribe.any(self._identity.users).guid
        return f'{{"cost-centre":"{scribe.random.getrandbits(20)}","environment":"{environment}","owner":"{owner}"}}'
