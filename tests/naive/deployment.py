"""The naive deployment: its inputs and its resource providers."""

from ipaddress import ip_network
from typing import Any

from tests.naive.world import Json, World, given, must

DEPLOYMENT = "/providers/Resurgam.Admin/deployments/default"
DEFAULTS: Json = {
    "internalDomainName": "azurestack.local",
    "namingPrefix": "azs",
    "permittedNetworks": [],
    "dnsForwarders": [],
    "timezone": "UTC",
}
IMMUTABLE = ("region", "externalDomainName", "identityStore")


def check_networks(inputs: Json) -> None:
    networks = [ip_network(network) for network in inputs["networks"].values()]
    for index, network in enumerate(networks):
        must(not any(network.overlaps(other) for other in networks[index + 1 :]), "networks do not overlap")


def create_deployment(world: World, a: Json, fresh: str) -> None:
    check_networks(a["inputs"])
    fields = given(a, "deploymentId", "epoch", "release")
    world.create("deployment", DEPLOYMENT, {**fields, "inputs": {**DEFAULTS, **a["inputs"]}})


def change_inputs(world: World, a: Json, fresh: str) -> None:
    deployment = world.need("deployment", DEPLOYMENT)
    inputs = {**DEFAULTS, **a["inputs"]}
    for name in IMMUTABLE:
        must(inputs[name] == deployment["inputs"][name], f"{name} is for ever")
    check_networks(inputs)
    deployment["inputs"] = inputs


def provider_id(a: Json) -> str:
    return f"/providers/Resurgam.Admin/resourceProviders/{a['namespace']}"


def register(world: World, a: Json, fresh: str) -> None:
    fields = given(a, "namespace", "displayName", "restoredBy")
    world.create("resource-provider", provider_id(a), {**fields, "enabled": a.get("enabled", True)})


def update(world: World, a: Json, fresh: str) -> None:
    provider = world.need("resource-provider", provider_id(a))
    provider |= given(a, "displayName", "restoredBy", "enabled")


def unregister(world: World, a: Json, fresh: str) -> None:
    world.delete([world.need("resource-provider", provider_id(a))])


COMMANDS: dict[str, Any] = {
    "CreateDeployment": create_deployment,
    "ChangeDeploymentInputs": change_inputs,
    "RegisterResourceProvider": register,
    "UpdateResourceProvider": update,
    "UnregisterResourceProvider": unregister,
}
