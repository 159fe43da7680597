"""Secrets: names in a vault under which versions of a value are kept, and how they are deleted, recovered and purged.

A deleted secret keeps its name and its versions until it is recovered or purged; a purge takes every version, and with
the sealed values their keys. In a subscription that is not Enabled secrets can only be read, deleted and purged.
"""

from collections.abc import Iterable
from typing import Annotated, ClassVar, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Id, Prepared
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, Payload, State, changed, created, deleted
from domain.instant import plus_days, to_seconds
from domain.removal import removed
from domain.resource import Kind, Link, World
from domain.vault_state import need_vault, need_writable_vault

SecretName = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,127}$")]


@with_config(STRICT)
class CurrentVersion(TypedDict):
    """The 32 hex digits of the version that the secret's name stands for."""

    currentVersion: str


@with_config(STRICT)
class SecretDeletion(TypedDict):
    """Names as in Key Vault's DeletedSecretBundle, in seconds since 1970."""

    deletedDate: int
    scheduledPurgeDate: int


class SecretState(CurrentVersion):
    """The state of a secret; the last two fields are there while it is deleted."""

    id: str
    deletedDate: NotRequired[int]
    scheduledPurgeDate: NotRequired[int]


def _recovered(state: State | None, resource: str, payload: Payload) -> State:
    before = changed(state, resource, {})
    return {name: value for name, value in before.items() if name not in SecretDeletion.__annotations__}


SecretCreated = EventType("secret.created", CurrentVersion, created)
SecretChanged = EventType("secret.changed", CurrentVersion, changed)
SecretDeleted = EventType("secret.deleted", SecretDeletion, changed)
SecretRecovered = EventType("secret.recovered", Nothing, _recovered)
SecretPurged = EventType("secret.purged", Nothing, deleted)


def _links(state: SecretState) -> Iterable[Link]:
    yield "vault", vault_of(state["id"])


SECRET = Kind[SecretState](
    "secret",
    "vaults",
    "secret",
    (SecretCreated, SecretChanged, SecretDeleted, SecretRecovered, SecretPurged),
    _links,
    state=SecretState,
)


def secret_id(vault: str, name: str) -> str:
    """Return `{vault id}/secrets/{name}`."""
    return resource_id.child(vault, "secrets", name)


def vault_of(secret: str) -> str:
    """Return the id of the vault that a secret's id begins with."""
    return secret.rsplit("/", 2)[0]


def must_not_be_deleted(secret: SecretState) -> None:
    """Refuse if the secret is deleted."""
    if "deletedDate" in secret:
        raise Refused(
            f"secret {secret['id']} is deleted: recover or purge it first",
            rule="secret-not-deleted",
            resource=secret["id"],
        )


def need_secret(world: World, secret: str) -> SecretState:
    """Return the secret of that id, or refuse because it does not exist, or it or its vault is deleted."""
    state = _need_kept(world, secret)
    must_not_be_deleted(state)
    return state


class SecretCommand(Command):
    """A command on one secret."""

    id: Id

    def scope(self) -> str:
        return self.id


class DeleteSecret(SecretCommand):
    """Delete a secret; it can be recovered if its vault has soft delete, and else is gone with all its versions."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/secrets/delete"


class RecoverSecret(SecretCommand):
    """Undo the deletion of a secret."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/secrets/recover/action"


class PurgeSecret(SecretCommand):
    """Remove a deleted secret for good; none of its values can ever be read again."""

    action: ClassVar[str] = "Microsoft.KeyVault/vaults/secrets/purge/action"


def delete_secret(world: World, now: str, prepared: Prepared, command: DeleteSecret) -> list[Event]:
    """The secret exists and is not deleted."""
    secret = need_secret(world, command.id)["id"]
    vault = need_vault(world, vault_of(secret))
    if not vault["enableSoftDelete"]:
        return removed(world, secret)
    purge_date = plus_days(now, vault["softDeleteRetentionInDays"])
    deletion = SecretDeletion(deletedDate=to_seconds(now), scheduledPurgeDate=to_seconds(purge_date))
    return [SecretDeleted(secret, deletion)]


def recover_secret(world: World, now: str, prepared: Prepared, command: RecoverSecret) -> list[Event]:
    """The secret is not purged, and its subscription is Enabled; one that is not deleted stays as it is."""
    secret = _need_kept(world, command.id)
    need_writable_vault(world, vault_of(secret["id"]))
    return [SecretRecovered(secret["id"], Nothing())] if "deletedDate" in secret else []


def purge_secret(world: World, now: str, prepared: Prepared, command: PurgeSecret) -> list[Event]:
    """The secret is deleted, and the vault's purge protection no longer keeps it."""
    secret = _need_kept(world, command.id)
    if "scheduledPurgeDate" not in secret:
        raise Refused(
            f"secret {secret['id']} is not deleted: delete it first", rule="secret-deleted", resource=secret["id"]
        )
    vault = need_vault(world, vault_of(secret["id"]))
    if vault["enablePurgeProtection"] and to_seconds(now) < secret["scheduledPurgeDate"]:
        raise Refused(
            f"vault {vault['id']} has purge protection: secret {secret['id']} can be purged from second "
            f"{secret['scheduledPurgeDate']} since 1970 on",
            rule="purge-protection",
            resource=secret["id"],
        )
    return removed(world, secret["id"])


def _need_kept(world: World, secret: str) -> SecretState:
    """Return the secret, deleted or not, of a vault that is not deleted."""
    state = SECRET.need(world, secret, rule="secret-exists")
    need_vault(world, vault_of(state["id"]))
    return state


DECISIONS = {DeleteSecret: delete_secret, RecoverSecret: recover_secret, PurgeSecret: purge_secret}
KINDS = (SECRET,)
