"""Sealing of secrets: each value under a data key of its own, so that destroying the key destroys the value."""

from dataclasses import dataclass, field
from secrets import token_bytes, token_hex

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import Corrupt, WrongKey
from domain.resource_id import fold
from domain.sealed_value import SealedValue
from infra.keys import associated_data, base64_text

FORMAT = 1
DATA_KEY_BYTES = 32
NONCE_BYTES = 12

_DOMAIN = "resurgam-sealed-value-1"
_KEY_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one sealed value: a random id, and 32 secret bytes used for one encryption."""

    key_id: str
    secret: bytes = field(repr=False)


def seal(plaintext: bytes, *, purpose: str, resource: str, version: str) -> tuple[SealedValue, DataKey]:
    """Encrypt under a fresh data key and bind the result to its purpose, resource and version.

    Only the returned key opens the value: the caller wraps and stores it, or drops it to destroy the value.
    """
    data_key = DataKey(token_hex(_KEY_ID_BYTES), token_bytes(DATA_KEY_BYTES))
    nonce = token_bytes(NONCE_BYTES)
    binding = _binding(purpose, data_key.key_id, resource, version)
    sealed = SealedValue(
        sealed=FORMAT,
        keyId=data_key.key_id,
        purpose=purpose,
        version=version,
        nonce=base64_text.encode_url(nonce),
        ciphertext=base64_text.encode_url(AESGCM(data_key.secret).encrypt(nonce, plaintext, binding)),
    )
    return sealed, data_key


def unseal(sealed: SealedValue, data_key: DataKey, *, purpose: str, resource: str) -> bytes:
    """Return the plaintext of a value that was sealed for this purpose at this resource.

    Raises WrongKey if the value names another data key, and Corrupt if it was altered, was sealed for something else,
    or is no sealed value at all.
    """
    _check_form(sealed)
    if sealed["keyId"] != data_key.key_id:
        raise WrongKey(f"value of {resource} is sealed under data key {sealed['keyId']}, not under {data_key.key_id}")
    if sealed["purpose"] != purpose:
        raise Corrupt(f"value of {resource} is sealed for {sealed['purpose']!r}, not for {purpose!r}")
    try:
        binding = _binding(purpose, data_key.key_id, resource, sealed["version"])
        nonce = base64_text.decode_url(sealed["nonce"])
        ciphertext = base64_text.decode_url(sealed["ciphertext"])
        return AESGCM(data_key.secret).decrypt(nonce, ciphertext, binding)
    except (InvalidTag, ValueError) as error:
        raise Corrupt(
            f"sealed value of {resource} does not open: it was altered, or was sealed for another resource"
        ) from error


def _check_form(sealed: SealedValue) -> None:
    """Check at run time what the type promises: the value may come from a backup."""
    texts = [value for name, value in sealed.items() if name != "sealed"]
    if set(sealed) != SealedValue.__required_keys__ or not all(isinstance(text, str) for text in texts):
        raise Corrupt("sealed value does not have the members of a sealed value")
    if sealed["sealed"] != FORMAT:
        raise Corrupt(f"sealed value has format {sealed['sealed']!r}: this release opens {FORMAT}")


def _binding(purpose: str, key_id: str, resource: str, version: str) -> bytes:
    return associated_data.encode(_DOMAIN, purpose, key_id, fold(resource), version)
