"""Vault access: may a principal use what is in a vault; only the vault's access policies decide that, never roles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from domain.access_policy import AccessPolicy
from domain.principal import principal_id
from domain.resource import World
from domain.resource_id import fold
from domain.vault_state import VAULT
from projections.access import everyone_in, find_principal, identities, is_disabled

Reason = Literal[
    "granted",
    "principal-unknown",
    "principal-disabled",
    "vault-unknown",
    "vault-deleted",
    "no-access-policy",
    "only-through-application",
]


@dataclass(frozen=True, slots=True)
class VaultDecision:
    """May the principal: `text` says it in words; `holder` is the object id that the deciding access policy names.

    `groups` are those through which the principal is that holder, from its own up.
    """

    allowed: bool
    reason: Reason
    text: str
    holder: str | None = None
    groups: tuple[str, ...] = ()


def vault_check(world: World, principal: str, permission: str, vault: str) -> VaultDecision:
    """Say whether the principal (an object id) has a permission such as `secrets/get` in the vault, and why."""
    found = find_principal(world, principal)
    state = VAULT.get(world, vault)
    if found is None:
        return VaultDecision(False, "principal-unknown", f"principal {principal} does not exist")
    if is_disabled(found):
        return VaultDecision(False, "principal-disabled", f"{found.kind} {principal} is disabled")
    if state is None:
        return VaultDecision(False, "vault-unknown", f"vault {vault} does not exist")
    if "deletionDate" in state:
        return VaultDecision(False, "vault-deleted", f"vault {vault} is deleted")
    policies = {fold(principal_id(p["objectId"])): p for p in _granting(state["accessPolicies"], permission)}
    for identity, groups in identities(world, found.id).items():
        if identity in policies:
            holder = policies[identity]["objectId"]
            return VaultDecision(True, "granted", f"the access policy of {holder} grants {permission}", holder, groups)
    for policy in _granting(state["accessPolicies"], permission, through_application=True):
        if fold(policy["objectId"]) == fold(principal):
            text = f"{principal} has {permission} only when it acts through application {policy['applicationId']}"
            return VaultDecision(False, "only-through-application", text, policy["objectId"])
    return VaultDecision(False, "no-access-policy", f"no access policy of vault {vault} gives {principal} {permission}")


def vault_who(world: World, permission: str, vault: str) -> list[str]:
    """Return the object ids of all users and service principals that have the permission in the vault, sorted."""
    state = VAULT.get(world, vault)
    policies = _granting(state["accessPolicies"], permission) if state is not None else ()
    candidates = {one for policy in policies for one in everyone_in(world, principal_id(policy["objectId"]))}
    return sorted(one for one in candidates if vault_check(world, one, permission, vault).allowed)


def _granting(
    policies: list[AccessPolicy], permission: str, *, through_application: bool = False
) -> Iterator[AccessPolicy]:
    """Yield the policies that name the permission, and name an application, or none."""
    kind, _, name = permission.casefold().partition("/")
    for policy in policies:
        named = cast(Mapping[str, Sequence[str]], policy["permissions"]).get(kind, ())
        if name in map(str.casefold, named) and ("applicationId" in policy) == through_application:
            yield policy
