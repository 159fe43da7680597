"""Certificates and PFX files of backup recipients, made for the tests."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    pkcs12,
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Backups of the region")])


@cache
def _keys(bits: int) -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(65_537, bits) for _ in range(2)]


def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One of two keys, always the same."""
    return _keys(bits)[number]


def certificate(
    key: PrivateKey | None = None,
    *,
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=365),
    usage: x509.KeyUsage | None = None,
) -> x509.Certificate:
    """A self-signed certificate, whose validity is counted from now."""
    key, now = key or rsa_key(), datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())


def usage(*, encipherment: bool) -> x509.KeyUsage:
    """A key usage with or without key encipherment."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def der(of: x509.Certificate) -> bytes:
    return of.public_bytes(Encoding.DER)


def pfx(of: x509.Certificate, key: PrivateKey | None = None, password: str | None = "correct horse") -> bytes:
    """A PFX of a certificate and a private key."""
    encryption: KeySerializationEncryption = NoEncryption()
    if password is not None:
        encryption = BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(b"backups", key or rsa_key(), of, None, encryption)
