"""A small estate: a tenant on an offer, its resource group and vault, an application, and a policy."""

from tests.infra.cli.command_line import CommandLine, request, user, user_id
from tests.infra.control_plane.installation import PASSWORD, PROVIDER

TENANT = "user-1@region.example"
STRANGER = "user-2@region.example"
SUBSCRIPTION = "55555555-5555-4555-8555-555555555555"
APPLICATION = "66666666-6666-4666-8666-666666666666"
DIRECTORY = "33333333-3333-4333-8333-333333333333"
CANARY = "canary-7f3a"
SECOND_CANARY = "canary-9b2c"
CLIENT_SECRET = "canary-client"

OFFERS = f"/subscriptions/{PROVIDER}/resourceGroups/offers/providers/Microsoft.Subscriptions.Admin"
QUOTA = f"/subscriptions/{PROVIDER}/providers/Microsoft.Compute.Admin/locations/east/quotas/small"
PLAN = f"{OFFERS}/plans/small"
OFFER = f"{OFFERS}/offers/small"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/web-secrets"
SECRET = f"{VAULT}/secrets/database"

DENY_ELSEWHERE = {
    "if": {"field": "location", "notEquals": "east"},
    "then": {"effect": "deny"},
}


def build(cli: CommandLine) -> None:
    """Record the estate; its tenant may read the secret, and nobody else may."""
    here = {"providerSubscriptionId": PROVIDER}
    named = {**here, "resourceGroup": "offers", "name": "small", "displayName": "Small"}
    may_get = {"objectId": user_id(1), "permissions": {"secrets": ["get", "set"]}}
    result = cli.record(
        user(1),
        user(2),
        request("CreateResourceGroup", subscriptionId=PROVIDER, name="offers", location="east"),
        request("CreateComputeQuota", **here, location="east", name="small", coresLimit=8),
        request("CreatePlan", **named, quotaIds=[QUOTA]),
        request("CreateOffer", **named, state="Public", basePlanIds=[PLAN]),
        request(
            "Subscribe",
            subscriptionId=SUBSCRIPTION,
            displayName="Web",
            owner=TENANT,
            tenantId=DIRECTORY,
            offerId=OFFER,
        ),
        request("CreateResourceGroup", subscriptionId=SUBSCRIPTION, name="web", location="east"),
        request("CreateVault", resourceGroupId=GROUP, name="web-secrets", location="east", accessPolicies=[may_get]),
        request("SetSecret", vaultId=VAULT, name="database", value=CANARY, contentType="password"),
        request("CreateApplication", displayName="Web", appId=APPLICATION),
        request("CreateServicePrincipal", appId=APPLICATION),
        request("AddPasswordCredential", appId=APPLICATION, secretText=CLIENT_SECRET),
        request("DefinePolicy", name="only-east", policyRule=DENY_ELSEWHERE),
        request(
            "AssignPolicy",
            name="only-east",
            scopeId=f"/subscriptions/{SUBSCRIPTION}",
            policyDefinitionId="/providers/Microsoft.Authorization/policyDefinitions/only-east",
        ),
    )
    assert result.code == 0, result.out
    assert PASSWORD not in result.out
