"""PFX files: what is read from them, and how the bad ones are refused."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, load_der_private_key, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydantic import SecretStr

from domain.endpoint_certificate import ImportEndpointCertificate, endpoint_certificate_id
from domain.errors import Refused, Usage, WrongKey
from tests.domain.test_endpoint_certificate import deployed
from tests.infra.control_plane.x509.estate import PASSWORD, Estate, pfx, signed

PORTAL = endpoint_certificate_id("portal")
SERVER_AND_CLIENT = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)

SHA1_WITH_RSA = bytes.fromhex("06092a864886f70d010105")
SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")


class Authority:
    """A root, an intermediate, and a portal's certificate below them."""

    def __init__(self) -> None:
        root_key, self.intermediate_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = signed("CN=Public root", root_key)
        self.intermediate = signed("CN=Public CA", self.intermediate_key, self.root, root_key, algorithm=SHA384())
        self.key = rsa.generate_private_key(65537, 2048)
        self.leaf = self.portal()

    def portal(self, **changes: Any) -> x509.Certificate:
        fit = {
            "issuer_key": self.intermediate_key,
            "names": ("portal.east.cloud.example",),
            "extended": SERVER_AND_CLIENT,
            "usage": ("digital_signature", "key_encipherment"),
        }
        return signed("CN=portal", self.key, self.intermediate, **{**fit, **changes})

    def pfx(self, *others: x509.Certificate) -> str:
        return pfx(self.key, self.leaf, *others)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def estate() -> Estate:
    plane = Estate()
    plane.world = deployed().world
    plane.position = 1
    return plane


def importing(content: str, password: str = PASSWORD) -> ImportEndpointCertificate:
    return ImportEndpointCertificate(endpoint="portal", pfx=SecretStr(content), password=SecretStr(password))


def facts(content: str) -> Any:
    return estate().prepare(importing(content)).prepared.facts


def test_an_imported_certificate_is_kept_with_its_chain_in_the_order_of_signatures(authority: Authority) -> None:
    plane = estate()
    stranger = signed("CN=stranger", ec.generate_private_key(ec.SECP256R1()))
    plane.execute(importing(authority.pfx(stranger, authority.root, authority.intermediate)))
    state = plane.state(PORTAL)
    chain = [x509.load_pem_x509_certificate(pem.encode()) for pem in state["chain"]]
    assert chain == [authority.leaf, authority.intermediate, authority.root]
    assert state["subjectAlternativeNames"] == ["portal.east.cloud.example"]
    assert (state["subject"], state["issuer"], state["serialNumber"]) == ("CN=portal", "CN=Public CA", "1267")


def test_the_sealed_key_belongs_to_the_certificate(authority: Authority) -> None:
    plane = estate()
    plane.execute(importing(authority.pfx()))
    data = plane.open(plane.state(PORTAL)["privateKey"], "endpoint-private-key", PORTAL)
    assert load_der_private_key(data, None).public_key() == authority.leaf.public_key()


def test_base64_in_lines_is_read_too(authority: Authority) -> None:
    wrapped = base64.encodebytes(base64.b64decode(authority.pfx())).decode()
    assert facts(wrapped)["certificate"]["subject"] == "CN=portal"


def test_hashes_of_the_signatures_are_those_that_are_relied_on(authority: Authority) -> None:
    found = facts(authority.pfx(authority.intermediate, authority.root))
    assert found["signatureHashAlgorithms"] == ["sha256", "sha384"]


def test_usages_and_type_of_key_are_described(authority: Authority) -> None:
    found = facts(authority.pfx())
    assert found["keyUsage"] == ["digitalSignature", "keyEncipherment"]
    assert found["extendedKeyUsage"] == ["serverAuth", "clientAuth"]
    assert (found["publicKeyAlgorithm"], found["selfSigned"]) == ("RSA", False)


def test_a_certificate_that_states_no_usage_is_described_by_none() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    found = facts(pfx(key, signed("CN=bare", key)))
    assert (found["keyUsage"], found["extendedKeyUsage"]) == ([], [])
    assert found["certificate"]["subjectAlternativeNames"] == []
    assert (found["publicKeyAlgorithm"], found["selfSigned"]) == ("EC", True)


def test_a_self_signed_certificate_is_refused_whole() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Refused) as caught:
        estate().execute(importing(pfx(key, signed("CN=portal", key))))
    assert caught.value.rule == "certificate-not-self-signed"


def test_a_wrong_password_is_a_wrong_key_and_is_not_shown(authority: Authority) -> None:
    with pytest.raises(WrongKey, match="does not open") as caught:
        estate().prepare(importing(authority.pfx(), "guessed-password"))
    assert "guessed-password" not in str(caught.value)


def test_a_sha_1_signature_is_refused(authority: Authority) -> None:
    # No library signs with SHA-1 any more: the algorithm is renamed, in both places, from SHA-256 with RSA.
    certificate = authority.portal(issuer_key=authority.key)
    der = certificate.public_bytes(Encoding.DER)
    assert der.count(SHA256_WITH_RSA) == 2
    weak = x509.load_der_x509_certificate(der.replace(SHA256_WITH_RSA, SHA1_WITH_RSA))
    with pytest.raises(Refused) as caught:
        estate().execute(importing(pfx(authority.key, weak)))
    assert caught.value.rule == "certificate-signature-is-strong"


def test_a_pfx_in_triple_des_opens(authority: Authority) -> None:
    triple_des = (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(SHA1())
        .build(PASSWORD.encode())
    )
    content = pkcs12.serialize_key_and_certificates(b"x", authority.key, authority.leaf, None, triple_des)
    assert facts(base64.b64encode(content).decode())["certificate"]["subject"] == "CN=portal"


def test_what_is_no_pfx_does_not_open() -> None:
    with pytest.raises(WrongKey, match="does not open"):
        facts(base64.b64encode(b"no pfx").decode())


def test_what_is_no_base64_is_malformed() -> None:
    with pytest.raises(Usage, match="not base64"):
        facts("no base64!")


def test_a_pfx_without_its_private_key_is_malformed(authority: Authority) -> None:
    with pytest.raises(Usage, match="private key"):
        facts(pfx(None, authority.leaf))
