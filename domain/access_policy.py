"""Access policies: what a vault lets a principal, or an application on its behalf, do with what is in the vault."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, NotRequired

from pydantic import BaseModel, Field, with_config
from typing_extensions import TypedDict

from domain.command import Command, Guid
from domain.event import STRICT
from domain.object_id import ObjectId
from domain.resource_id import fold

ACCESS_POLICIES_MAX = 16

KeyPermission = Literal[
    "get", "list", "update", "create", "import", "delete", "recover", "backup", "restore", "purge",
    "encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify",
]  # fmt: skip
SecretPermission = Literal["get", "list", "set", "delete", "recover", "backup", "restore", "purge"]
CertificatePermission = Literal[
    "get", "list", "update", "create", "import", "delete", "recover", "purge",
    "managecontacts", "manageissuers", "getissuers", "listissuers", "setissuers", "deleteissuers",
]  # fmt: skip
StoragePermission = Literal[
    "get", "list", "set", "update", "delete", "recover", "backup", "restore", "purge", "regeneratekey",
    "getsas", "listsas", "setsas", "deletesas",
]  # fmt: skip

SECRET_PERMISSIONS: Mapping[str, SecretPermission] = {
    "Microsoft.KeyVault/vaults/secrets/getSecret/action": "get",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action": "list",
    "Microsoft.KeyVault/vaults/secrets/setSecret/action": "set",
    "Microsoft.KeyVault/vaults/secrets/update/action": "set",
    "Microsoft.KeyVault/vaults/secrets/delete": "delete",
    "Microsoft.KeyVault/vaults/secrets/recover/action": "recover",
    "Microsoft.KeyVault/vaults/secrets/purge/action": "purge",
}
"""The permission that each data action on a secret needs."""


@with_config(STRICT)
class PermissionFields(TypedDict):
    """Names as in Microsoft.KeyVault 2016-10-01, each list sorted and without repetition."""

    keys: list[str]
    secrets: list[str]
    certificates: list[str]
    storage: list[str]


@with_config(STRICT)
class AccessPolicy(TypedDict):
    """`applicationId` names an application that the principal must act through."""

    tenantId: str
    objectId: str
    applicationId: NotRequired[str]
    permissions: PermissionFields


class Permissions(BaseModel):
    """What is permitted, by the kind of object."""

    model_config = Command.model_config

    keys: Annotated[tuple[KeyPermission, ...], Field(strict=False)] = ()
    secrets: Annotated[tuple[SecretPermission, ...], Field(strict=False)] = ()
    certificates: Annotated[tuple[CertificatePermission, ...], Field(strict=False)] = ()
    storage: Annotated[tuple[StoragePermission, ...], Field(strict=False)] = ()


class AccessPolicyEntry(BaseModel):
    """An access policy as a command gives it; its tenant is the vault's."""

    model_config = Command.model_config

    object_id: ObjectId
    application_id: Guid | None = None
    permissions: Permissions


def access_policy(tenant_id: str, entry: AccessPolicyEntry) -> AccessPolicy:
    """Return the entry as a vault keeps it."""
    given = entry.permissions
    permissions = PermissionFields(
        keys=_sorted(given.keys),
        secrets=_sorted(given.secrets),
        certificates=_sorted(given.certificates),
        storage=_sorted(given.storage),
    )
    policy = AccessPolicy(tenantId=tenant_id, objectId=entry.object_id, permissions=permissions)
    if entry.application_id is not None:
        policy["applicationId"] = entry.application_id
    return policy


def holder(object_id: str, application_id: str | None) -> tuple[str, str]:
    """Return the identity by which a vault's policies are unique."""
    return fold(object_id), fold(application_id or "")


def holder_of(policy: AccessPolicy) -> tuple[str, str]:
    """Return the identity of a policy that a vault keeps."""
    return holder(policy["objectId"], policy.get("applicationId"))


def _sorted(permissions: Iterable[str]) -> list[str]:
    return sorted(set(permissions))
