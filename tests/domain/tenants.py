"""A small estate of tenants: a provider with quotas, plans and offers, and a user who has subscribed; with its ids."""

from typing import Any

from domain.access_policy import Permissions
from domain.event import Event
from domain.offer import CreateOffer, offer_id
from domain.plan import CreatePlan, plan_id
from domain.principal import principal_id
from domain.quota import CreateComputeQuota, CreateKeyVaultQuota, CreateStorageQuota, quota_id
from domain.resource_group import CreateResourceGroup
from domain.secret import secret_id
from domain.secret_version import SetSecret, secret_version_id
from domain.subscription import CreateProviderSubscription, Subscribe
from domain.tenancy import resource_group_id, subscription_id
from domain.user import UserCreated, UserFields
from domain.vault import CreateVault
from domain.vault_state import vault_id
from tests.domain.scenario import ControlPlane, sealed
from tests.domain.test_deployment import create as create_deployment

PROVIDER_GUID = "a0000000-0000-4000-9000-000000000001"
TENANT_GUID = "a0000000-0000-4000-9000-000000000002"
OTHER_GUID = "a0000000-0000-4000-9000-000000000003"
DIRECTORY = "d0000000-0000-4000-9000-000000000001"
OPERATOR = "operator-1@region.example"
TENANT = "tenant-1@region.example"
OTHER_TENANT = "tenant-2@region.example"
TENANT_OBJECT = "b0000000-0000-4000-9000-000000000002"

PROVIDER = subscription_id(PROVIDER_GUID)
TENANT_SUBSCRIPTION = subscription_id(TENANT_GUID)
PLANS = resource_group_id(PROVIDER_GUID, "plans")
COMPUTE = quota_id(PROVIDER_GUID, "Microsoft.Compute.Admin", "east", "small")
STORAGE = quota_id(PROVIDER_GUID, "Microsoft.Storage.Admin", "east", "small")
KEY_VAULT = quota_id(PROVIDER_GUID, "Microsoft.KeyVault.Admin", "east", "Unlimited")
BASE_PLAN = plan_id(PROVIDER_GUID, "plans", "base")
ADDON_PLAN = plan_id(PROVIDER_GUID, "plans", "more")
OFFER = offer_id(PROVIDER_GUID, "plans", "standard")
GROUP = resource_group_id(TENANT_GUID, "app")
VAULT = vault_id(GROUP, "keys-1")
SECRET = secret_id(VAULT, "db-password")


def user(number: int, name: str) -> Event:
    """Return the event of a user who needs no password here."""
    object_id = f"b0000000-0000-4000-9000-{number:012d}"
    fields = UserFields(objectId=object_id, userPrincipalName=name, displayName=name, accountEnabled=True)
    return UserCreated(principal_id(object_id), fields)


def create_plan(name: str = "base", quota_ids: tuple[str, ...] = (COMPUTE, KEY_VAULT), **given: Any) -> CreatePlan:
    """Return the command for a plan of the provider."""
    required = {"provider_subscription_id": PROVIDER_GUID, "resource_group": "plans", "display_name": name}
    return CreatePlan.model_validate({**required, "name": name, "quota_ids": quota_ids, **given})


def create_offer(name: str = "standard", **given: Any) -> CreateOffer:
    """Return the command for a Public offer of the base plan, with an add-on that can be had twice."""
    required = {
        "provider_subscription_id": PROVIDER_GUID,
        "resource_group": "plans",
        "display_name": name,
        "name": name,
    }
    plans = {
        "base_plan_ids": [BASE_PLAN],
        "addon_plans": [{"plan_id": ADDON_PLAN, "max_acquisition_count": 2}],
        "state": "Public",
    }
    return CreateOffer.model_validate({**required, **plans, **given})


def subscribe(guid: str = TENANT_GUID, **given: Any) -> Subscribe:
    """Return the command by which the tenant subscribes to the standard offer."""
    required = {"display_name": "A subscription", "owner": TENANT, "tenant_id": DIRECTORY, "offer_id": OFFER}
    return Subscribe.model_validate({**required, "subscription_id": guid, **given})


def create_vault(name: str = "keys-1", **given: Any) -> CreateVault:
    """Return the command for a vault of the tenant."""
    return CreateVault.model_validate({"resource_group_id": GROUP, "name": name, "location": "east", **given})


def may(*secrets: str) -> Permissions:
    """Return these permissions on secrets."""
    return Permissions.model_validate({"secrets": secrets})


def provider() -> ControlPlane:
    """Return a control plane with a deployment, users and the provider's subscription, and nothing to offer yet."""
    return ControlPlane().given(
        create_deployment(),
        user(1, OPERATOR),
        user(2, TENANT),
        user(3, OTHER_TENANT),
        CreateProviderSubscription(subscription_id=PROVIDER_GUID, owner=OPERATOR, tenant_id=DIRECTORY),
        CreateResourceGroup(subscription_id=PROVIDER_GUID, name="plans", location="east"),
    )


def with_quotas() -> ControlPlane:
    """Return the provider with a quota of three services."""
    return provider().given(
        CreateComputeQuota(provider_subscription_id=PROVIDER_GUID, location="east", name="small"),
        CreateStorageQuota(provider_subscription_id=PROVIDER_GUID, location="east", name="small"),
        CreateKeyVaultQuota(provider_subscription_id=PROVIDER_GUID, location="east"),
    )


def with_offer(**given: Any) -> ControlPlane:
    """Return the provider with its offer, of a base plan and an add-on plan."""
    return with_quotas().given(create_plan(), create_plan("more", (COMPUTE, STORAGE)), create_offer(**given))


def with_tenant() -> ControlPlane:
    """Return the provider and the tenant, who has subscribed and made a resource group."""
    group = CreateResourceGroup(subscription_id=TENANT_GUID, name="app", location="east")
    return with_offer().given(subscribe(), group)


def with_vault(**given: Any) -> ControlPlane:
    """Return the tenant with a vault."""
    return with_tenant().given(create_vault(**given))


def set_secret(plane: ControlPlane, key: str = "k1", **given: Any) -> str:
    """Set the secret, its value sealed under that key, and return the id of its version."""
    version = secret_version_id(SECRET, plane.fresh_id().replace("-", ""))
    command = {"vault_id": VAULT, "name": "db-password", "value": "v4lue", **given}
    plane.when(SetSecret.model_validate(command), sealed={"value": sealed("secret-value", key)})
    return version


def types(events: list[Event]) -> list[tuple[str, str]]:
    """Return each event's type and resource."""
    return [(event.type, event.resource) for event in events]
