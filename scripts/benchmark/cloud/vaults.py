"""Vaults: secrets that are set, rotated, deleted, recovered and purged, each value sealed under a key of its own."""

from scripts.benchmark.cloud.identity import Identity
from scripts.benchmark.cloud.installation import DOMAIN, REGION, Installation
from scripts.benchmark.cloud.scribe import Resource, Scribe
from scripts.benchmark.cloud.tenancy import Tenancy

VERSIONS_PURGED_MAX = 3
RETENTION_S = 90 * 24 * 3600
PERMISSIONS = '{"certificates":[],"keys":[],"secrets":["get","list"],"storage":[]}'
KINDS = ("database", "token", "storage-account", "signing", "pipeline", "backup")


class Vaults:
    """A tenth of all events are new versions of secrets; nearly all of them stay."""

    def __init__(self, scribe: Scribe, installation: Installation, identity: Identity, tenancy: Tenancy) -> None:
        self._scribe = scribe
        self._tenant = installation.tenant
        self._identity = identity
        self._tenancy = tenancy
        self._vaults: list[Resource] = []
        self._secrets: list[Resource] = []
        self._deleted: list[Resource] = []
        self._versions: list[Resource] = []
        for _ in range(8):
            self.create_vault()
            self.set_new_secret()
        self.actions = (
            (4, self.create_vault), (8, self.change_policies), (15, self.tag_vault), (30, self.set_new_secret),
            (70, self.rotate), (15, self.change_version), (7, self.delete), (4, self.recover), (2.5, self.purge),
        )  # fmt: skip

    def create_vault(self) -> None:
        """Create a vault that two principals may read."""
        scribe = self._scribe
        group, name = scribe.any(self._tenancy.resource_groups), f"vault-{len(self._vaults)}"
        vault = Resource(f"{group.id}/providers/Microsoft.KeyVault/vaults/{name}", name=name)
        group.parts.append(vault)
        payload = (
            f'{{"accessPolicies":{self._policies()},"createMode":"default","enablePurgeProtection":false,'
            '"enableSoftDelete":true,"enabledForDeployment":false,"enabledForDiskEncryption":false,'
            f'"enabledForTemplateDeployment":false,"location":"{REGION}","sku":{{"family":"A","name":"standard"}},'
            f'"softDeleteRetentionInDays":90,"tenantId":"{self._tenant}",'
            f'"vaultUri":"https://{name}.vault.{REGION}.{DOMAIN}/"}}'
        )
        scribe.write("CreateVault", ("vault.created", vault, payload))
        self._vaults.append(vault)

    def change_policies(self) -> None:
        """Let others read a vault."""
        payload = f'{{"accessPolicies":{self._policies()}}}'
        self._scribe.write("SetAccessPolicy", ("vault.changed", self._scribe.pick(self._vaults), payload))

    def tag_vault(self) -> None:
        """Replace the tags of a vault."""
        payload = f'{{"tags":{{"cost-centre":"{self._scribe.random.getrandbits(20)}"}}}}'
        self._scribe.write("UpdateVault", ("vault.changed", self._scribe.pick(self._vaults), payload))

    def set_new_secret(self) -> None:
        """Set the first value of a secret."""
        vault = self._scribe.any(self._vaults)
        name = f"{KINDS[len(self._secrets) % len(KINDS)]}-{self._scribe.position}"
        secret = Resource(f"{vault.id}/secrets/{name}", name=name)
        self._set(secret, "secret.created")
        self._secrets.append(secret)

    def rotate(self) -> None:
        """Set another value of a secret."""
        self._set(self._scribe.pick(self._secrets), "secret.changed")

    def change_version(self) -> None:
        """Let a version run out sooner or later."""
        version, now = self._scribe.pick(self._versions), self._scribe.seconds
        payload = (
            f'{{"attributes":{{"created":{now},"enabled":true,"exp":{now + RETENTION_S},"updated":{now}}},'
            f'"contentType":"text/plain"}}'
        )
        if version.key:
            self._scribe.write("UpdateSecretAttributes", ("secret-version.changed", version, payload))

    def delete(self) -> None:
        """Delete a secret, which can be recovered."""
        if len(self._secrets) > 1:
            now, secret = self._scribe.seconds, self._scribe.take(self._secrets)
            payload = f'{{"deletedDate":{now},"scheduledPurgeDate":{now + RETENTION_S}}}'
            self._scribe.write("DeleteSecret", ("secret.deleted", secret, payload))
            self._deleted.append(secret)

    def recover(self) -> None:
        """Recover a deleted secret."""
        if self._deleted:
            secret = self._scribe.take(self._deleted)
            self._scribe.write("RecoverSecret", ("secret.recovered", secret, "{}"))
            self._secrets.append(secret)

    def purge(self) -> None:
        """Purge a deleted secret with few versions, whose values are thereby destroyed."""
        if self._deleted and len(self._deleted[-1].parts) <= VERSIONS_PURGED_MAX:
            secret = self._deleted.pop()
            for event, version in enumerate(secret.parts, 1):
                self._scribe.shred(version, event=event)
            gone = [("secret-version.purged", version, "{}") for version in secret.parts]
            self._scribe.write("PurgeSecret", *gone, ("secret.purged", secret, "{}"))

    def _set(self, secret: Resource, event: str) -> None:
        scribe = self._scribe
        digits = scribe.random.randbytes(16).hex()
        version = Resource(f"{secret.id}/versions/{digits}", digits)
        sealed = scribe.seal(version, "secret-value", 16 + scribe.position % 112, event=2)
        payload = (
            f'{{"attributes":{{"created":{scribe.seconds},"enabled":true,"updated":{scribe.seconds}}},'
            f'"contentType":"text/plain","value":{sealed}}}'
        )
        current = f'{{"currentVersion":"{digits}"}}'
        scribe.write("SetSecret", (event, secret, current), ("secret-version.created", version, payload))
        secret.parts.append(version)
        self._versions.append(version)

    def _policies(self) -> str:
        first, second = self._scribe.any(self._identity.groups), self._scribe.any(self._identity.service_principals)
        entries = (
            f'{{"objectId":"{holder.guid}","permissions":{PERMISSIONS},"tenantId":"{self._tenant}"}}'
            for holder in (first, second)
        )
        return f"[{','.join(entries)}]"
