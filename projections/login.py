"""Logging in: who a name stands for, whether that principal may authenticate now, and with which credentials."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from domain.application_credential import (
    CLIENT_SECRET_PURPOSE,
    KEY_CREDENTIAL,
    PASSWORD_CREDENTIAL,
    application_id,
)
from domain.claims_provider_trust import claims_provider_trust_id
from domain.object_id import OBJECT_ID
from domain.principal import principal_id
from domain.resource import World
from domain.sealed_value import SealedValue
from domain.service_principal import SERVICE_PRINCIPAL, ServicePrincipal, find_service_principal
from domain.user import PASSWORD_PURPOSE, USER, User, find_user

Reason = Literal["unknown", "disabled", "federated", "no-credential", "no-valid-credential"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What a given secret or certificate is checked against.

    `id` is the key id, or the object id of a user, who has only one credential. A sealed value is bound to `resource`.
    Either `sealed` or `thumbprint` is set.
    """

    id: str
    purpose: Literal["password-hash", "client-secret-hash", "certificate"]
    resource: str
    sealed: SealedValue | None = None
    thumbprint: str | None = None


@dataclass(frozen=True, slots=True)
class LoginAllowed:
    """The principal may authenticate with any of the credentials."""

    principal: str
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """Nobody can log in under that name now; `resource` is what stands against it, empty for an unknown name."""

    reason: Reason
    message: str
    resource: str = ""


def login(world: World, name: str, now: str) -> LoginAllowed | LoginRefused:
    """Answer for a user principal name, the object id of a user or a service principal, or an application id.

    Nothing is decrypted or compared here.
    """
    user = USER.get(world, principal_id(name)) if OBJECT_ID.fullmatch(name) else find_user(world, name)
    if user is not None:
        return _user_login(user)
    service_principal = _find_service_principal(world, name)
    if service_principal is not None:
        return _service_principal_login(world, service_principal, now)
    return LoginRefused("unknown", f"no user, service principal or application is named {name!r}: correct the name")


def _find_service_principal(world: World, name: str) -> ServicePrincipal | None:
    if not OBJECT_ID.fullmatch(name):
        return None
    return SERVICE_PRINCIPAL.get(world, principal_id(name)) or find_service_principal(world, name)


def _user_login(user: User) -> LoginAllowed | LoginRefused:
    name = user["userPrincipalName"]
    if not user["accountEnabled"]:
        return LoginRefused("disabled", f"user {name} is disabled: enable it first", user["id"])
    if "claimsProviderTrust" in user:
        trust = user["claimsProviderTrust"]
        return LoginRefused(
            "federated",
            f"user {name} has no password here: log in through claims provider trust {trust}",
            claims_provider_trust_id(trust),
        )
    password = Credential(user["objectId"], PASSWORD_PURPOSE, user["id"], sealed=user["password"])
    return LoginAllowed(user["id"], (password,))


def _service_principal_login(world: World, principal: ServicePrincipal, now: str) -> LoginAllowed | LoginRefused:
    name = principal["displayName"]
    if not principal["accountEnabled"]:
        return LoginRefused("disabled", f"service principal {name} is disabled: enable it first", principal["id"])
    credentials = list(_application_credentials(world, principal["appId"]))
    if not credentials:
        return LoginRefused("no-credential", f"service principal {name} has no credential: add one", principal["id"])
    valid = tuple(credential for credential, start, end in credentials if start <= now < end)
    if not valid:
        return LoginRefused(
            "no-valid-credential",
            f"none of the {len(credentials)} credentials of service principal {name} is valid now: add a new one",
            principal["id"],
        )
    return LoginAllowed(principal["id"], valid)


def _application_credentials(world: World, app_id: str) -> Iterator[tuple[Credential, str, str]]:
    """Yield each credential with its first instant and the instant it ends at."""
    application = application_id(app_id)
    for resource, password in PASSWORD_CREDENTIAL.sources(world, application, "application"):
        credential = Credential(password["keyId"], CLIENT_SECRET_PURPOSE, resource, sealed=password["secret"])
        yield credential, password["startDateTime"], password["endDateTime"]
    for resource, key in KEY_CREDENTIAL.sources(world, application, "application"):
        credential = Credential(key["keyId"], "certificate", resource, thumbprint=key["thumbprint"])
        yield credential, key["notBefore"], key["notAfter"]
