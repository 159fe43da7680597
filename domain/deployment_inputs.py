"""Deployment inputs: what an operator fills in before a cloud is installed, as in Azure Stack Hub's worksheet."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations
from typing import Annotated, Literal, NotRequired

from pydantic import BaseModel, Field, with_config
from typing_extensions import TypedDict

from domain.command import Command
from domain.errors import Refused
from domain.event import STRICT
from domain.network_address import DnsLabel, DnsName, Host, IpAddress, Network

IdentityStore = Literal["ADFS", "AzureAD"]
NODES_MAX = 64

PREFIX_LENGTHS = {
    "publicVip": (22, 26),
    "switchInfrastructure": (26, 26),
    "infrastructure": (24, 24),
    "private": (20, 20),
    "bmc": (26, 26),
    "switchManagement": (29, 29),
}
"""(shortest, longest) prefix of each network."""

IMMUTABLE = ("region", "externalDomainName", "identityStore")


@with_config(STRICT)
class NetworksFields(TypedDict):
    """IPv4 networks in CIDR form."""

    publicVip: str
    switchInfrastructure: str
    infrastructure: str
    private: NotRequired[str]
    bmc: str
    switchManagement: str


@with_config(STRICT)
class NodeFields(TypedDict):
    """A physical machine of the scale unit."""

    name: str
    ipAddress: NotRequired[str]


@with_config(STRICT)
class DeploymentInputsFields(TypedDict):
    """The inputs as they are recorded."""

    region: str
    externalDomainName: str
    internalDomainName: str
    namingPrefix: str
    companyName: NotRequired[str]
    networks: NetworksFields
    permittedNetworks: list[str]
    dnsForwarders: list[str]
    timeServer: str
    identityStore: IdentityStore
    nodes: list[NodeFields]
    timezone: str


class Networks(BaseModel):
    """The networks of a deployment; `private` may be added later."""

    model_config = Command.model_config

    public_vip: Network
    switch_infrastructure: Network
    infrastructure: Network
    private: Network | None = None
    bmc: Network
    switch_management: Network


class Node(BaseModel):
    """A physical machine of the scale unit."""

    model_config = Command.model_config

    name: DnsLabel
    ip_address: IpAddress | None = None


class DeploymentInputs(BaseModel):
    """The inputs as they are given. Region, external domain name and identity store are for ever.

    Management endpoints may be reached from `permitted_networks` only; none means from nowhere outside. `timezone` is
    the name of an IANA time zone.
    """

    model_config = Command.model_config

    region: DnsLabel
    external_domain_name: DnsName
    internal_domain_name: DnsName = "azurestack.local"
    naming_prefix: Annotated[DnsLabel, Field(max_length=15)] = "azs"
    company_name: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    networks: Networks
    permitted_networks: Annotated[tuple[Network, ...], Field(strict=False, max_length=256)] = ()
    dns_forwarders: Annotated[tuple[IpAddress, ...], Field(strict=False, max_length=16)] = ()
    time_server: Host
    identity_store: IdentityStore
    nodes: Annotated[tuple[Node, ...], Field(strict=False, min_length=1, max_length=NODES_MAX)]
    timezone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")] = "UTC"

    def fields(self) -> DeploymentInputsFields:
        """Return the inputs as they are recorded."""
        recorded: DeploymentInputsFields = self.model_dump(mode="json", by_alias=True, exclude_none=True)  # type: ignore[assignment]  # validated above
        return recorded


def check_inputs(inputs: DeploymentInputsFields, deployment: str) -> None:
    """Refuse networks of a wrong size or that overlap, and nodes that are named twice."""
    networks = dict(_networks(inputs["networks"]))
    for name, network in networks.items():
        shortest, longest = PREFIX_LENGTHS[name]
        if not shortest <= network.prefixlen <= longest:
            allowed = f"/{shortest}" if shortest == longest else f"/{longest} to /{shortest}"
            raise Refused(
                f"network {name} is {network}: its prefix must be {allowed}",
                rule="network-prefix-length",
                resource=deployment,
            )
    for (name, network), (other_name, other) in combinations(networks.items(), 2):
        if network.overlaps(other):
            raise Refused(
                f"network {name} {network} overlaps network {other_name} {other}: give them ranges of their own",
                rule="networks-do-not-overlap",
                resource=deployment,
            )
    names = [node["name"].lower() for node in inputs["nodes"]]
    addresses = [node["ipAddress"] for node in inputs["nodes"] if "ipAddress" in node]
    for used in (names, addresses):
        twice = next((value for value in used if used.count(value) > 1), None)
        if twice is not None:
            raise Refused(
                f"two nodes are {twice}: give each its own name and address", rule="nodes-distinct", resource=deployment
            )


def check_immutable(before: DeploymentInputsFields, after: DeploymentInputsFields, deployment: str) -> None:
    """Refuse to change what only a new installation can change."""
    old, new = dict(before), dict(after)
    for name in IMMUTABLE:
        if old[name] != new[name]:
            raise Refused(
                f"deployment input {name} is {old[name]} for ever, not {new[name]}: install a new deployment for that",
                rule="deployment-input-immutable",
                resource=deployment,
            )


def _networks(networks: NetworksFields) -> Iterator[tuple[str, IPv4Network]]:
    for name, network in networks.items():
        yield name, IPv4Network(str(network))
