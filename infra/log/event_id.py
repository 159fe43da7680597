"""Event ids: UUID version 7 (RFC 9562, section 5.7), random but for the millisecond in front."""

from os import urandom
from time import time_ns

_RANDOM_BITS = 62


def new_event_id() -> str:
    """Return a fresh id; ids of one process mostly sort by time, but order is the position's business."""
    milliseconds = time_ns() // 1_000_000 & (1 << 48) - 1
    random = int.from_bytes(urandom(10), "big")
    high = milliseconds << 16 | 0x7 << 12 | random >> 68
    low = 0b10 << _RANDOM_BITS | random & (1 << _RANDOM_BITS) - 1
    text = f"{high << 64 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
