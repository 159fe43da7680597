"""Credentials of applications: client secrets and certificates, each valid from one instant up to another.

They are added and removed by commands on their application, in domain.application.
"""

from collections.abc import Iterable
from typing import Any, Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.principal import NAMESPACE
from domain.public_certificate import PublicCertificate
from domain.resource import Kind, Link, World, key
from domain.sealed_value import SealedValue

CLIENT_SECRET_PURPOSE: Literal["client-secret-hash"] = "client-secret-hash"  # noqa: S105, it names a purpose


@with_config(STRICT)
class PasswordCredentialFields(TypedDict):
    """Names as in Graph; `secret` is the argon2id hash of `secretText`, sealed. It is valid before `endDateTime`."""

    appId: str
    keyId: str
    displayName: NotRequired[str]
    hint: NotRequired[str]
    startDateTime: str
    endDateTime: str
    secret: SealedValue


@with_config(STRICT)
class KeyCredentialFields(PublicCertificate):
    """A certificate whose private key the application proves to hold; valid as long as the certificate is."""

    appId: str
    keyId: str
    displayName: NotRequired[str]
    type: Literal["AsymmetricX509Cert"]
    usage: Literal["Verify"]


class PasswordCredential(PasswordCredentialFields):
    """The state of a client secret."""

    id: str


class KeyCredential(KeyCredentialFields):
    """The state of a certificate credential."""

    id: str


PasswordCredentialAdded = EventType("password-credential.created", PasswordCredentialFields, created)
PasswordCredentialRemoved = EventType("password-credential.deleted", Nothing, deleted)
KeyCredentialAdded = EventType("key-credential.created", KeyCredentialFields, created)
KeyCredentialRemoved = EventType("key-credential.deleted", Nothing, deleted)


def application_id(app_id: str) -> str:
    """Return `/providers/Microsoft.Graph/applications/{appId}`."""
    return resource_id.provided("/", NAMESPACE, "applications", app_id)


def password_credential_id(app_id: str, key_id: str) -> str:
    """Return `{application id}/passwordCredentials/{keyId}`."""
    return resource_id.child(application_id(app_id), "passwordCredentials", key_id)


def key_credential_id(app_id: str, key_id: str) -> str:
    """Return `{application id}/keyCredentials/{keyId}`."""
    return resource_id.child(application_id(app_id), "keyCredentials", key_id)


def key_credential_key(app_id: str, thumbprint: str) -> str:
    """Return the target of the link that finds an application's credential by its certificate."""
    return key("key-credential", app_id, thumbprint)


def _password_links(state: PasswordCredential) -> Iterable[Link]:
    yield "application", application_id(state["appId"])


def _key_links(state: KeyCredential) -> Iterable[Link]:
    yield "application", application_id(state["appId"])
    yield "key", key_credential_key(state["appId"], state["thumbprint"])


PASSWORD_CREDENTIAL = Kind[PasswordCredential](
    "password-credential",
    "identity",
    "password credential",
    (PasswordCredentialAdded, PasswordCredentialRemoved),
    _password_links,
    ("appId",),
    state=PasswordCredential,
)
KEY_CREDENTIAL = Kind[KeyCredential](
    "key-credential",
    "identity",
    "key credential",
    (KeyCredentialAdded, KeyCredentialRemoved),
    _key_links,
    ("appId", "thumbprint"),
    state=KeyCredential,
)


def credentials_ended(world: World, application: str) -> list[Event]:
    """Return the events that remove all credentials of an application; the keys of its secrets are destroyed."""
    passwords = PASSWORD_CREDENTIAL.sources(world, application, "application")
    keys = KEY_CREDENTIAL.sources(world, application, "application")
    return [
        *(PasswordCredentialRemoved(credential, Nothing()) for credential, _ in passwords),
        *(KeyCredentialRemoved(credential, Nothing()) for credential, _ in keys),
    ]


DECISIONS: dict[Any, Any] = {}
KINDS = (PASSWORD_CREDENTIAL, KEY_CREDENTIAL)
