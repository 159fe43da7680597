"""Compaction: what of the last backup's lists a new one keeps, and what it writes again together with what is new.

Lists stay short, and what is written again stays in proportion to what is new, because only a part that is less than
twice as large as all that comes after it is written again (docs/decisions/0010-lists-are-compacted-as-they-grow.md).
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from infra.backup import segment
from infra.backup.manifest import KeyringEntry, SegmentEntry

KEYRINGS_MIN = 8
"""Fewer keyring files are not worth compaction."""


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


def kept_keyrings(keyrings: Sequence[KeyringEntry], changed: int) -> tuple[KeyringEntry, ...]:
    """Return the first of the keyring files, upon which the next one builds; none if it is to be a base.

    `changed` keys were added or shredded after them. A base costs as much as there are keys, and follows changes of
    half that much. That shredded keys ask for one sooner is not decided here.
    """
    if not keyrings or sum(entry.keys for entry in keyrings[1:]) > 1_000 + keyrings[0].keys // 2:
        return ()
    kept = len(keyrings)
    if kept < KEYRINGS_MIN:
        return tuple(keyrings)
    while kept > 1 and keyrings[kept - 1].keys < 2 * changed:
        kept -= 1
        changed += keyrings[kept].keys
    return tuple(keyrings[:kept])
