"""Secret versions: the values that a secret had and has, each sealed, with its attributes."""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Id, Prepared, Sealing, Secret
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing
from domain.instant import to_seconds
from domain.resource import Kind, Link, World
from domain.sealed_value import SealedValue
from domain.secret import (
    SECRET,
    CurrentVersion,
    SecretChanged,
    SecretCreated,
    SecretName,
    must_not_be_deleted,
    need_secret,
    secret_id,
    vault_of,
)
from domain.vault_state import need_writable_vault

SECRET_PURPOSE = "secret-value"  # noqa: S105, it names a purpose

UnixSeconds = Annotated[int, Field(ge=0, le=253_402_300_799)]
"""Seconds since 1970, up to the year 9999."""

ContentType = Annotated[str, Field(max_length=255)]
SecretTags = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=256)], Annotated[str, Field(max_length=256)]],
    Field(max_length=15),
]
"""The limits are Key Vault's."""


@with_config(STRICT)
class SecretAttributes(TypedDict):
    """Names as in Key Vault 2016-10-01, in seconds since 1970.

    `recoveryLevel` is the vault's at the time of asking and is not kept: see domain.vault_state.recovery_level.
    """

    enabled: bool
    nbf: NotRequired[int]
    exp: NotRequired[int]
    created: int
    updated: int


@with_config(STRICT)
class SecretVersionChanges(TypedDict, total=False):
    """The fields that replace those before; the value of a version never changes."""

    contentType: str
    tags: dict[str, str]
    attributes: SecretAttributes


@with_config(STRICT)
class SecretVersionFields(TypedDict):
    """Names as in Key Vault's SecretBundle."""

    value: SealedValue
    contentType: NotRequired[str]
    tags: NotRequired[dict[str, str]]
    attributes: SecretAttributes


class SecretVersion(SecretVersionFields):
    """The state of a secret's version."""

    id: str


SecretVersionCreated = EventType("secret-version.created", SecretVersionFields, created)
SecretVersionChanged = EventType("secret-version.changed", SecretVersionChanges, changed)
SecretVersionPurged = EventType("secret-version.purged", Nothing, deleted)


def _links(state: SecretVersion) -> Iterable[Link]:
    yield "secret", secret_of(state["id"])


SECRET_VERSION = Kind[SecretVersion](
    "secret-version",
    "vaults",
    "secret version",
    (SecretVersionCreated, SecretVersionChanged, SecretVersionPurged),
    _links,
    state=SecretVersion,
)


def secret_version_id(secret: str, version: str) -> str:
    """Return `{secret id}/versions/{32 hex digits}`."""
    return resource_id.child(secret, "versions", version)


def secret_of(version: str) -> str:
    """Return the id of the secret that a version's id begins with."""
    return version.rsplit("/", 2)[0]


def need_readable(world: World, resource: str) -> SecretVersion:
    """Return the version of that id, or the current one of a secret, or refuse because its value may not be read.

    A value may be read while it is enabled, whatever `nbf` and `exp` say, as in Key Vault.
    """
    secret = SECRET.get(world, resource)
    version = resource if secret is None else secret_version_id(secret["id"], secret["currentVersion"])
    state = SECRET_VERSION.need(world, version, rule="secret-version-exists")
    need_secret(world, secret_of(state["id"]))
    if not state["attributes"]["enabled"]:
        raise Refused(
            f"secret version {state['id']} is disabled: enable it first", rule="secret-enabled", resource=state["id"]
        )
    return state


class SetSecret(Command):
    """Set the value of a secret: it becomes the current version, and the versions before stay."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/secrets/setSecret/action"

    vault_id: Id
    name: SecretName
    value: Secret
    content_type: ContentType | None = None
    tags: SecretTags | None = None
    enabled: bool = True
    nbf: UnixSeconds | None = None
    exp: UnixSeconds | None = None

    def scope(self) -> str:
        return secret_id(self.vault_id, self.name)

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        return (Sealing("value", SECRET_PURPOSE, secret_version_id(self.scope(), _version(fresh_id))),)


class UpdateSecretAttributes(Command):
    """Change what is given of a version; its value stays."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/secrets/update/action"

    id: Id
    content_type: ContentType | None = None
    tags: SecretTags | None = None
    enabled: bool | None = None
    nbf: UnixSeconds | None = None
    exp: UnixSeconds | None = None

    def scope(self) -> str:
        return secret_of(self.id)


def set_secret(world: World, now: str, prepared: Prepared, command: SetSecret) -> list[Event]:
    """The vault is there, its subscription is Enabled, and the secret is new or not deleted."""
    vault = need_writable_vault(world, command.vault_id)
    existing = SECRET.get(world, command.scope())
    if existing is not None:
        must_not_be_deleted(existing)
    secret = secret_id(vault["id"], command.name) if existing is None else existing["id"]
    version = _version(prepared.id)
    attributes = SecretAttributes(enabled=command.enabled, created=to_seconds(now), updated=to_seconds(now))
    _limit(attributes, command)
    _must_be_valid_some_time(secret, attributes)
    fields = SecretVersionFields(value=prepared.sealed["value"], attributes=attributes)
    if command.content_type is not None:
        fields["contentType"] = command.content_type
    if command.tags is not None:
        fields["tags"] = command.tags
    named = SecretCreated if existing is None else SecretChanged
    return [
        named(secret, CurrentVersion(currentVersion=version)),
        SecretVersionCreated(secret_version_id(secret, version), fields),
    ]


def update_secret_attributes(
    world: World, now: str, prepared: Prepared, command: UpdateSecretAttributes
) -> list[Event]:
    """The version exists, neither its secret nor its vault is deleted, and the subscription is Enabled."""
    version = SECRET_VERSION.need(world, command.id, rule="secret-version-exists")
    secret = need_secret(world, secret_of(version["id"]))
    need_writable_vault(world, vault_of(secret["id"]))
    changes = differing(SecretVersionChanges, version, command)
    attributes = version["attributes"].copy()
    _limit(attributes, command)
    if command.enabled is not None:
        attributes["enabled"] = command.enabled
    if not changes and attributes == version["attributes"]:
        return []
    _must_be_valid_some_time(version["id"], attributes)
    attributes["updated"] = to_seconds(now)
    changes["attributes"] = attributes
    return [SecretVersionChanged(version["id"], changes)]


def _version(fresh_id: str) -> str:
    return fresh_id.replace("-", "")


def _limit(attributes: SecretAttributes, command: SetSecret | UpdateSecretAttributes) -> None:
    """Put the validity that the command gives into the attributes."""
    if command.nbf is not None:
        attributes["nbf"] = command.nbf
    if command.exp is not None:
        attributes["exp"] = command.exp


def _must_be_valid_some_time(resource: str, attributes: SecretAttributes) -> None:
    if "nbf" in attributes and "exp" in attributes and attributes["exp"] <= attributes["nbf"]:
        raise Refused(
            f"{resource} would not be valid before {attributes['nbf']} nor from {attributes['exp']} on: correct one",
            rule="secret-validity",
            resource=resource,
        )


DECISIONS = {SetSecret: set_secret, UpdateSecretAttributes: update_secret_attributes}
KINDS = (SECRET_VERSION,)
