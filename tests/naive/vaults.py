"""Naive vaults: vaults with access policies, secrets and their versions, and what deletion leaves of them."""

import re
from typing import Any

from tests.naive.deployment import DEPLOYMENT
from tests.naive.roles import assignments_on
from tests.naive.world import Json, World, given, must, parent, provided, same

FLAGS = ("enabledForDeployment", "enabledForDiskEncryption", "enabledForTemplateDeployment")


def need_enabled(world: World, resource_id: str) -> Json:
    """Return the subscription that an id begins with, which must be Enabled."""
    subscription = world.need("subscription", "/".join(resource_id.split("/")[:3]))
    must(subscription["state"] == "Enabled", "the subscription is Enabled")
    return subscription


def need_resource_group(world: World, resource_id: str) -> Json:
    """Return the resource group that an id begins with; it exists, in an Enabled subscription."""
    group = world.need("resource-group", "/".join(resource_id.split("/")[:5]))
    need_enabled(world, group["id"])
    return group


def need_vault(world: World, vault_id: str) -> Json:
    vault = world.need("vault", vault_id)
    must("deletionDate" not in vault, "the vault is not deleted")
    return vault


def remove(world: World, resource: Json) -> None:
    """Remove a vault, secret, version or resource group with all that is in it and all that is assigned on it."""
    parts = {"vault": "secret", "secret": "secret-version"}
    if resource["kind"] in parts:
        for part in world.inside(parts[resource["kind"]], resource["id"]):
            remove(world, part)
    world.delete(assignments_on(world, resource["id"]))
    world.delete([resource])


def delete(world: World, vault: Json) -> None:
    if not vault["enableSoftDelete"]:
        remove(world, vault)
        return
    world.delete(assignments_on(world, vault["id"]))
    vault["deletionDate"] = world.text()
    vault["scheduledPurgeDate"] = world.text(vault["softDeleteRetentionInDays"])


def must_be_purgeable(world: World, vault: Json) -> None:
    """Purge protection keeps a vault to the end of its retention, which begins when it is deleted."""
    is_over = "deletionDate" in vault and vault["scheduledPurgeDate"] <= world.text()
    must(is_over or not vault["enablePurgeProtection"], "purge protection no longer keeps the vault")


def holder(policy: Json) -> tuple[str, str]:
    return policy["objectId"].lower(), policy.get("applicationId", "").lower()


def policy_of(tenant: str, a: Json) -> Json:
    permissions = {
        kind: sorted(set(a["permissions"].get(kind, []))) for kind in ("keys", "secrets", "certificates", "storage")
    }
    return {"tenantId": tenant, **given(a, "objectId", "applicationId"), "permissions": permissions}


def check_policies(policies: list[Json]) -> None:
    must(len(policies) <= 16, "there are 16 access policies at most")
    must(len(set(map(holder, policies))) == len(policies), "one access policy for each principal and application")


def create_vault(world: World, a: Json, fresh: str) -> None:
    group = need_resource_group(world, a["resourceGroupId"])
    subscription = need_enabled(world, group["id"])
    names = [vault["id"].split("/")[-1] for vault in world.all("vault")]
    must(not any(same(name, a["name"]) for name in names), "no vault of the deployment, deleted or not, has the name")
    must(re.fullmatch(r"[A-Za-z](-?[0-9A-Za-z])+", a["name"]), "the name is a host name")
    tenant = str(a.get("tenantId", subscription["tenantId"]))
    policies = [policy_of(tenant, entry) for entry in a.get("accessPolicies", [])]
    check_policies(policies)
    soft, protected = a.get("enableSoftDelete", True), a.get("enablePurgeProtection", False)
    must(soft or not protected, "purge protection needs soft delete")
    inputs = world.need("deployment", DEPLOYMENT)["inputs"]
    fields = {
        **dict.fromkeys(FLAGS, False),
        **given(a, "location", "tags", *FLAGS),
        "tenantId": tenant,
        "sku": {"family": "A", "name": a.get("skuName", "standard")},
        "accessPolicies": policies,
        "vaultUri": f"https://{a['name'].lower()}.vault.{inputs['region']}.{inputs['externalDomainName']}/",
        "enableSoftDelete": soft,
        "enablePurgeProtection": protected,
        "softDeleteRetentionInDays": a.get("softDeleteRetentionInDays", 90),
        "createMode": "default",
    }
    world.create("vault", provided(a["resourceGroupId"], f"Microsoft.KeyVault/vaults/{a['name']}"), fields)


def update_vault(world: World, a: Json, fresh: str) -> None:
    vault = need_vault(world, a["id"])
    need_enabled(world, vault["id"])
    for name in ("enableSoftDelete", "enablePurgeProtection"):
        must(not vault[name] or a.get(name, True), "what protects from deletion is never switched off")
    days = a.get("softDeleteRetentionInDays", vault["softDeleteRetentionInDays"])
    must(not vault["enableSoftDelete"] or days == vault["softDeleteRetentionInDays"], "the retention stays")
    after = {**vault, **given(a, "enableSoftDelete", "enablePurgeProtection")}
    must(after["enableSoftDelete"] or not after["enablePurgeProtection"], "purge protection needs soft delete")
    if "skuName" in a:
        vault["sku"] = {"family": "A", "name": a["skuName"]}
    vault |= given(a, "tags", "enableSoftDelete", "enablePurgeProtection", "softDeleteRetentionInDays", *FLAGS)


