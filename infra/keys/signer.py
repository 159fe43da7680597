"""The deployment's Ed25519 signer and its public half, named as C2SP signed notes name their keys."""

import re
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import Corrupt, Usage
from infra.keys import base64_text

SEED_BYTES = 32
SIGNATURE_BYTES = 64

_ED25519 = b"\x01"
_NAME = re.compile(r"[A-Za-z0-9][!-*,-~]{0,254}")
_TEXT = re.compile(r"(?P<name>[^+]+)\+(?P<key_id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]{44})")


def check_key_name(name: str) -> str:
    """Return the name of a key or of a log's origin, or raise Usage.

    Narrower than signed notes allow: 1 to 255 visible ASCII characters without `+`, the first a letter or digit. So no
    name looks like another, and no checkpoint begins like a JSON document that the same key signs.
    """
    if not _NAME.fullmatch(name):
        raise Usage(
            f"key name {name!r} is not 1 to 255 visible ASCII characters without '+', beginning with a letter or digit"
        )
    return name


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a signer."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public_key) != 32:
            raise Usage(f"public key of {self.name} has {len(self.public_key)} bytes, not 32")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return the verifier that `str(verifier)` wrote; raise Corrupt for anything else, also for a wrong key id."""
        match = _TEXT.fullmatch(text)
        encoded = base64_text.decode(match["key"]) if match else b""
        if match is None or not encoded.startswith(_ED25519) or not _NAME.fullmatch(match["name"]):
            raise Corrupt("verifier is not of the form NAME+KEY ID+KEY with an Ed25519 key")
        verifier = cls(match["name"], encoded[1:])
        if verifier.key_id.hex() != match["key_id"]:
            raise Corrupt(
                f"verifier {match['name']} does not have the key id {match['key_id']}: part of it was altered"
            )
        return verifier

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that point to this key in a signed note; a hint, no proof."""
        return sha256(self.name.encode("ascii") + b"\n" + _ED25519 + self.public_key).digest()[:4]

    @property
    def fingerprint(self) -> str:
        """What people compare: `SHA256:` and the unpadded base64 of the key's hash, without its name."""
        return "SHA256:" + base64_text.encode(sha256(_ED25519 + self.public_key).digest()).rstrip("=")

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise Corrupt unless this key's signer signed exactly this message (RFC 8032, section 5.1.7)."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except InvalidSignature as error:
            raise Corrupt(f"signature is not that of {self.name} ({self.fingerprint})") from error

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64_text.encode(_ED25519 + self.public_key)}"


class Signer:
    """A named Ed25519 private key (RFC 8032); never shown by `repr` or in an error."""

    __slots__ = ("_private_key", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        """Make the signer of a 32-byte seed."""
        if len(seed) != SEED_BYTES:
            raise Usage(f"seed of signer {name} has {len(seed)} bytes, not {SEED_BYTES}")
        self._private_key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(name, self._private_key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> Self:
        """Make a signer of fresh randomness."""
        return cls(name, token_bytes(SEED_BYTES))

    @property
    def seed(self) -> bytes:
        """The secret seed, to be wrapped before it is stored."""
        return self._private_key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes; the same message gives the same signature."""
        return self._private_key.sign(message)

    def __repr__(self) -> str:
        return f"Signer({self.verifier.name}, {self.verifier.fingerprint})"
