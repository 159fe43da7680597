"""Expiry: the certificates, secrets and credentials that run out, soonest first."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from domain.event import State
from domain.instant import from_microseconds, plus_days
from domain.resource import Resource, World
from domain.resource_id import fold
from domain.secret import SECRET, vault_of
from domain.secret_version import secret_of, secret_version_id
from domain.vault_state import VAULT

WARNING_DAYS = 90
CRITICAL_DAYS = 30

SECONDS_MAX = 253_402_300_799
"""9999-12-31T23:59:59Z, the last second that an instant can say; Key Vault's attributes are any integer."""

Severity = Literal["critical", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Expiry:
    """What runs out: `expires` is the instant, and `what` tells apart the certificates of one resource.

    Severity is critical within 30 days and once it has expired, and warning within 90, as in Azure Stack Hub's alerts.
    """

    resource: str
    kind: str
    what: str
    expires: str
    expired: bool
    severity: Severity


Ends = Iterator[tuple[str, str]]
"""(what, instant) of everything in a state that runs out."""


def expiring(world: World, resources: Iterable[Resource], now: str, within_days: int) -> list[Expiry]:
    """Return what of the world's resources expires within that many times 24 hours or has expired, by time and id."""
    horizon = plus_days(now, within_days)
    lives = cache(lambda vault: _lives(world, vault))
    found = [
        ending(resource.id, resource.kind, what, expires, now)
        for resource in resources
        if resource.kind in ENDS
        for what, expires in ENDS[resource.kind](resource.state)
        if expires <= horizon and _is_in_use(world, resource, lives)
    ]
    return sorted(found, key=lambda expiry: (expiry.expires, expiry.resource, expiry.what))


def ending(resource: str, kind: str, what: str, expires: str, now: str) -> Expiry:
    """Return how it stands with something that ends at an instant."""
    return Expiry(resource, kind, what, expires, expires <= now, _severity(expires, now))


def _is_in_use(world: World, resource: Resource, lives: Callable[[str], bool]) -> bool:
    """Say whether it matters when it ends: of a secret, only the current version does, and none while it is deleted."""
    if resource.kind != "secret-version":
        return True
    secret = SECRET.get(world, secret_of(resource.id))
    if secret is None or "deletedDate" in secret:
        return False
    is_current = fold(resource.id) == fold(secret_version_id(secret["id"], secret["currentVersion"]))
    return is_current and lives(vault_of(secret["id"]))


def _lives(world: World, vault: str) -> bool:
    state = VAULT.get(world, vault)
    return state is not None and "deletionDate" not in state


def _severity(expires: str, now: str) -> Severity:
    if expires <= plus_days(now, CRITICAL_DAYS):
        return "critical"
    return "warning" if expires <= plus_days(now, WARNING_DAYS) else "information"


def _certificate(state: Any) -> Ends:
    yield state["subject"], state["notAfter"]


def _authority(state: Any) -> Ends:
    """A retired root signs nothing more: nobody needs to replace it."""
    if state["state"] != "Retired":
        yield from _certificate(state)


def _issued(state: Any) -> Ends:
    """A revoked certificate has ended already."""
    if "revokedOn" not in state:
        yield from _certificate(state)


def _trust(state: Any) -> Ends:
    for certificate in state["certificates"]:
        yield from _certificate(certificate)


def _credential(state: Any) -> Ends:
    if "endDateTime" in state:
        yield state.get("displayName", ""), state["endDateTime"]


def _recipient(state: Any) -> Ends:
    """A recipient that is a certificate: nobody should have to trust it for longer than it says."""
    if "certificate" in state:
        yield from _certificate(state["certificate"])


def _secret_version(state: Any) -> Ends:
    if "exp" in state["attributes"]:
        yield "", from_microseconds(min(state["attributes"]["exp"], SECONDS_MAX) * 1_000_000)


ENDS: Mapping[str, Callable[[State], Ends]] = {
    "backup-recipient": _recipient,
    "ca-root": _authority,
    "issued-certificate": _issued,
    "endpoint-certificate": _certificate,
    "claims-provider-trust": _trust,
    "password-credential": _credential,
    "key-credential": _certificate,
    "secret-version": _secret_version,
}
