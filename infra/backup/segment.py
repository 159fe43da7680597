"""Segments: runs of records that begin and end with commands, written to files and read back."""

from collections.abc import Iterator

from domain.errors import Corrupt, WrongKey
from infra.backup import lines_file
from infra.backup.lines_file import Opener
from infra.backup.manifest import Manifest, SegmentEntry
from infra.backup.repository import Repository
from infra.log.merkle import Frontier
from infra.log.page import Page, page_of
from infra.log.record import decode_record, unframe

RECORDS_MAX = 100_000
BYTES_MAX = 64 * 1024 * 1024


class Damaged(Corrupt):
    """A segment cannot be used; those before it prove the records up to `sound`."""

    def __init__(self, error: Corrupt, sound: int) -> None:
        way_out = f"; the backup is sound up to position {sound}: --at {sound} recovers that" if sound else ""
        super().__init__(f"{error}{way_out}")
        self.sound = sound


def pages(data: bytes, opener: Opener, entry: SegmentEntry, frontier: Frontier) -> Iterator[Page]:
    """Yield the records of a segment in pages, advancing `frontier`; raise Corrupt unless all is as the manifest says.

    The SHA-256 of `data` was compared with the manifest's. Only when this ends without an error are the records proven
    to be those that were backed up.
    """
    name = f"segment {entry.first}-{entry.last}"
    last = b""
    for records in lines_file.pages(data, opener, name):
        page = page_of(records)
        frontier.extend(page.leaves)
        last = records[-1]
        if (position := unframe(last)[1]) != frontier.size:
            raise Corrupt(f"{name} has position {position} in the place of {frontier.size}")
        yield page
    if frontier != entry.frontier_after():
        raise Corrupt(f"{name} holds other records than its manifest says")
    if decode_record(last).command_end != entry.last:
        raise Corrupt(f"{name} does not end at position {entry.last} with the end of a command")


def read_all(repository: Repository, of: Manifest, opener_of: "OpenerOf") -> Iterator[Page]:
    """Yield every record of a backup, checked segment by segment; memory holds one segment's compressed bytes.

    Raises Damaged for a segment that is not what the manifest says.
    """
    frontier = Frontier()
    for entry in of.segments:
        try:
            data = repository.get_object(of.deployment, entry)
            yield from pages(data, opener_of(entry.sha256), entry, frontier)
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
