"""Signing: certificates chain to their root, lists verify under it, and both follow RFC 5280."""

import base64
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from domain.certificate_authority import (
    CreateCertificateAuthority,
    RetireCertificateAuthority,
    RotateCertificateAuthority,
    root_id,
)
from domain.errors import Refused, Usage
from domain.instant import to_datetime
from domain.issued_certificate import IssueCertificate, RevokeCertificate
from domain.revocation_list import PublishRevocationList, revocation_list_id
from tests.infra.control_plane.x509.estate import ROOT, Estate

ROTATE = RotateCertificateAuthority(name="root-2", subject="CN=Region root 2", validity_days=3650, overlap_days=0)
PUBLISH = PublishRevocationList(root=ROOT)
CRL = revocation_list_id(ROOT)


def leaf(**changes: object) -> IssueCertificate:
    fields = {
        "subject": "CN=host",
        "subjectAlternativeNames": ["host.east.example", "*.pool.example", "192.0.2.7"],
        "validityDays": 90,
        "root": ROOT,
    }
    return IssueCertificate.model_validate({**fields, **changes})


def issue(estate: Estate, command: IssueCertificate | None = None) -> str:
    [event] = estate.execute(command or leaf())
    return event.resource


def verify(estate: Estate, certificate: x509.Certificate, root: str = ROOT) -> None:
    """Build and check the chain as a TLS client does."""
    policy = PolicyBuilder().store(Store([estate.certificate(root)])).time(to_datetime(estate.now))
    policy.build_server_verifier(x509.DNSName("host.east.example")).verify(certificate, [])


def published(estate: Estate) -> x509.CertificateRevocationList:
    estate.execute(PUBLISH)
    return x509.load_der_x509_crl(base64.b64decode(estate.state(CRL)["certificateRevocationList"]))


def test_a_root_has_the_profile_of_rfc_5280() -> None:
    estate = Estate().with_root()
    root = estate.certificate(ROOT)
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = root.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign) == (True, True, True)
    assert not usage.value.digital_signature
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert root.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == identifier
    state = estate.state(ROOT)
    assert state["subjectKeyIdentifier"] == identifier.hex()
    assert state["serialNumber"] == f"{root.serial_number:x}"
    assert state["subject"] == "CN=Region root,O=Example"
    assert (state["notBefore"], to_datetime(state["notAfter"])) == (estate.now, root.not_valid_after_utc)


def test_the_sealed_key_of_a_root_is_that_of_its_certificate() -> None:
    estate = Estate().with_root()
    key = load_der_private_key(estate.open(estate.state(ROOT)["privateKey"], "ca-private-key", ROOT), None)
    assert key.public_key() == estate.certificate(ROOT).public_key()


@pytest.mark.parametrize("key_type", ["EC-P384", "RSA-4096"])
def test_an_issued_certificate_chains_to_its_root(key_type: str) -> None:
    estate = Estate().with_root(key_type)  # type: ignore[arg-type]  # one of the two
    state = estate.state(issue(estate))
    verify(estate, x509.load_pem_x509_certificate(state["certificate"].encode()))
    assert state["subjectAlternativeNames"] == ["host.east.example", "*.pool.example", "192.0.2.7"]


def test_a_certificate_that_another_root_issued_does_not_chain() -> None:
    estate, other = Estate().with_root(), Estate().with_root()
    with pytest.raises(VerificationError):
        verify(other, estate.certificate(issue(estate)))


def test_an_issued_certificate_has_the_profile_of_rfc_5280() -> None:
    estate = Estate().with_root()
    extensions = estate.certificate(issue(estate, leaf(extendedKeyUsage=["clientAuth"]))).extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).critical
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert extensions.get_extension_for_class(x509.KeyUsage).critical
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    authority = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert authority is not None
    assert authority.hex() == estate.state(ROOT)["subjectKeyIdentifier"]


def test_a_generated_key_is_sealed_into_the_certificate_and_belongs_to_it() -> None:
    estate = Estate().with_root()
    certificate = issue(estate)
    sealed = estate.state(certificate)["privateKey"]
    key = load_der_private_key(estate.open(sealed, "endpoint-private-key", certificate), None)
    assert key.public_key() == estate.certificate(certificate).public_key()


def test_the_root_may_be_named_in_any_spelling() -> None:
    estate = Estate().with_root()
    certificate = issue(estate, leaf(root=ROOT.upper()))
    assert certificate.startswith(ROOT)
    assert estate.open(estate.state(certificate)["privateKey"], "endpoint-private-key", certificate)


def test_a_certificate_for_a_given_public_key_holds_no_private_one() -> None:
    estate = Estate().with_root()
    key = rsa.generate_private_key(65537, 2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    certificate = issue(estate, leaf(publicKey=pem, root=None))
    assert "privateKey" not in estate.state(certificate)
    issued = estate.certificate(certificate)
    assert issued.public_key() == key
    assert issued.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment


def test_of_a_signing_request_only_the_key_is_taken() -> None:
    estate = Estate().with_root()
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name.from_rfc4514_string("CN=somebody else")).sign(
        key, SHA256()
    )
    issued = estate.certificate(issue(estate, leaf(publicKey=request.public_bytes(Encoding.PEM).decode())))
    assert issued.public_key() == key.public_key()
    assert issued.subject.rfc4514_string() == "CN=host"


