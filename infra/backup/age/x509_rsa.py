"""X.509 recipients: certificates with RSA keys, and the PFX files of their private keys (docs/reference/age.md)."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain.backup_recipient import X509_PREFIX
from domain.errors import Corrupt, Usage, WrongKey
from infra.backup.age.header import Stanza

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12KeyAndCertificates
    from cryptography.x509 import Certificate
# At run time both are loaded where they are used: a deployment without certificates needs neither.

STANZA_TYPE = "resurgam/x509-rsa-oaep-sha256"
SECRET_PREFIX = b"resurgam-x509-secret-1\n"
KEY_BITS_MIN = 2048
KEY_BITS_MAX = 8192
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_PADDING = OAEP(MGF1(SHA256()), SHA256(), STANZA_TYPE.encode())


@dataclass(frozen=True, slots=True)
class X509Recipient:
    """`x509:` and the base64 of the certificate; `certificate` is its DER form. Only its public key is used."""

    certificate: bytes
    post_quantum: ClassVar[bool] = False

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            data = base64.b64decode(text.removeprefix(X509_PREFIX), validate=True)
        except ValueError as error:
            raise Usage(f"malformed recipient: {X509_PREFIX} is not followed by base64") from error
        return cls.of(data)

    @classmethod
    def of(cls, certificate: bytes) -> Self:
        """The recipient of a certificate in PEM or DER; Usage, saying why, if its key cannot be sealed to."""
        from cryptography import x509

        try:
            is_pem = b"-----BEGIN" in certificate
            found = (x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate)(certificate)
        except ValueError as error:
            raise Usage("certificate cannot be read: give it as PEM or DER") from error
        _check_key(found)
        _check_usage(found)
        return cls(found.public_bytes(Encoding.DER))

    def __str__(self) -> str:
        return X509_PREFIX + base64.b64encode(self.certificate).decode()

    def key_fingerprint(self) -> str:
        """See `recipient.fingerprint`."""
        key = self._public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha256(key).hexdigest()[:16]

    def wrap(self, file_key: bytes) -> Stanza:
        """See `recipient.Recipient`."""
        return Stanza(STANZA_TYPE, (self.key_fingerprint(),), self._public_key().encrypt(file_key, _PADDING))

    def _public_key(self) -> RSAPublicKey:
        from cryptography.x509 import load_der_x509_certificate

        key = load_der_x509_certificate(self.certificate).public_key()
        assert isinstance(key, RSAPublicKey)
        return key


@dataclass(frozen=True, slots=True)
class X509Identity:
    """The private key of a certificate."""

    private_key: RSAPrivateKey = field(repr=False)
    recipient: X509Recipient

    @property
    def seed(self) -> bytes:
        """The 32 bytes from which the keys of endorsements and attestations are derived, as from an age identity's."""
        numbers = self.private_key.private_numbers()
        size_bytes = (self.private_key.key_size + 7) // 8
        primes = (prime.to_bytes(size_bytes, "big") for prime in sorted((numbers.p, numbers.q)))
        return sha256(SECRET_PREFIX + b"".join(primes)).digest()

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """See `recipient.Identity`."""
        if stanza.type != STANZA_TYPE:
            return None
        if len(stanza.arguments) != 1 or not _FINGERPRINT.fullmatch(stanza.arguments[0]):
            raise Corrupt(f"age header is damaged: its {STANZA_TYPE} stanza names no key")
        if stanza.arguments[0] != self.recipient.key_fingerprint():
            return None
        if len(stanza.body) != (self.private_key.key_size + 7) // 8:
            raise Corrupt(f"age header is damaged: the body of its {STANZA_TYPE} stanza has not its key's size")
        try:
            return self.private_key.decrypt(stanza.body, _PADDING)
        except ValueError:
            raise Corrupt(
                f"age header is damaged: its {STANZA_TYPE} stanza is not what was sealed to its key"
            ) from None


def is_pfx(content: bytes) -> bool:
    """Whether a file may be a PFX (PKCS #12): a sequence in DER or BER whose first member is the version, 3."""
    if len(content) < 2 or content[0] != 0x30:
        return False
    begin = 2 + (content[1] & 0x7F if content[1] & 0x80 else 0)
    return content[begin : begin + 3] == b"\x02\x01\x03"


def open_pfx(content: bytes, password: Callable[[], bytes] | None, *, name: str) -> X509Identity:
    """The identity in a PFX; WrongKey if the password is not its own. Errors name the file, never what is in it."""
    found = _loaded(content, None) or _loaded(content, b"")
    if found is None:
        if password is None:
            raise Usage(f"identity file {name} is a PFX with a password, which nothing here can ask for")
        found = _loaded(content, password())
    if found is None:
        raise WrongKey(f"PFX {name} does not open: the password is another, or it is no whole PFX")
    if found.key is None or found.cert is None:
        raise Usage(f"PFX {name} does not hold a private key with its certificate: export both")
    try:
        recipient = X509Recipient.of(found.cert.certificate.public_bytes(Encoding.DER))
    except Usage as error:
        raise Usage(f"PFX {name}: {error}") from error
    assert isinstance(found.key, RSAPrivateKey)
    if found.key.public_key() != found.cert.certificate.public_key():
        raise Usage(f"PFX {name} holds a private key and the certificate of another")
    return X509Identity(found.key, recipient)


def _loaded(content: bytes, password: bytes | None) -> "PKCS12KeyAndCertificates | None":
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

    try:
        return load_pkcs12(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _check_key(certificate: "Certificate") -> None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Usage(
            "certificate has a key of an unknown kind: only RSA of 2048 bits or more can be sealed to"
        ) from error
    if not isinstance(key, RSAPublicKey):
        names = {"Ed25519": ed25519.Ed25519PublicKey, "Ed448": ed448.Ed448PublicKey}
        kind = next((name for name, one in names.items() if isinstance(key, one)), type(key).__name__)
        if isinstance(key, ec.EllipticCurvePublicKey):
            kind = f"EC ({key.curve.name})"
        raise Usage(
            f"certificate has a key of the kind {kind}: only RSA of {KEY_BITS_MIN} bits or more can be sealed to"
        )
    if not KEY_BITS_MIN <= key.key_size <= KEY_BITS_MAX:
        raise Usage(
            f"certificate has an RSA key of {key.key_size} bits: {KEY_BITS_MIN} to {KEY_BITS_MAX} bits can be sealed to"
        )


def _check_usage(certificate: "Certificate") -> None:
    from cryptography.x509 import ExtensionNotFound, KeyUsage

    try:
        usage = certificate.extensions.get_extension_for_class(KeyUsage).value
    except ExtensionNotFound:
        return
    except ValueError as error:
        raise Usage("certificate has extensions that cannot be read") from error
    if not (usage.key_encipherment or usage.data_encipherment):
        raise Usage("certificate is not for encryption: its key usage lacks keyEncipherment")
