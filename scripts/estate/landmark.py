"""Landmarks: what everybody who was there knows of an estate, and looks for after a disaster."""

from dataclasses import dataclass

from scripts.estate import access, certificates, tenancy, vaults
from scripts.estate.draft import EXTERNAL_DOMAIN, REGION, Draft, upn


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Names, ids and passwords; `engineer` works through nested groups in a resource group of `tenant`."""

    operator: str
    operator_password: str
    tenant: str
    tenant_password: str
    other_tenant: str
    engineer: str
    subscription: str
    resource_group: str
    secret: str
    secret_value: str
    purged_secret: str
    certificate_subject: str
    root: str
    trust: str
    policy: str
    cores_limit: int


def landmarks(draft: Draft, secret_edition: int) -> Landmarks:
    """Return the landmarks of a written estate."""
    subscription, vault = draft.subscriptions[0], vaults.vaults(draft)[0]
    tenant, other = draft.tenants[:2]
    return Landmarks(
        operator=upn("operator-1"),
        operator_password=draft.password("operator-1"),
        tenant=upn(tenant),
        tenant_password=draft.password(tenant),
        other_tenant=upn(other),
        engineer=draft.engineers[0],
        subscription=subscription.id,
        resource_group=subscription.resource_group_id("main"),
        secret=f"{vault.id}/secrets/{vaults.LANDMARK_SECRET}",
        secret_value=vaults.secret_value(draft, vault, vaults.LANDMARK_SECRET, secret_edition),
        purged_secret=f"{vault.id}/secrets/{vaults.PURGED_SECRET}",
        certificate_subject=f"CN={certificates.LANDMARK_CERTIFICATE}.{REGION}.{EXTERNAL_DOMAIN}",
        root=certificates.FIRST_ROOT,
        trust="/providers/Resurgam.Federation/claimsProviderTrusts/head-office",
        policy=access.policy_id(access.LANDMARK_POLICY),
        cores_limit=2 * tenancy.SMALL_CORES,
    )
