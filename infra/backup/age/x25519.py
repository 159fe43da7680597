"""The classical age recipient, `X25519`, and its identity (C2SP age, "The X25519 recipient type")."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from domain.errors import Corrupt, Usage
from infra.backup.age import bech32, hkdf
from infra.backup.age.header import Stanza, encode_base64

KEY_BYTES = 32
_STANZA_TYPE = "X25519"
_INFO = b"age-encryption.org/v1/X25519"
_NONCE = bytes(12)  # A wrap key is used once: its share is new in every stanza.
_RECIPIENT_PREFIX = "age"
_IDENTITY_PREFIX = "AGE-SECRET-KEY-"


@dataclass(frozen=True, slots=True)
class X25519Recipient:
    """`age1…`."""

    public_key: bytes
    post_quantum: ClassVar[bool] = False

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(bech32.decode(text, _RECIPIENT_PREFIX, KEY_BYTES))
        except ValueError as error:
            raise Usage(f"malformed age recipient: {error}") from error

    def __str__(self) -> str:
        return bech32.encode(_RECIPIENT_PREFIX, self.public_key)

    def wrap(self, file_key: bytes) -> Stanza:
        """See `recipient.Recipient`."""
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        try:
            secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.public_key))
        except ValueError as error:
            raise Usage("malformed age recipient: it is a point of low order, which protects nothing") from error
        body = _wrap_cipher(secret, share, self.public_key).encrypt(_NONCE, file_key, None)
        return Stanza(_STANZA_TYPE, (encode_base64(share).decode(),), body)


@dataclass(frozen=True, slots=True)
class X25519Identity:
    """`AGE-SECRET-KEY-1…`."""

    seed: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(bech32.decode(text, _IDENTITY_PREFIX, KEY_BYTES))
        except ValueError as error:
            raise Usage(f"malformed age identity: {error}") from error

    @property
    def recipient(self) -> X25519Recipient:
        return X25519Recipient(self._private_key().public_key().public_bytes_raw())

    def secret_text(self) -> str:
        """The identity itself, for an identity file and nothing else."""
        return bech32.encode(_IDENTITY_PREFIX.lower(), self.seed).upper()

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """See `recipient.Identity`."""
        if stanza.type != _STANZA_TYPE:
            return None
        share = stanza.share(KEY_BYTES)
        try:
            secret = self._private_key().exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError as error:
            raise Corrupt("age header is damaged: the share of its X25519 stanza is of low order") from error
        try:
            return _wrap_cipher(secret, share, self.recipient.public_key).decrypt(_NONCE, stanza.body, None)
        except InvalidTag:
            return None

    def _private_key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.seed)


def _wrap_cipher(secret: bytes, share: bytes, public_key: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(hkdf.derive(secret, salt=share + public_key, info=_INFO))
