"""Event ids: UUID version 7 (RFC 9562, section 5.7), random but for the millisecond in front."""

from secrets import randbits
from time import time_ns
from uuid import UUID


def new_event_id() -> str:
    """Return a fresh id; ids of one process mostly sort by time, but order is the position's business."""
    milliseconds = time_ns() // 1_000_000 & (1 << 48) - 1
    value = milliseconds << 80 | 0x7 << 76 | randbits(12) << 64 | 0b10 << 62 | randbits(62)
    return str(UUID(int=value))
