"""Bech32 (BIP-173) of any length, the encoding of age recipients and identities."""

from collections.abc import Iterable

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6


def encode(prefix: str, data: bytes) -> str:
    """Encode in lower case; an identity is the upper case of the result (the checksum is always over lower case)."""
    values = list(_regroup(data, 8, 5))
    mark = _polymod([*_expand(prefix), *values, *[0] * _CHECKSUM_LENGTH]) ^ 1
    checksum = [mark >> 5 * place & 31 for place in reversed(range(_CHECKSUM_LENGTH))]
    return f"{prefix}1{''.join(_ALPHABET[value] for value in values + checksum)}"


def decode(text: str, prefix: str, size_bytes: int) -> bytes:
    """Decode a text that must carry this prefix, in its case, and exactly this many bytes.

    Raises ValueError, whose message never repeats the text: it may be an identity.
    """
    if not text.isascii() or text not in (text.lower(), text.upper()):
        raise ValueError("it is not ASCII all in one case")
    found_prefix, _, encoded = text.rpartition("1")
    if found_prefix != prefix:
        raise ValueError(f"it does not begin with {prefix}1")
    try:
        values = [_ALPHABET.index(letter) for letter in encoded.lower()]
    except ValueError:
        raise ValueError("it has a letter that bech32 does not know") from None
    if _polymod([*_expand(prefix.lower()), *values]) != 1:
        raise ValueError("its checksum does not match, it was mistyped or cut")
    values = values[:-_CHECKSUM_LENGTH]
    data = bytes(_regroup(values, 5, 8))[:size_bytes]
    # Comparing with the one canonical encoding finds a wrong length as well as padding bits that are not zero.
    if len(data) != size_bytes or list(_regroup(data, 8, 5)) != values:
        raise ValueError(f"it does not hold {size_bytes} bytes")
    return data


def _regroup(values: Iterable[int], from_bits: int, to_bits: int) -> Iterable[int]:
    """Cut a big-endian run of bits into groups of another width, the last one padded with zero bits."""
    accumulator = bits = 0
    for value in values:
        accumulator = accumulator << from_bits | value
        bits += from_bits
        while bits >= to_bits:
            bits -= to_bits
            yield accumulator >> bits
            accumulator &= (1 << bits) - 1
    if bits:
        yield accumulator << (to_bits - bits)


def _expand(prefix: str) -> list[int]:
    codes = prefix.encode("ascii")
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _polymod(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATORS):
            if top >> place & 1:
                checksum ^= generator
    return checksum
