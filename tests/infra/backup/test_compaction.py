"""Compaction: lists stay short, and little is written again, whatever the sizes of the runs."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.backup import segment
from infra.backup.compaction import KEYRINGS_MIN, kept_keyrings, kept_segments
from infra.backup.manifest import KeyringEntry, SegmentEntry

FULL = 1_000
"""Records of a full segment in these tests; a record has ten bytes."""
REWRITTEN_MAX = 2 + 17
"""Each time a record below half of a full segment is written again, its segment has become 1.5 times as large."""


@pytest.fixture(autouse=True, scope="module")
def small_segments() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "RECORDS_MAX", FULL)
        patch.setattr(segment, "BYTES_MAX", FULL * 100)
        yield


def segments_of(*counts: int) -> tuple[SegmentEntry, ...]:
    """Entries for so many records each."""
    entries: list[SegmentEntry] = []
    for count in counts:
        first = entries[-1].last + 1 if entries else 1
        entries.append(
            SegmentEntry(first=first, last=first + count - 1, frontier="", sha256="0" * 64, size_bytes=count)
        )
    return tuple(entries)


def counts(entries: Sequence[SegmentEntry]) -> list[int]:
    return [entry.last - entry.first + 1 for entry in entries]


def after_run(before: tuple[SegmentEntry, ...], new: int, record_bytes: int = 10) -> tuple[SegmentEntry, ...]:
    """The list after a run with so many new records, cut as the cutter cuts them."""
    until = (before[-1].last if before else 0) + new
    kept = kept_segments(before, until, lambda after, to: (to - after) * record_bytes)
    left = until - (kept[-1].last if kept else 0)
    most = min(segment.RECORDS_MAX, -(-segment.BYTES_MAX // record_bytes))
    return segments_of(*counts(kept), *[most] * (left // most), *[left % most] * (left % most > 0))


def delta(after: int, until: int, keys: int, sequence: int = 1) -> KeyringEntry:
    return KeyringEntry(after=after, until=until, keys=keys, sequence=sequence, sha256="0" * 64, size_bytes=1)


def test_equal_runs_are_merged_as_a_binary_counter_counts() -> None:
    found: tuple[SegmentEntry, ...] = ()
    lists = []
    for _ in range(8):
        found = after_run(found, 1)
        lists.append(counts(found))
    assert lists == [[1], [2], [2, 1], [4], [4, 1], [4, 2], [4, 2, 1], [8]]


def test_a_much_smaller_run_leaves_what_is_there() -> None:
    assert counts(after_run(segments_of(100), 50)) == [100, 50]
    assert counts(after_run(segments_of(100), 51)) == [151]


def test_a_run_without_records_leaves_what_is_there() -> None:
    assert after_run(segments_of(4, 2, 1), 0) == segments_of(4, 2, 1)
    assert after_run((), 0) == ()


def test_a_large_run_takes_up_the_small_segments_before_it() -> None:
    assert counts(after_run(segments_of(1_000, 300, 20, 3), 2_000)) == [1_000, 1_000, 1_000, 323]


def test_a_segment_of_more_than_half_a_full_one_stays_for_ever() -> None:
    assert counts(after_run(segments_of(500), 800)) == [1_000, 300]
    assert counts(after_run(segments_of(501), 800)) == [501, 800]


def test_a_segment_with_more_than_half_the_bytes_of_a_full_one_stays_for_ever() -> None:
    assert counts(after_run(segments_of(20), 20, record_bytes=2_500)) == [40]
    assert counts(after_run(segments_of(21), 20, record_bytes=2_500)) == [21, 20]


@given(runs=st.lists(st.integers(0, 400) | st.integers(0, 3), max_size=300), record_bytes=st.sampled_from([10, 1_000]))
def test_the_list_is_short_and_what_is_written_again_is_in_proportion(runs: list[int], record_bytes: int) -> None:
    found: tuple[SegmentEntry, ...] = ()
    written = 0
    for new in runs:
        before, found = found, after_run(found, new, record_bytes)
        written += sum(counts([entry for entry in found if entry not in before]))
        assert sum(counts(found)) == sum(counts(before)) + new, "no position is missing and none is there twice"
    total = sum(runs)
    half = min(FULL, FULL * 100 // record_bytes) // 2
    assert len(found) <= total / half + half.bit_length() + 1
    assert written <= REWRITTEN_MAX * total


def test_deltas_are_merged_as_segments_are_once_there_are_some() -> None:
    deltas = [delta(n, n + 1, 100) for n in range(1, KEYRINGS_MIN - 2)]
    chain = (delta(0, 1, 10_000), *deltas, delta(8, 9, 10))
    assert len(chain) == KEYRINGS_MIN - 1
    assert kept_keyrings(chain, 6) == chain
    chain = (*chain, delta(9, 10, 2))
    assert kept_keyrings(chain, 1) == chain
    assert kept_keyrings(chain, 2) == chain[:-1]
    assert kept_keyrings(chain, 4) == chain[:-2]
    assert kept_keyrings(chain, 50) == chain[:1], "the base is no delta"


def test_a_base_is_written_when_deltas_outgrow_it() -> None:
    assert kept_keyrings((), 0) == ()
    kept: Sequence[tuple[KeyringEntry, ...]] = (
        (delta(0, 1, 5),),
        (delta(0, 1, 5), delta(1, 2, 1_002)),
        (delta(0, 1, 100_000), delta(1, 2, 51_000)),
    )
    for chain in kept:
        assert kept_keyrings(chain, 1) == chain
    outgrown: Sequence[tuple[KeyringEntry, ...]] = (
        (delta(0, 1, 5), delta(1, 2, 1_003)),
        (delta(0, 1, 100_000), delta(1, 2, 26_000), delta(2, 3, 25_001)),
    )
    for chain in outgrown:
        assert kept_keyrings(chain, 1) == ()


@given(runs=st.lists(st.integers(0, 30), min_size=1, max_size=400))
def test_the_keyrings_are_few_and_what_is_written_again_is_in_proportion(runs: list[int]) -> None:
    chain: tuple[KeyringEntry, ...] = ()
    written = total = 0
    for sequence, changed in enumerate(runs, 1):
        total += changed
        kept = kept_keyrings(chain, changed)
        if kept and not changed:
            continue
        keys = total - sum(entry.keys for entry in kept)
        chain = (*kept, delta(kept[-1].until if kept else 0, sequence, keys, sequence))
        written += keys
        assert len(chain) <= KEYRINGS_MIN + total.bit_length()
    assert written <= REWRITTEN_MAX * total