def set_access_policy(world: World, a: Json, fresh: str) -> None:
    vault = need_vault(world, a["id"])
    need_enabled(world, vault["id"])
    policy = policy_of(vault["tenantId"], a)
    if policy not in vault["accessPolicies"]:
        policies = [*(other for other in vault["accessPolicies"] if holder(other) != holder(a)), policy]
        check_policies(policies)
        vault["accessPolicies"] = policies


def remove_access_policy(world: World, a: Json, fresh: str) -> None:
    vault = need_vault(world, a["id"])
    need_enabled(world, vault["id"])
    others = [policy for policy in vault["accessPolicies"] if holder(policy) != holder(a)]
    must(others != vault["accessPolicies"], "the access policy exists")
    vault["accessPolicies"] = others


def delete_vault(world: World, a: Json, fresh: str) -> None:
    delete(world, need_vault(world, a["id"]))


def recover_vault(world: World, a: Json, fresh: str) -> None:
    vault = world.need("vault", a["id"])
    if "deletionDate" in vault:
        need_resource_group(world, vault["id"])
        del vault["deletionDate"], vault["scheduledPurgeDate"]
        vault["createMode"] = "recover"


def purge_vault(world: World, a: Json, fresh: str) -> None:
    vault = world.need("vault", a["id"])
    must("deletionDate" in vault, "the vault is deleted")
    must_be_purgeable(world, vault)
    remove(world, vault)


# Secrets


def need_secret(world: World, secret_id: str) -> Json:
    """Return the secret, deleted or not, of a vault that is not deleted."""
    secret = world.need("secret", secret_id)
    need_vault(world, parent(secret["id"]))
    return secret


def check_validity(attributes: Json) -> None:
    if "nbf" in attributes and "exp" in attributes:
        must(attributes["nbf"] < attributes["exp"], "a version is valid for some time")


def set_secret(world: World, a: Json, fresh: str) -> None:
    vault = need_vault(world, a["vaultId"])
    need_enabled(world, vault["id"])
    secret_id = f"{vault['id']}/secrets/{a['name']}"
    secret = world.get("secret", secret_id)
    must(secret is None or "deletedDate" not in secret, "the secret is new or not deleted")
    now = world.seconds()
    attributes = {"enabled": a.get("enabled", True), **given(a, "nbf", "exp"), "created": now, "updated": now}
    check_validity(attributes)
    version = fresh.replace("-", "")
    if secret is None:
        world.create("secret", secret_id, {})
        secret = world.need("secret", secret_id)
    secret["currentVersion"] = version
    fields = {**given(a, "contentType", "tags"), "attributes": attributes}
    world.create("secret-version", f"{secret['id']}/versions/{version}", fields)


def update_secret_attributes(world: World, a: Json, fresh: str) -> None:
    version = world.need("secret-version", a["id"])
    must("deletedDate" not in need_secret(world, parent(version["id"])), "the secret is not deleted")
    need_enabled(world, version["id"])
    attributes = {**version["attributes"], **given(a, "enabled", "nbf", "exp")}
    after = {**version, **given(a, "contentType", "tags"), "attributes": attributes}
    check_validity(attributes)
    if after != version:
        attributes["updated"] = world.seconds()
        version |= after


def delete_secret(world: World, a: Json, fresh: str) -> None:
    secret = need_secret(world, a["id"])
    must("deletedDate" not in secret, "the secret is not deleted")
    vault = need_vault(world, parent(secret["id"]))
    if vault["enableSoftDelete"]:
        secret["deletedDate"] = world.seconds()
        secret["scheduledPurgeDate"] = world.seconds(vault["softDeleteRetentionInDays"])
    else:
        remove(world, secret)


def recover_secret(world: World, a: Json, fresh: str) -> None:
    secret = need_secret(world, a["id"])
    need_enabled(world, secret["id"])
    secret.pop("deletedDate", None)
    secret.pop("scheduledPurgeDate", None)


def purge_secret(world: World, a: Json, fresh: str) -> None:
    secret = need_secret(world, a["id"])
    must("deletedDate" in secret, "the secret is deleted")
    is_over = secret["scheduledPurgeDate"] <= world.seconds()
    must(is_over or not need_vault(world, parent(secret["id"]))["enablePurgeProtection"], "purge protection is over")
    remove(world, secret)


COMMANDS: dict[str, Any] = {
    "CreateVault": create_vault,
    "UpdateVault": update_vault,
    "SetAccessPolicy": set_access_policy,
    "RemoveAccessPolicy": remove_access_policy,
    "DeleteVault": delete_vault,
    "RecoverVault": recover_vault,
    "PurgeVault": purge_vault,
    "SetSecret": set_secret,
    "UpdateSecretAttributes": update_secret_attributes,
    "DeleteSecret": delete_secret,
    "RecoverSecret": recover_secret,
    "PurgeSecret": purge_secret,
}
