"""Associated data of our authenticated encryptions: texts as bytes, so that no two lists of texts give the same."""

from struct import Struct

_length = Struct("<Q").pack


def encode(*fields: str) -> bytes:
    """Return the pre-authentication encoding of PASETO: the count, then each field's length in bytes and its UTF-8.

    Count and lengths are 8 bytes, little-endian.
    """
    pieces = [_length(len(fields))]
    for field in fields:
        text = field.encode("utf-8")
        pieces += (_length(len(text)), text)
    return b"".join(pieces)
