"""A watch that ships every five seconds for a month: lists stay short, and little is written again."""

from random import Random

import pytest

from infra.backup import compaction
from infra.backup.manifest import KeyringEntry, SegmentEntry
from infra.backup.segment import RECORDS_MAX

EVERY_S = 5
MONTH_RUNS = 30 * 24 * 3_600 // EVERY_S
RECORD_BYTES = 600
KEYRINGS_MOST = 40


def segment(first: int, last: int) -> SegmentEntry:
    return SegmentEntry.model_construct(first=first, last=last, frontier="", sha256="", size_bytes=last - first + 1)


class Repository:
    """The lists that a manifest holds, changed as runs change them, and how much was written for that."""

    def __init__(self) -> None:
        self.segments: tuple[SegmentEntry, ...] = ()
        self.keyring: tuple[KeyringEntry, ...] = ()
        self.position = 0
        self.written = self.keys_written = self.keys = 0
        self.runs = 0

    def run(self, new: int, changed: int) -> None:
        self.runs += 1
        self.position += new
        kept = compaction.kept_segments(self.segments, self.position, lambda after, to: (to - after) * RECORD_BYTES)
        after = kept[-1].last if kept else 0
        self.written += self.position - after
        while self.position - after > RECORDS_MAX:
            kept = (*kept, segment(after + 1, after + RECORDS_MAX))
            after += RECORDS_MAX
        self.segments = (*kept, segment(after + 1, self.position))
        self.keys += changed
        chain = compaction.kept_keyrings(self.keyring, changed)
        if changed or not chain:
            keys = self.keys - sum(entry.keys for entry in chain)
            after = chain[-1].until if chain else 0
            entry = KeyringEntry.model_construct(
                after=after, until=self.position, keys=keys, sequence=self.runs, sha256="", size_bytes=keys
            )
            self.keyring = (*chain, entry)
            self.keys_written += keys


def most_segments(position: int) -> int:
    """Full segments stay for ever once they hold more than half; the rest is a logarithm."""
    half = RECORDS_MAX // 2
    return position // half + half.bit_length() + 1


@pytest.mark.parametrize("rate", ["one record a run", pytest.param("bursts", marks=pytest.mark.slow)])
def test_a_month_of_runs_every_five_seconds_leaves_few_objects_to_read(
    rate: str, capfd: pytest.CaptureFixture[str]
) -> None:
    chance, repository, most, most_keyrings = Random(1), Repository(), 0, 0
    for _ in range(MONTH_RUNS):
        new = 1 if rate == "one record a run" else chance.choice((0, 0, 0, 0, 1, 1, 3, 40))
        if new:
            repository.run(new, chance.randint(0, 1) if new < 40 else 4)
            assert len(repository.segments) <= most_segments(repository.position)
            most = max(most, len(repository.segments))
            most_keyrings = max(most_keyrings, len(repository.keyring))
    firsts = [entry.first for entry in repository.segments]
    assert firsts == [1, *(entry.last + 1 for entry in repository.segments[:-1])]
    assert repository.segments[-1].last == repository.position
    assert most_keyrings <= KEYRINGS_MOST
    again = repository.written / repository.position
    assert again <= 2 + RECORDS_MAX.bit_length()
    with capfd.disabled():
        print(
            f"\na month, {rate}: {repository.runs} runs, {repository.position} records; at most {most} segments and "
            f"{most_keyrings} keyrings to read; each record written {again:.1f} times, each key "
            f"{repository.keys_written / repository.keys:.1f} times"
        )
