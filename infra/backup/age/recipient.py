"""Recipients, to whom files are sealed, and identities, which open them: their protocols, spelling and fingerprint."""

import hashlib
import secrets
from typing import Protocol, TypeAlias

from domain.errors import Usage
from infra.backup.age.header import FILE_KEY_BYTES, Stanza
from infra.backup.age.hybrid import SEED_BYTES, HybridIdentity, HybridRecipient
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


AgeRecipient: TypeAlias = X25519Recipient | HybridRecipient
AgeIdentity: TypeAlias = X25519Identity | HybridIdentity


def parse_recipient(text: str) -> AgeRecipient:
    """`age1pq1…` or `age1…`; Usage for anything else, also for a key that could not be sealed to."""
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise Usage("this is an identity, which must stay secret, not a recipient: give the recipient made from it")
    recipient = HybridRecipient.parse(text) if text.startswith("age1pq1") else X25519Recipient.parse(text)
    recipient.wrap(bytes(FILE_KEY_BYTES))
    return recipient


def parse_identity(text: str) -> AgeIdentity:
    """`AGE-SECRET-KEY-PQ-1…` or `AGE-SECRET-KEY-1…`; Usage for anything else, in words that never repeat it."""
    return HybridIdentity.parse(text) if text.startswith("AGE-SECRET-KEY-PQ-1") else X25519Identity.parse(text)


def generate_identity(*, post_quantum: bool = True) -> AgeIdentity:
    if post_quantum:
        return HybridIdentity(secrets.token_bytes(SEED_BYTES))
    return X25519Identity(secrets.token_bytes(KEY_BYTES))


def fingerprint(recipient: Recipient) -> str:
    """The first 16 hexadecimal digits of SHA-256 over the recipient's spelling: short enough to compare by eye."""
    return hashlib.sha256(str(recipient).encode()).hexdigest()[:16]
