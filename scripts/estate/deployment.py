"""The deployment of an estate: the inputs of its installation, and the resource providers on it."""

import yaml

from scripts.estate.draft import EXTERNAL_DOMAIN, REGION, Draft, upn

PROVIDERS = {
    "Microsoft.Compute": ("Compute", "ControlPlane"),
    "Microsoft.Network": ("Network", "ControlPlane"),
    "Microsoft.Storage": ("Storage", "ControlPlane"),
    "Microsoft.KeyVault": ("Key Vault", "ControlPlane"),
    "Microsoft.Subscriptions": ("Subscriptions", "ControlPlane"),
    "Microsoft.Authorization": ("Authorization", "ControlPlane"),
    "Microsoft.Web": ("App Service", "ByHand"),
    "Microsoft.SQLAdapter": ("SQL databases", "ByHand"),
    "Microsoft.MySQLAdapter": ("MySQL databases", "ByHand"),
}


def inputs(draft: Draft) -> str:
    """Return the inputs file of `resurgam init`."""
    operator = {
        "userPrincipalName": upn("operator-1"),
        "displayName": "Operator 1",
        "objectId": draft.guid("user/operator-1"),
    }
    provider = {"subscriptionId": draft.provider, "tenantId": draft.tenant_id}
    fields = {**_inputs(nodes=4), "operator": operator, "providerSubscription": provider}
    text: str = yaml.safe_dump(fields, sort_keys=False)
    return text


def begin(draft: Draft) -> None:
    """Write the deployment's part of the base."""
    for namespace, (name, restored_by) in PROVIDERS.items():
        draft.add(
            "RegisterResourceProvider", "installation", namespace=namespace, displayName=name, restoredBy=restored_by
        )
    draft.add("UpdateResourceProvider", "not yet in use", namespace="Microsoft.MySQLAdapter", enabled=False)
    draft.add("RegisterResourceProvider", "a pilot", namespace="Sample.Pilot", displayName="Pilot", restoredBy="ByHand")
    draft.add("UnregisterResourceProvider", "the pilot is over", namespace="Sample.Pilot")
    draft.add("ChangeDeploymentInputs", "two more nodes", inputs=_inputs(nodes=6))


def go_on(draft: Draft) -> None:
    """Write a week of changes."""
    draft.add("ChangeDeploymentInputs", "two more nodes", inputs=_inputs(nodes=8))


def _inputs(nodes: int) -> dict[str, object]:
    return {
        "region": REGION,
        "externalDomainName": EXTERNAL_DOMAIN,
        "companyName": "Sample region",
        "networks": {
            "publicVip": "203.0.112.0/24",
            "switchInfrastructure": "10.0.0.0/26",
            "infrastructure": "10.0.1.0/24",
            "private": "10.0.16.0/20",
            "bmc": "10.0.2.0/26",
            "switchManagement": "10.0.3.0/29",
        },
        "permittedNetworks": ["10.1.0.0/16"],
        "dnsForwarders": ["10.1.0.53", "10.2.0.53"],
        "timeServer": "10.1.0.123",
        "identityStore": "ADFS",
        "nodes": [{"name": f"node-{n}", "ipAddress": f"10.0.2.{n + 1}"} for n in range(1, nodes + 1)],
        "timezone": "UTC",
    }
