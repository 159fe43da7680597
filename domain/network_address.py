"""Network addresses: DNS names, IP addresses and IPv4 networks, as text in a command's fields."""

from ipaddress import IPv4Network, ip_address
from typing import Annotated

from pydantic import AfterValidator, Field

LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
TOP_LABEL = "[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


def _ip_address(text: str) -> str:
    return str(ip_address(text))


def _network(text: str) -> str:
    return str(IPv4Network(text))


DnsLabel = Annotated[str, Field(pattern=f"^{LABEL}$")]
"""One label of a DNS name (RFC 1123, 2.1)."""

DnsName = Annotated[str, Field(max_length=253, pattern=rf"^({LABEL}\.)*{TOP_LABEL}$")]
"""A DNS name; its last label begins with a letter, so that a mistyped address is no name."""

IpAddress = Annotated[str, AfterValidator(_ip_address)]
"""An IPv4 or IPv6 address, kept in its canonical form."""

Network = Annotated[str, AfterValidator(_network)]
"""An IPv4 network in CIDR form without host bits, such as `10.0.0.0/24`."""

Host = IpAddress | DnsName
