"""X.509: what certificate commands need made or read before they are decided, by command."""

from collections.abc import Mapping

from domain.application import AddKeyCredential
from domain.certificate_authority import CreateCertificateAuthority, RotateCertificateAuthority
from domain.claims_provider_trust import CreateClaimsProviderTrust, ReplaceClaimsProviderTrustCertificates
from domain.command import Command
from domain.endpoint_certificate import ImportEndpointCertificate
from domain.issued_certificate import IssueCertificate
from domain.revocation_list import PublishRevocationList
from infra.control_plane.x509.certificate import certificate_facts
from infra.control_plane.x509.pfx import prepare_import
from infra.control_plane.x509.preparation import OpenSealed, Preparation, Preparer
from infra.control_plane.x509.public import prepare_key_credential, prepare_trust
from infra.control_plane.x509.signing import prepare_certificate, prepare_revocation_list, prepare_root

__all__ = ["CERTIFICATE_PREPARERS", "OpenSealed", "Preparation", "Preparer", "certificate_facts"]

CERTIFICATE_PREPARERS: Mapping[type[Command], Preparer] = {
    CreateCertificateAuthority: prepare_root,
    RotateCertificateAuthority: prepare_root,
    IssueCertificate: prepare_certificate,
    PublishRevocationList: prepare_revocation_list,
    ImportEndpointCertificate: prepare_import,
    AddKeyCredential: prepare_key_credential,
    CreateClaimsProviderTrust: prepare_trust,
    ReplaceClaimsProviderTrustCertificates: prepare_trust,
}
