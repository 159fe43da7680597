"""Segments: runs of records that begin and end with commands, written to files and read back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from domain.errors import Corrupt, WrongKey
from infra.backup import lines_file
from infra.backup.age import Recipient
from infra.backup.lines_file import Opener, Sealed
from infra.backup.manifest import Manifest, SegmentEntry
from infra.backup.repository import Repository
from infra.keys import base64_text
from infra.log.merkle import Frontier, leaf_hash
from infra.log.record import Recorded, decode_record

RECORDS_MAX = 100_000
BYTES_MAX = 64 * 1024 * 1024


class Damaged(Corrupt):
    """A segment cannot be used; those before it prove the records up to `sound`."""

    def __init__(self, error: Corrupt, sound: int) -> None:
        way_out = f"; the backup is sound up to position {sound}: --at {sound} recovers that" if sound else ""
        super().__init__(f"{error}{way_out}")
        self.sound = sound


@dataclass(frozen=True, slots=True)
class Written:
    """A segment in a local file, not yet in the repository."""

    path: Path
    entry: SegmentEntry
    sealed: Sealed


class Cutter:
    """Cuts a stream of records into segment files; `frontier` is that of all records taken so far."""

    def __init__(self, records: Iterator[bytes], frontier: Frontier) -> None:
        self._records = records
        self.frontier = frontier.copy()
        self.last: Recorded | None = None

    def cut(self, folder: Path, recipients: Sequence[Recipient], *, allow_mixed: bool) -> Iterator[Written]:
        """Write one segment after the other, until no record is left."""
        while (first := next(self._records, None)) is not None:
            start = self.frontier.size + 1
            path = folder / f"segment-{start}"
            sealed = lines_file.write(path, self._one(first), recipients, allow_mixed=allow_mixed)
            entry = SegmentEntry(
                first=start,
                last=self.frontier.size,
                frontier=base64_text.encode(self.frontier.to_bytes()),
                sha256=sealed.sha256,
                size_bytes=sealed.size_bytes,
            )
            yield Written(path, entry, sealed)

    def _one(self, first: bytes) -> Iterator[bytes]:
        """Yield the records of one segment."""
        size, start = 0, self.frontier.size
        for record in chain([first], self._records):
            decoded = decode_record(record)
            if decoded.position != self.frontier.size + 1:
                raise Corrupt(f"position {decoded.position} follows position {self.frontier.size} in the log")
            self.frontier.append(leaf_hash(record))
            self.last = decoded
            size += len(record) + 1
            yield record
            is_full = size >= BYTES_MAX or self.frontier.size - start >= RECORDS_MAX
            if is_full and decoded.position == decoded.command_end:
                return


def read(data: bytes, opener: Opener, entry: SegmentEntry, frontier: Frontier) -> Iterator[tuple[bytes, Recorded]]:
    """Yield (record, its content), advancing `frontier`; raise Corrupt unless all is as the manifest says.

    Only when this ends without an error are the records proven to be those that were backed up.
    """
    name = f"segment {entry.first}-{entry.last}"
    decoded: Recorded | None = None
    for line in lines_file.read(data, opener, name):
        before = decoded
        decoded = decode_record(line)
        if decoded.position != frontier.size + 1:
            raise Corrupt(f"{name} has position {decoded.position} after {frontier.size}")
        if before is not None and decoded.recorded_at < before.recorded_at:
            raise Corrupt(f"{name} runs back in time at position {decoded.position}")
        frontier.append(leaf_hash(line))
        yield line, decoded
    if decoded is None or decoded.position != entry.last or decoded.command_end != entry.last:
        raise Corrupt(f"{name} does not end at position {entry.last} with the end of a command")
    if frontier != entry.frontier_after():
        raise Corrupt(f"{name} holds other records than its manifest says")


def read_all(repository: Repository, of: Manifest, opener_of: "OpenerOf") -> Iterator[tuple[bytes, Recorded]]:
    """Yield every record of a backup, checked segment by segment; memory holds one segment's compressed bytes.

    Raises Damaged for a segment that is not what the manifest says.
    """
    frontier = Frontier()
    for entry in of.segments:
        try:
            data = repository.get_object(of.deployment, entry)
            yield from read(data, opener_of(entry.sha256), entry, frontier)
        except Corrupt as error:
            raise Damaged(error, entry.first - 1) from error


class OpenerOf:
    """Chooses the opener of an object by its SHA-256: the kept file key if there is one, else identities."""

    def __init__(self, default: Opener | None, file_keys: dict[str, bytes] | None = None) -> None:
        self._default = default
        self._file_keys = file_keys or {}

    def __call__(self, sha256: str) -> Opener:
        file_key = self._file_keys.get(sha256)
        if file_key is not None:
            return lines_file.with_file_key(file_key)
        if self._default is None:
            raise WrongKey(f"no key is kept for the object {sha256}: an identity is needed")
        return self._default
