"""Recipients, to whom files are sealed, and identities, which open them: their protocols, spelling and fingerprint."""

import hashlib
import secrets
from typing import Protocol, TypeAlias

from domain.backup_recipient import X509_PREFIX
from domain.errors import Usage
from infra.backup.age.header import FILE_KEY_BYTES, Stanza
from infra.backup.age.hybrid import SEED_BYTES, HybridIdentity, HybridRecipient
from infra.backup.age.x509_rsa import X509Identity, X509Recipient
from infra.backup.age.x25519 import KEY_BYTES, X25519Identity, X25519Recipient


class Recipient(Protocol):
    """The public half. Its `str` is its one spelling, which `fingerprint` names."""

    @property
    def post_quantum(self) -> bool: ...

    def wrap(self, file_key: bytes) -> Stanza:
        """Seal a file key so that only the matching identity can unwrap it; Usage if this is no valid public key."""
        ...

    def __str__(self) -> str: ...


class Identity(Protocol):
    """The private half; its `repr` and `str` must not show it."""

    @property
    def recipient(self) -> Recipient: ...

    def unwrap(self, stanza: Stanza) -> bytes | None:
        """The file key, or None if the stanza is of another type or for another identity.

        Raises Corrupt for a stanza of its own type that no honest writer makes.
        """
        ...


AgeRecipient: TypeAlias = X25519Recipient | HybridRecipient | X509Recipient
NativeIdentity: TypeAlias = X25519Identity | HybridIdentity
"""What other programs for age know, too."""
AgeIdentity: TypeAlias = NativeIdentity | X509Identity
"""What opens files; its `seed` is the secret from which its holder's other keys are derived."""


def parse_recipient(text: str) -> AgeRecipient:
    """`age1pq1…`, `age1…` or `x509:…`; Usage for anything else, also for a key that could not be sealed to."""
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise Usage("this is an identity, which must stay secret, not a recipient: give the recipient made from it")
    recipient: AgeRecipient
    if text.startswith(X509_PREFIX):
        recipient = X509Recipient.parse(text)
    else:
        recipient = HybridRecipient.parse(text) if text.startswith("age1pq1") else X25519Recipient.parse(text)
    recipient.wrap(bytes(FILE_KEY_BYTES))
    return recipient


def parse_identity(text: str) -> NativeIdentity:
    """`AGE-SECRET-KEY-PQ-1…` or `AGE-SECRET-KEY-1…`; Usage for anything else, in words that never repeat it."""
    return HybridIdentity.parse(text) if text.startswith("AGE-SECRET-KEY-PQ-1") else X25519Identity.parse(text)


def generate_identity(*, post_quantum: bool = True) -> NativeIdentity:
    if post_quantum:
        return HybridIdentity(secrets.token_bytes(SEED_BYTES))
    return X25519Identity(secrets.token_bytes(KEY_BYTES))


def fingerprint(recipient: Recipient) -> str:
    """The first 16 hexadecimal digits of SHA-256: short enough to compare by eye.

    Over the recipient's spelling, and of a certificate over its public key, which a renewed certificate may keep.
    """
    if isinstance(recipient, X509Recipient):
        return recipient.key_fingerprint()
    return hashlib.sha256(str(recipient).encode()).hexdigest()[:16]
