"""Signers and verifiers: what one signs only its other half accepts, and neither shows the seed."""

import base64

import pytest

from domain.errors import Corrupt, Usage
from infra.keys.signer import Signer, Verifier

# The key and the note of golang.org/x/mod/sumdb/note's own tests.
FOREIGN_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
FOREIGN_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
FOREIGN_TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
FOREIGN_SIGNATURE = base64.b64decode(
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)

SEED = bytes(range(32))
SIGNER = Signer("resurgam.example/deployment-1", SEED)


def test_a_key_made_by_others_signs_and_is_written_alike() -> None:
    signer = Signer("PeterNeumann", FOREIGN_SEED)
    assert str(signer.verifier) == FOREIGN_VERIFIER
    assert signer.verifier.key_id + signer.sign(FOREIGN_TEXT) == FOREIGN_SIGNATURE
    Verifier.from_text(FOREIGN_VERIFIER).verify(FOREIGN_TEXT, FOREIGN_SIGNATURE[4:])


def test_the_seed_makes_the_same_signer_again() -> None:
    signer = Signer.generate("log.example")
    again = Signer("log.example", signer.seed)
    assert again.verifier == signer.verifier == Verifier.from_text(str(signer.verifier))
    assert again.sign(b"message") == signer.sign(b"message")
    assert Signer.generate("log.example").verifier != signer.verifier


def test_another_message_signature_or_key_is_refused() -> None:
    signature = SIGNER.sign(b"message")
    SIGNER.verifier.verify(b"message", signature)
    with pytest.raises(Corrupt):
        SIGNER.verifier.verify(b"massage", signature)
    with pytest.raises(Corrupt):
        Signer.generate("resurgam.example/deployment-1").verifier.verify(b"message", signature)
    for damaged in (b"", signature[:-1], signature + b"\0", bytes([signature[0] ^ 1]) + signature[1:]):
        with pytest.raises(Corrupt):
            SIGNER.verifier.verify(b"message", damaged)


def test_any_flipped_bit_of_a_verifier_is_refused() -> None:
    data = str(SIGNER.verifier).encode()
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            with pytest.raises(Corrupt):
                Verifier.from_text(damaged.decode("latin-1"))


def test_what_is_no_verifier_is_refused() -> None:
    text = str(SIGNER.verifier)
    other_type = text[:-44] + base64.b64encode(b"\x02" + SIGNER.verifier.public_key).decode()
    for damaged in ("", "+", text[1:], text[:-1], text + "\n", " " + text, text.replace("+", "-", 1), other_type):
        with pytest.raises(Corrupt):
            Verifier.from_text(damaged)


def test_the_fingerprint_is_of_the_key_and_not_of_its_name() -> None:
    renamed = Signer("another.example", SEED).verifier
    assert renamed.fingerprint == SIGNER.verifier.fingerprint == "SHA256:yznw9tJGsDMGgHO3KM9bcKIEzaOxzLF9gWDRLc0aWuM"
    assert renamed.key_id != SIGNER.verifier.key_id


def test_the_seed_is_shown_nowhere() -> None:
    shown = repr(SIGNER) + str(SIGNER) + repr(SIGNER.verifier)
    for secret in (SEED.hex(), repr(SEED), base64.b64encode(SEED).decode()):
        assert secret not in shown
    with pytest.raises(Usage) as refusal:
        Signer("log.example", b"short secret")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "{a", "ä", "a" * 256])
def test_a_name_that_could_be_misread_is_refused(name: str) -> None:
    with pytest.raises(Usage):
        Signer(name, SEED)


def test_a_public_key_of_another_length_is_refused() -> None:
    with pytest.raises(Usage):
        Verifier("log.example", bytes(31))
