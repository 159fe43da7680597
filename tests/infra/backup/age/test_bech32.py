"""Bech32 against BIP-173's own vectors, at every length, and against each kind of mistyping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.backup.age import bech32


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("A12UEL5L", "A"),
        ("a12uel5l", "a"),
        ("?1ezyfcl", "?"),
        (
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
        ),
    ],
)
def test_valid_strings_of_bip_173_are_read(text: str, prefix: str) -> None:
    assert bech32.decode(text, prefix, 0) == b""
    assert bech32.encode(prefix.lower(), b"") == text.lower()


@given(st.binary(max_size=1500))
def test_what_is_encoded_is_decoded_at_any_length(data: bytes) -> None:
    text = bech32.encode("age", data)
    assert bech32.decode(text, "age", len(data)) == data
    assert bech32.decode(text.upper(), "AGE", len(data)) == data


@pytest.mark.parametrize("place", range(len("age1") + 52 + 6))
def test_any_mistyped_letter_is_found(place: int) -> None:
    text = bech32.encode("age", bytes(range(32)))
    mistyped = text[:place] + ("q" if text[place] != "q" else "p") + text[place + 1 :]
    with pytest.raises(ValueError, match=r"checksum|begin with"):
        bech32.decode(mistyped, "age", 32)


@pytest.mark.parametrize("text", ["", "1", "age", "age1", "age1qqqqq", "age1é", "a12UEL5L", "Age1qqqqqqqqq"])
def test_what_is_no_bech32_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it"):
        bech32.decode(text, "age", 0)


@pytest.mark.parametrize("text", ["age1" + "q" * 8 + "Q" * 8, "A\N{KELVIN SIGN}1QQQQQQQQ"])
def test_a_text_that_is_not_ascii_all_in_one_case_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ASCII all in one case"):
        bech32.decode(text, text.partition("1")[0], 0)


@pytest.mark.parametrize("length", [5, 32])
def test_a_wrong_length_is_refused(length: int) -> None:
    text = bech32.encode("age", bytes(length))
    for size_bytes in (0, length - 1, length + 1):
        with pytest.raises(ValueError, match=f"does not hold {size_bytes} bytes"):
            bech32.decode(text, "age", size_bytes)


def test_padding_bits_that_are_not_zero_are_refused() -> None:
    # One byte is eight bits in two letters of five: here the two spare bits are set, under a right checksum.
    values = [0, 3]
    mark = bech32._polymod([*bech32._expand("age"), *values, *[0] * 6]) ^ 1
    letters = [bech32._ALPHABET[value] for value in [*values, *(mark >> 5 * place & 31 for place in range(5, -1, -1))]]
    with pytest.raises(ValueError, match="does not hold 1 bytes"):
        bech32.decode("age1" + "".join(letters), "age", 1)


def test_the_message_never_repeats_the_text() -> None:
    text = bech32.encode("age-secret-key-", b"\x07" * 32).upper()
    for broken in (text[:-1], text[:-1] + "Q", text.lower(), text + "B", "X" + text):
        with pytest.raises(ValueError, match=r"^it") as caught:
            bech32.decode(broken, "AGE-SECRET-KEY-", 32)
        assert text[20:40].lower() not in str(caught.value).lower()
        assert caught.value.__cause__ is None
