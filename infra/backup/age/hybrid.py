"""The post-quantum age recipient, `mlkem768x25519`, and its identity (C2SP age, "The MLKEM768-X25519 … type")."""

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from domain.errors import Corrupt, Usage
from infra.backup.age import bech32
from infra.backup.age.header import Stanza, encode_base64

SEED_BYTES = 32
_MLKEM_SEED_BYTES = 64
_MLKEM_PUBLIC_BYTES = 1184
_MLKEM_CIPHERTEXT_BYTES = 1088
_X25519_BYTES = 32
_PUBLIC_BYTES = _MLKEM_PUBLIC_BYTES + _X25519_BYTES
_SHARE_BYTES = _MLKEM_CIPHERTEXT_BYTES + _X25519_BYTES
_STANZA_TYPE = "mlkem768x25519"
_INFO = b"age-encryption.org/mlkem768x25519"
_RECIPIENT_PREFIX = "age1pq"
_IDENTITY_PREFIX = "AGE-SECRET-KEY-PQ-"
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class HybridRecipient:
    """`age1pq1…`: the ML-KEM-768 key followed by the X25519 key."""

    public_key: bytes
    post_quantum: ClassVar[bool] = True

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(bech32.decode(text, _RECIPIENT_PREFIX, _PUBLIC_BYTES))
        except ValueError as error:
            raise Usage(f"malformed age recipient: {error}") from error

    def __str__(self) -> str:
        return bech32.encode(_RECIPIENT_PREFIX, self.public_key)

    def wrap(self, file_key: bytes) -> Stanza:
        """See `recipient.Recipient`."""
        try:
            public_key = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(self.public_key[:_MLKEM_PUBLIC_BYTES]),
                X25519PublicKey.from_public_bytes(self.public_key[_MLKEM_PUBLIC_BYTES:]),
            )
            sealed = _SUITE.encrypt(file_key, public_key, _INFO)
        except ValueError as error:
            raise Usage("malformed age recipient: it is no valid MLKEM768-X25519 public key") from error
        share, body = sealed[:_SHARE_BYTES], sealed[_SHARE_BYTES:]
        return Stanza(_STANZA_TYPE, (encode_base64(share).decode(),), body)


@dataclass(frozen=True, slots=True)
class HybridIdentity:
    """`AGE-SECRET-KEY-PQ-1…`: the seed from which both private keys are expanded."""

    seed: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(bech32.decode(text, _IDENTITY_PREFIX, SEED_BYTES))
        except ValueError as error:
            raise Usage(f"malformed age identity: {error}") from error

    @property
    def recipient(self) -> HybridRecipient:
        mlkem_key, x25519_key = self._private_keys()
        return HybridRecipient(mlkem_key.public_key().public_bytes_raw() + x25519_key.public_key().public_bytes_raw())

    def secret_text(self) -> str:
        """The identity itself, for an identity file and nothing else."""
        return bech32.encode(_IDENTITY_PREFIX.lower(), self.seed).upper()

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """See `recipient.Identity`."""
        if stanza.type != _STANZA_TYPE:
            return None
        share = stanza.share(_SHARE_BYTES)
        mlkem_key, x25519_key = self._private_keys()
        private_key = hpke.MLKEM768X25519PrivateKey(mlkem_key, x25519_key)
        try:
            return _SUITE.decrypt(share + stanza.body, private_key, _INFO)
        except InvalidTag:
            _refuse_low_order(x25519_key, share[_MLKEM_CIPHERTEXT_BYTES:])
            return None

    def _private_keys(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        expanded = hashlib.shake_256(self.seed).digest(_MLKEM_SEED_BYTES + _X25519_BYTES)
        return (
            MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES]),
            X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:]),
        )


def _refuse_low_order(private_key: X25519PrivateKey, share: bytes) -> None:
    """Tell a share that nobody honest makes from another's: the HPKE of `cryptography` reports both alike."""
    try:
        private_key.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError as error:
        raise Corrupt(f"age header is damaged: the share of its {_STANZA_TYPE} stanza is of low order") from error
