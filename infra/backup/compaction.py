"""Compaction: what of the last backup's lists a new one keeps, and what it writes again together with what is new.

Lists stay short, and what is written again stays in proportion to what is new, because only a part that is less than
twice as large as all that comes after it is written again (docs/decisions/0010-lists-are-compacted-as-they-grow.md).
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from infra.backup import segment
from infra.backup.manifest import KeyringEntry, SegmentEntry

KEYRINGS_MIN = 8
"""Fewer keyring files are not worth compaction."""

BASE_RUNS_MIN = 64
KEYS_PER_RUN = 100
"""How many keys of the next base each run pays for."""


def kept_segments(
    segments: Sequence[SegmentEntry], until: int, size_bytes: Callable[[int, int], int]
) -> tuple[SegmentEntry, ...]:
    """Return the first of the segments, after which the next one begins; all of them if nothing is new.

    `size_bytes` tells how large the records in (after, until] are. Half of a full segment is enough for a segment to
    stay as it is for ever.
    """
    kept = len(segments)
    records = until - (segments[-1].last if segments else 0)
    while kept:
        entry = segments[kept - 1]
        own = entry.last - entry.first + 1
        if own >= 2 * records or own > segment.RECORDS_MAX // 2:
            break
        if size_bytes(entry.first - 1, entry.last) > segment.BYTES_MAX // 2:
            break
        records += own
        kept -= 1
    return tuple(segments[:kept])


def written_together(
    segments: Sequence[SegmentEntry], stale: Collection[str], size_bytes: Callable[[int, int], int]
) -> Iterator[SegmentEntry]:
    """Yield the first of the segments, and those after it that are stale too and fit into one segment with it."""
    records = bytes_together = 0
    for number, entry in enumerate(segments):
        records += entry.last - entry.first + 1
        bytes_together += size_bytes(entry.first - 1, entry.last)
        is_full = records > segment.RECORDS_MAX or bytes_together > segment.BYTES_MAX
        if number and (entry.sha256 not in stale or is_full):
            return
        yield entry


def kept_keyrings(keyrings: Sequence[KeyringEntry], changed: int, sequence: int) -> tuple[KeyringEntry, ...]:
    """Return the first of the keyring files, upon which the next one builds; none if it is to be a base.

    `changed` keys were added or shredded after them; `sequence` is the next manifest's.
    """
    if _is_base_due(keyrings, changed, sequence):
        return ()
    kept = len(keyrings)
    if kept < KEYRINGS_MIN:
        return tuple(keyrings)
    while kept > 1 and keyrings[kept - 1].keys < 2 * changed:
        kept -= 1
        changed += keyrings[kept].keys
    return tuple(keyrings[:kept])


def _is_base_due(keyrings: Sequence[KeyringEntry], changed: int, sequence: int) -> bool:
    """Whether the next file is to be a base: it leaves out what was shredded since the last one.

    A base costs as much as there are keys. It follows changes of half that much, or as many runs as pay for it.
    """
    if not keyrings:
        return True
    base, *deltas = keyrings
    if sum(entry.keys for entry in deltas) > 1_000 + base.keys // 2:
        return True
    is_paid = sequence - base.sequence >= max(BASE_RUNS_MIN, base.keys // KEYS_PER_RUN)
    return is_paid and (changed > 0 or bool(deltas))
