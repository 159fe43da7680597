"""How an object service is reached that is not the public one."""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from domain.errors import Unavailable, Usage

if TYPE_CHECKING:
    from obstore.store import ClientConfig


def options(endpoint: str | None, *, http_variable: str, bundle_variable: str) -> "ClientConfig":
    """What a client needs for an endpoint: plain HTTP on this machine or if a variable says so, and a private CA.

    Raise `Usage` for an endpoint that may not be used, without repeating it: it may hold a token.
    """
    found: ClientConfig = {}
    if endpoint and urlsplit(endpoint).scheme == "http":
        if not _is_loopback(urlsplit(endpoint).hostname) and os.environ.get(http_variable, "").lower() != "true":
            raise Usage(f"the endpoint is not https: use one that is, or set {http_variable}=true")
        found["allow_http"] = True
    if bundle := os.environ.get(bundle_variable):
        try:
            found["root_certificate"] = Path(bundle).read_bytes()
        except OSError as error:
            raise Unavailable(f"cannot read {bundle}, which {bundle_variable} names: {error.strerror}") from error
    return found


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
