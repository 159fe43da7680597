"""Certificates as facts: the same ones from every form, for applications and for federation trusts."""

import base64
from hashlib import sha1

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from domain.application import AddKeyCredential, CreateApplication
from domain.application_credential import key_credential_id
from domain.claims_provider_trust import (
    CreateClaimsProviderTrust,
    ReplaceClaimsProviderTrustCertificates,
    claims_provider_trust_id,
)
from domain.errors import Usage
from domain.instant import plus_days
from infra.control_plane.x509 import certificate_facts
from tests.domain.scenario import NOW
from tests.infra.control_plane.x509.estate import Estate, signed

GUID = "11111111-2222-4333-8444-555555555555"


def certificate(name: str = "CN=agent,O=Example") -> bytes:
    return signed(name, ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.DER)


def text(der: bytes) -> str:
    return base64.b64encode(der).decode()


def test_facts_are_the_same_from_pem_der_and_base64() -> None:
    der = certificate()
    base64_lines = base64.encodebytes(der)
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64_lines + b"-----END CERTIFICATE-----\n"
    expected = {
        "thumbprint": sha1(der).hexdigest().upper(),
        "notBefore": NOW,
        "notAfter": plus_days(NOW, 365),
        "subject": "CN=agent,O=Example",
    }
    assert [certificate_facts(form) for form in (der, base64_lines, pem)] == [expected] * 3


@pytest.mark.parametrize("data", [b"", b"nothing", b"MIIB", b"MII!", b"-----BEGIN CERTIFICATE-----\nMIIB\n"])
def test_what_is_no_certificate_is_malformed(data: bytes) -> None:
    with pytest.raises(Usage, match="cannot be read"):
        certificate_facts(data)


def test_a_key_credential_gets_the_facts_of_its_certificate() -> None:
    estate, der = Estate(), certificate()
    estate.given(CreateApplication(display_name="agent", app_id=GUID))
    estate.execute(AddKeyCredential(app_id=GUID, certificate=text(der), key_id=GUID))
    state = estate.state(key_credential_id(GUID, GUID))
    assert (state["thumbprint"], state["notAfter"]) == (sha1(der).hexdigest().upper(), plus_days(NOW, 365))


def test_a_trust_gets_the_facts_of_its_certificates_in_their_order() -> None:
    estate = Estate()
    first, second, third = (text(certificate(f"CN=signer {n}")) for n in range(3))
    trust = CreateClaimsProviderTrust(name="idp", certificates=(first, second), metadata_url="https://idp.example/m")
    estate.execute(trust)
    subjects = [c["subject"] for c in estate.state(claims_provider_trust_id("idp"))["certificates"]]
    assert subjects == ["CN=signer 0", "CN=signer 1"]
    estate.execute(ReplaceClaimsProviderTrustCertificates(name="idp", certificates=(third,)))
    assert [c["subject"] for c in estate.state(claims_provider_trust_id("idp"))["certificates"]] == ["CN=signer 2"]
