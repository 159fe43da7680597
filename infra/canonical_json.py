"""Canonical JSON: the one way in which records, states and manifests are written (docs/reference/record.md)."""

from typing import Any

import orjson

from domain.errors import Corrupt


def encode(value: object) -> bytes:
    """Return the canonical bytes of plain JSON."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode(data: bytes, what: str) -> Any:
    """Return the value of `data`; raise Corrupt, naming `what`, if it is not JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Corrupt(f"{what} is not JSON: {error}") from None


def decode_canonical(data: bytes, what: str) -> Any:
    """Return the value of `data`; raise Corrupt unless it is JSON that re-serialises to itself."""
    value = decode(data, what)
    try:
        is_canonical = encode(value) == data
    except TypeError as error:  # the decoder takes deeper nesting than the encoder
        raise Corrupt(f"{what} is not canonical JSON: {error}") from None
    if not is_canonical:
        raise Corrupt(f"{what} is not canonical JSON: it was not written by Resurgam, or was changed")
    return value
