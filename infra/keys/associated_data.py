"""Associated data of our authenticated encryptions: texts as bytes, so that no two lists of texts give the same."""


def encode(*fields: str) -> bytes:
    """Return the pre-authentication encoding of PASETO: the count, then each field's length in bytes and its UTF-8.

    Count and lengths are 8 bytes, little-endian.
    """
    pieces = [field.encode("utf-8") for field in fields]
    return _length(len(pieces)) + b"".join(_length(len(piece)) + piece for piece in pieces)


def _length(number: int) -> bytes:
    return number.to_bytes(8, "little")
