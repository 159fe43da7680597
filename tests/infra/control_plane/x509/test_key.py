"""Keys: which are certified, and how the others are refused."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from domain.errors import Corrupt, Usage
from infra.control_plane.x509.key import from_pkcs8, generate, load_public_key, to_pkcs8


def pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_generated_key_survives_its_pkcs8_form() -> None:
    key = generate("EC-P384")
    assert from_pkcs8(to_pkcs8(key)).public_key() == key.public_key()


def test_what_is_no_pkcs8_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="no PKCS #8"):
        from_pkcs8(b"nothing")


def test_a_sealed_key_of_another_kind_is_corrupt() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(Corrupt, match="neither RSA nor EC"):
        from_pkcs8(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_a_nist_curve_is_certified(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve).public_key()
    assert load_public_key(pem(key)) == key


def test_2048_bits_of_rsa_are_certified_and_1024_are_not() -> None:
    enough = rsa.generate_private_key(65537, 2048).public_key()
    assert load_public_key(pem(enough)) == enough
    with pytest.raises(Usage, match="2048 bits"):
        load_public_key(pem(rsa.generate_private_key(65537, 1024).public_key()))


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256K1()).public_key(), ed25519.Ed25519PrivateKey.generate().public_key()]
)
def test_other_kinds_are_not_certified(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> None:
    with pytest.raises(Usage, match="no kind that is certified"):
        load_public_key(pem(key))


@pytest.mark.parametrize("text", ["", "nothing", "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE REQUEST-----"])
def test_what_is_no_key_is_malformed(text: str) -> None:
    with pytest.raises(Usage, match="cannot be read"):
        load_public_key(text)


def test_a_request_that_its_key_did_not_sign_is_refused() -> None:
    builder = x509.CertificateSigningRequestBuilder(x509.Name.from_rfc4514_string("CN=host"))
    request = builder.sign(rsa.generate_private_key(65537, 2048), SHA256())
    der = bytearray(request.public_bytes(Encoding.DER))
    der[-1] ^= 1
    forged = x509.load_der_x509_csr(bytes(der))
    with pytest.raises(Usage, match="not signed by the key"):
        load_public_key(forged.public_bytes(Encoding.PEM).decode())