def test_a_certificate_without_alternative_names_has_no_such_extension() -> None:
    estate = Estate().with_root()
    issued = estate.certificate(issue(estate, leaf(subjectAlternativeNames=[])))
    with pytest.raises(x509.ExtensionNotFound):
        issued.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_a_malformed_subject_is_refused_by_name() -> None:
    with pytest.raises(Usage, match="'no name' is no name"):
        Estate().execute(CreateCertificateAuthority(name="root-1", subject="no name", validity_days=1))


def test_preparing_from_a_root_that_may_not_sign_is_refused_like_the_decision() -> None:
    estate = Estate()
    with pytest.raises(Refused) as caught:
        estate.prepare(leaf())
    assert caught.value.rule == "root-exists"
    estate.with_root().execute(ROTATE)
    with pytest.raises(Refused) as caught:
        estate.prepare(leaf())
    assert caught.value.rule == "root-is-active"


def test_a_certificate_signed_before_a_rotation_and_decided_after_it_is_refused() -> None:
    estate = Estate().with_root()
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    command = leaf(publicKey=pem, root=None)
    preparation = estate.prepare(command)
    estate.execute(ROTATE)
    with pytest.raises(Refused) as caught:
        estate.commit(command, preparation)
    assert caught.value.rule == "root-unchanged-since-signing"


def test_during_the_overlap_certificates_of_both_roots_chain() -> None:
    estate = Estate().with_root()
    before = estate.certificate(issue(estate))
    estate.execute(ROTATE)
    second = root_id("root-2")
    after = estate.certificate(issue(estate, leaf(root=second)))
    verify(estate, before, ROOT)
    verify(estate, after, second)


def test_after_retirement_a_certificate_still_chains_to_the_kept_root() -> None:
    estate = Estate().with_root()
    before = estate.certificate(issue(estate))
    estate.execute(ROTATE)
    estate.execute(RetireCertificateAuthority(id=ROOT))
    assert "privateKey" not in estate.state(ROOT)
    verify(estate, before)


def test_a_list_verifies_under_its_root_and_names_what_is_revoked() -> None:
    estate = Estate().with_root()
    revoked, silent, valid = issue(estate), issue(estate), issue(estate)
    estate.execute(RevokeCertificate(id=revoked, reason="keyCompromise"))
    estate.execute(RevokeCertificate(id=silent))
    crl = published(estate)
    assert crl.is_signature_valid(estate.certificate(ROOT).public_key())  # type: ignore[arg-type]  # a key that signs
    entry = crl.get_revoked_certificate_by_serial_number(estate.certificate(revoked).serial_number)
    assert entry is not None
    assert entry.revocation_date_utc == to_datetime(estate.now)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.key_compromise
    unspecified = crl.get_revoked_certificate_by_serial_number(estate.certificate(silent).serial_number)
    assert unspecified is not None
    assert not list(unspecified.extensions)
    assert crl.get_revoked_certificate_by_serial_number(estate.certificate(valid).serial_number) is None
    assert crl.next_update_utc == to_datetime(estate.now) + timedelta(days=7)


def test_list_numbers_rise_and_are_not_critical() -> None:
    estate = Estate().with_root()
    numbers = [published(estate).extensions.get_extension_for_class(x509.CRLNumber) for _ in range(3)]
    assert [(number.value.crl_number, number.critical) for number in numbers] == [(1, False), (2, False), (3, False)]


def test_a_list_signed_before_a_revocation_and_decided_after_it_is_refused() -> None:
    estate = Estate().with_root()
    certificate = issue(estate)
    preparation = estate.prepare(PUBLISH)
    estate.execute(RevokeCertificate(id=certificate))
    with pytest.raises(Refused) as caught:
        estate.commit(PUBLISH, preparation)
    assert caught.value.rule == "revocations-unchanged-since-signing"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_accepts_a_certificate_until_the_list_names_it(tmp_path: Path) -> None:
    estate = Estate().with_root()
    good, bad = issue(estate), issue(estate)
    estate.execute(RevokeCertificate(id=bad, reason="superseded"))
    root, crl = tmp_path / "root.pem", tmp_path / "crl.pem"
    root.write_text(estate.state(ROOT)["certificate"])
    crl.write_bytes(published(estate).public_bytes(Encoding.PEM))
    at = str(int(to_datetime(estate.now).timestamp()))

    def openssl(certificate: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "leaf.pem"
        path.write_text(estate.state(certificate)["certificate"])
        options = ["-x509_strict", "-crl_check", "-attime", at, "-CAfile", str(root), "-CRLfile", str(crl)]
        command = ["openssl", "verify", *options, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert openssl(good).returncode == 0, openssl(good).stderr
    assert "certificate revoked" in openssl(bad).stderr
