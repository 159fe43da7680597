"""The vaults of an estate: vaults, who may use them, and secrets that are rotated, deleted, recovered and purged."""

from collections.abc import Sequence

from scripts.estate.draft import REGION, Draft, Subscription, Vault

READ = {"secrets": ["get", "list"]}
WRITE = {"secrets": ["get", "list", "set", "delete"], "keys": ["get", "list", "sign"]}
LANDMARK_SECRET = "database-password"  # noqa: S105, it names a secret
PURGED_SECRET = "retired-token"  # noqa: S105, it names a secret


def begin(draft: Draft) -> None:
    """Write the vaults of the base. The first one stands in the first tenant's subscription."""
    for number in range(1, draft.count(130, least=6) + 1):
        _create_vault(draft, number, draft.subscriptions[(number - 1) % len(draft.subscriptions)])
    first, *others = vaults(draft)
    draft.remembered[LANDMARK_SECRET] = set_secret(draft, first, LANDMARK_SECRET, "first value")
    set_secret(draft, first, PURGED_SECRET, "first value")
    for number in range(1, draft.count(480, least=12) + 1):
        set_secret(draft, draft.random.choice(others), f"secret-{number}", "a service needs it")
    set_secret(draft, first, LANDMARK_SECRET, "rotation", edition=2)
    for edition in range(2, 4):
        _rotate(draft, others, draft.count(100), edition)
    _purge_secret(draft, first, PURGED_SECRET)
    _delete_secrets(draft, others)
    _delete_vaults(draft)


def go_on(draft: Draft) -> None:
    """Write a week of changes; versions are known by what `record` answered."""
    first, *others = vaults(draft)
    set_secret(draft, first, LANDMARK_SECRET, "rotation", edition=3)
    _rotate(draft, others, draft.count(40), edition=4)
    for changed in draft.changed(LANDMARK_SECRET):
        if "/versions/" in changed:
            draft.add("UpdateSecretAttributes", "superseded", id=changed, contentType="text/plain; superseded")
    for vault in draft.some(others, draft.count(12)):
        draft.add(
            "SetAccessPolicy", "on call", id=vault.id, objectId=draft.random.choice(draft.teams), permissions=WRITE
        )


def vaults(draft: Draft) -> list[Vault]:
    """Return all vaults, the first tenant's first."""
    return [vault for subscription in draft.subscriptions for vault in subscription.vaults]


def secret_value(draft: Draft, vault: Vault, name: str, edition: int) -> str:
    """Return the value that a secret has in an edition."""
    return draft.password(f"{vault.id}/{name}/{edition}")


def set_secret(draft: Draft, vault: Vault, name: str, reason: str, *, edition: int = 1) -> str:
    """Write a value of a secret and return the command id."""
    if name not in vault.secrets:
        vault.secrets.append(name)
    return draft.add("SetSecret", reason, vaultId=vault.id, name=name, value=secret_value(draft, vault, name, edition),
                     contentType="text/plain", tags={"edition": str(edition)}, exp=2_082_758_400)  # fmt: skip


def _create_vault(draft: Draft, number: int, subscription: Subscription) -> None:
    group = subscription.resource_group_id("main")
    name = f"vault-{draft.seed}-{number}"
    is_protected = number % 5 == 4
    policies = [{"objectId": who, "permissions": READ} for who in draft.some(draft.teams, number % 3 + 1)]
    draft.add("CreateVault", "secrets of an application", resourceGroupId=group, name=name, location=REGION,
              accessPolicies=policies, enablePurgeProtection=is_protected,
              enabledForDeployment=number % 2 == 0)  # fmt: skip
    vault = Vault(f"{group}/providers/Microsoft.KeyVault/vaults/{name}", not is_protected)
    subscription.vaults.append(vault)
    service_principal = draft.random.choice(draft.service_principals)
    draft.add(
        "SetAccessPolicy", "an application reads its secrets", id=vault.id, objectId=service_principal, permissions=READ
    )
    if number % 10 == 0:
        draft.add("RemoveAccessPolicy", "no longer needed", id=vault.id, objectId=service_principal)
        draft.add("UpdateVault", "compliance", id=vault.id, enablePurgeProtection=True, tags={"compliance": "yes"})
        vault.is_purgeable = False


def _rotate(draft: Draft, among: Sequence[Vault], count: int, edition: int) -> None:
    secrets = [(vault, name) for vault in among for name in vault.secrets]
    for vault, name in draft.some(secrets, count):
        set_secret(draft, vault, name, "rotation", edition=edition)


def _purge_secret(draft: Draft, vault: Vault, name: str) -> None:
    secret = f"{vault.id}/secrets/{name}"
    draft.add("DeleteSecret", "no longer in use", id=secret)
    draft.add("PurgeSecret", "nobody may read it again", id=secret)
    vault.secrets.remove(name)


def _delete_secrets(draft: Draft, among: Sequence[Vault]) -> None:
    """Delete some secrets; then recover a few of them, purge a few, and leave the rest deleted."""
    secrets = [(vault, name) for vault in among if vault.is_purgeable for name in vault.secrets]
    for number, (vault, name) in enumerate(draft.some(secrets, draft.count(40, least=3))):
        if number % 3 == 0:
            _purge_secret(draft, vault, name)
            continue
        draft.add("DeleteSecret", "no longer in use", id=f"{vault.id}/secrets/{name}")
        if number % 3 == 1:
            draft.add("RecoverSecret", "still in use after all", id=f"{vault.id}/secrets/{name}")
        else:
            vault.secrets.remove(name)


def _delete_vaults(draft: Draft) -> None:
    """Delete the last vaults that may be purged: one of them comes back, and the others are purged."""
    purgeable = [vault for vault in vaults(draft)[1:] if vault.is_purgeable]
    for number, vault in enumerate(purgeable[-draft.count(6, least=2) :]):
        draft.add("DeleteVault", "the application is gone", id=vault.id)
        if number == 0:
            draft.add("RecoverVault", "it is not", id=vault.id)
            continue
        draft.add("PurgeVault", "the application is gone", id=vault.id)
        for subscription in draft.subscriptions:
            if vault in subscription.vaults:
                subscription.vaults.remove(vault)
