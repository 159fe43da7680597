"""An external certificate authority, and certificates of others, made on the fly; valid from 2025 to 2040."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scripts.estate.draft import EXTERNAL_DOMAIN, REGION, Draft

NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2040, 1, 1, tzinfo=UTC)
AUTHORITY = "Sample external authority"


def public_key_pem(draft: Draft, name: str) -> str:
    """Return the public key that stands for a name."""
    return _key(draft, name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def self_signed(draft: Draft, name: str) -> str:
    """Return a certificate of that name as base64 of DER."""
    key = _key(draft, name)
    certificate = _builder(draft, name, name, key.public_key()).sign(key, SHA256(), ecdsa_deterministic=True)
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")


def endpoint_pfx(draft: Draft, names: Sequence[str], password: str, *, edition: int = 1) -> str:
    """Return base64 of a PFX with a certificate for these names below the region's domain, and its chain."""
    domain = f"{REGION}.{EXTERNAL_DOMAIN}"
    subject = f"{names[0]}.{domain}"
    key, issuer_key = _key(draft, f"{subject}/{edition}"), _key(draft, AUTHORITY)
    usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
    certificate = (
        _builder(draft, subject, AUTHORITY, key.public_key(), f"{subject}/{edition}")
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(f"{name}.{domain}") for name in names]), critical=False
        )
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(issuer_key, SHA256(), ecdsa_deterministic=True)
    )
    encryption = BestAvailableEncryption(password.encode())
    pfx = serialize_key_and_certificates(subject.encode(), key, certificate, [_root(draft)], encryption)
    return base64.b64encode(pfx).decode("ascii")


@cache
def _root(draft: Draft) -> x509.Certificate:
    key = _key(draft, AUTHORITY)
    builder = _builder(draft, AUTHORITY, AUTHORITY, key.public_key())
    basic = x509.BasicConstraints(ca=True, path_length=0)
    return builder.add_extension(basic, critical=True).sign(key, SHA256(), ecdsa_deterministic=True)


def _key(draft: Draft, name: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int(draft.guid(f"private-key/{name}").replace("-", ""), 16), ec.SECP256R1())


def _builder(
    draft: Draft, subject: str, issuer: str, key: ec.EllipticCurvePublicKey, serial_of: str | None = None
) -> x509.CertificateBuilder:
    serial_number = int(draft.guid(f"serial/{serial_of or subject}").replace("-", ""), 16)
    return x509.CertificateBuilder(_name(issuer), _name(subject), key, serial_number, NOT_BEFORE, NOT_AFTER)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
