"""Public certificates of applications and identity providers: read, for the decisions that trust them."""

from domain.application import AddKeyCredential
from domain.claims_provider_trust import CreateClaimsProviderTrust, ReplaceClaimsProviderTrustCertificates
from domain.resource import World
from infra.control_plane.x509.certificate import certificate_facts
from infra.control_plane.x509.preparation import OpenSealed, Preparation


def prepare_key_credential(
    command: AddKeyCredential, world: World, now: str, open_sealed: OpenSealed, fresh_id: str
) -> Preparation:
    """Read the certificate."""
    return Preparation(dict(certificate_facts(command.certificate.encode())), {})


def prepare_trust(
    command: CreateClaimsProviderTrust | ReplaceClaimsProviderTrustCertificates,
    world: World,
    now: str,
    open_sealed: OpenSealed,
    fresh_id: str,
) -> Preparation:
    """Read the certificates, in their order."""
    return Preparation({"certificates": [certificate_facts(text.encode()) for text in command.certificates]}, {})
