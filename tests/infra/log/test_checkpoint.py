"""Checkpoints open only under the key that signed them, and only as they were signed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt, Usage
from infra.keys.signer import Signer
from infra.log.checkpoint import Checkpoint, open_checkpoint, sign

SIGNER = Signer("resurgam.example/deployment-1", bytes(range(32)))
OTHER = Signer("resurgam.example/deployment-1", bytes(32))
CHECKPOINT = Checkpoint("resurgam.example/deployment-1", 20852163, bytes(range(32)))
NOTE = sign(CHECKPOINT, SIGNER)


def signed(body: str, *signers: Signer) -> str:
    """Return a note of any body, signed all the same."""
    lines = []
    for signer in signers:
        signature = signer.verifier.key_id + signer.sign(body.encode())
        lines.append(f"— {signer.verifier.name} {base64.b64encode(signature).decode()}\n")
    return body + "\n" + "".join(lines)


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_a_signed_checkpoint_opens_to_what_was_signed(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("resurgam.example/deployment-1", size, root)
    assert open_checkpoint(sign(checkpoint, SIGNER), SIGNER.verifier) == checkpoint


def test_the_body_is_origin_size_and_root() -> None:
    expected = "resurgam.example/deployment-1\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert CHECKPOINT.body() == expected
    assert NOTE.startswith(expected + "\n— resurgam.example/deployment-1 ")
    assert signed(CHECKPOINT.body(), SIGNER) == NOTE


def test_any_flipped_bit_is_refused() -> None:
    data = NOTE.encode()
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            with pytest.raises(Corrupt):
                open_checkpoint(damaged.decode("utf-8", "surrogateescape"), SIGNER.verifier)


def test_any_cut_is_refused() -> None:
    for end in range(len(NOTE)):
        with pytest.raises(Corrupt):
            open_checkpoint(NOTE[:end], SIGNER.verifier)


def test_the_signature_of_another_key_of_the_same_name_is_refused() -> None:
    with pytest.raises(Corrupt, match="not signed by"):
        open_checkpoint(NOTE, OTHER.verifier)


def test_a_signature_of_another_checkpoint_is_refused() -> None:
    newer = sign(Checkpoint(CHECKPOINT.origin, CHECKPOINT.size + 1, CHECKPOINT.root), SIGNER)
    swapped = CHECKPOINT.body() + newer[newer.index("\n\n") + 1 :]
    with pytest.raises(Corrupt, match="signature is not that of"):
        open_checkpoint(swapped, SIGNER.verifier)


def test_signatures_of_others_are_ignored_and_up_to_64_are_read() -> None:
    witnesses = [Signer(f"witness-{number}.example", bytes([number]) * 32) for number in range(64)]
    note = signed(CHECKPOINT.body(), *witnesses[:63], SIGNER)
    assert open_checkpoint(note, SIGNER.verifier) == CHECKPOINT
    with pytest.raises(Corrupt):
        open_checkpoint(signed(CHECKPOINT.body(), *witnesses, SIGNER), SIGNER.verifier)


def test_one_wrong_signature_of_the_signer_beside_a_good_one_is_refused() -> None:
    wrong = signed("other\n", SIGNER).split("\n\n")[1]
    with pytest.raises(Corrupt):
        open_checkpoint(NOTE + wrong, SIGNER.verifier)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "— witness.example",
        "— witness.example AAAA",
        "— witness.example AAAAAAB=",
        "— witness.example AAAAAAA= ",
        "- witness.example AAAAAAA=",
        "— witness\x01.example AAAAAAA=",
        "— wit+ness.example AAAAAAA=",
        "— wit\u2003ness.example AAAAAAA=",
    ],
)
def test_a_malformed_signature_line_of_another_is_refused(line: str) -> None:
    assert open_checkpoint(f"{NOTE}— witness.example AAAAAAA=\n", SIGNER.verifier) == CHECKPOINT
    with pytest.raises(Corrupt):
        open_checkpoint(f"{NOTE}{line}\n", SIGNER.verifier)


@pytest.mark.parametrize(
    "body",
    [
        "{origin}\n3\n",
        "{origin}\n3\n{root}\nextension\n",
        "{origin}\n03\n{root}\n",
        "{origin}\n-3\n{root}\n",
        "{origin}\n٣\n{root}\n",
        "{origin}\n9999999999999999999\n{root}\n",
        "\n3\n{root}\n",
        "a b\n3\n{root}\n",
        "a+b\n3\n{root}\n",
        "{origin}\n3\nAAAA\n",
        "{origin}\n3\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n",
        '{{"signed":"json"}}\n3\n{root}\n',
        "{origin}\r\n3\n{root}\n",
    ],
)
def test_a_body_of_another_form_is_refused_even_when_signed(body: str) -> None:
    root = base64.b64encode(CHECKPOINT.root).decode()
    with pytest.raises(Corrupt):
        open_checkpoint(signed(body.format(origin=CHECKPOINT.origin, root=root), SIGNER), SIGNER.verifier)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "ä", "{a", "a" * 256])
def test_an_origin_that_could_be_misread_is_refused(origin: str) -> None:
    with pytest.raises(Usage):
        Checkpoint(origin, 1, CHECKPOINT.root)


def test_a_size_or_root_that_is_none_is_refused() -> None:
    for size, root in ((-1, bytes(32)), (2**63, bytes(32)), (1, bytes(31))):
        with pytest.raises(Usage):
            Checkpoint("log.example", size, root)
