"""A control plane in memory whose commands are prepared and sealed for real, and an authority outside of it."""

import base64
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from domain.certificate_authority import CreateCertificateAuthority, KeyType, root_id
from domain.command import Command
from domain.control_plane import decide
from domain.event import Event
from domain.instant import to_datetime
from domain.sealed_value import SealedValue
from infra.control_plane.preparing import Preparation, prepare
from infra.keys.sealing import DataKey, unseal
from tests.domain.scenario import NOW, ControlPlane

ROOT = root_id("root-1")
PASSWORD = "correct horse"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Estate(ControlPlane):
    """A control plane with a keyring."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, DataKey] = {}

    def with_root(self, key_type: KeyType = "EC-P384") -> "Estate":
        """Create the first root."""
        command = CreateCertificateAuthority(
            name="root-1", subject="CN=Region root,O=Example", validity_days=3650, key_type=key_type
        )
        self.execute(command)
        return self

    def execute(self, command: Command) -> list[Event]:
        """Prepare, decide and apply a command."""
        return self.commit(command, self.prepare(command))

    def prepare(self, command: Command) -> Preparation:
        """Prepare a command."""
        preparation = prepare(command, self.world, self.now, self.open)
        self.keys.update({key.key_id: key for key in preparation.data_keys})
        return preparation

    def commit(self, command: Command, preparation: Preparation) -> list[Event]:
        """Decide a prepared command and apply its events."""
        events = decide(self.world, self.now, preparation.prepared, command)
        self.given(*events)
        return events

    def open(self, sealed: SealedValue, purpose: str, resource: str) -> bytes:
        """Return the plaintext of a sealed value."""
        return unseal(sealed, self.keys[sealed["keyId"]], purpose=purpose, resource=resource)

    def certificate(self, resource: str) -> x509.Certificate:
        """Return the certificate of a root or of an issued certificate."""
        return x509.load_pem_x509_certificate(self.state(resource)["certificate"].encode())


def signed(
    subject: str,
    key: PrivateKey,
    issuer: x509.Certificate | None = None,
    issuer_key: PrivateKey | None = None,
    *,
    names: tuple[str, ...] = (),
    algorithm: SHA256 | SHA384 | None = None,
    extended: tuple[x509.ObjectIdentifier, ...] = (),
    usage: tuple[str, ...] = (),
) -> x509.Certificate:
    """Return a certificate for one year from NOW, signed by itself if no issuer is given."""
    name = x509.Name.from_rfc4514_string(subject)
    begin = to_datetime(NOW)
    builder = x509.CertificateBuilder(
        issuer.subject if issuer else name, name, key.public_key(), 4711, begin, begin + timedelta(days=365)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if usage:
        builder = builder.add_extension(key_usage(*usage), critical=True)
    return builder.sign(issuer_key or key, algorithm or SHA256())


def key_usage(*usage: str) -> x509.KeyUsage:
    """Return the extension with these bits."""
    bits = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{bit: bit in usage for bit in bits.split()})


def pfx(key: PrivateKey | None, leaf: x509.Certificate | None, *others: x509.Certificate) -> str:
    """Return a PFX in base64."""
    encryption: Any = BestAvailableEncryption(PASSWORD.encode())
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"x", key, leaf, others, encryption)).decode()
