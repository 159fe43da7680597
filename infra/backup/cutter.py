"""The cutter: turns pages of records into segment files that begin and end with commands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from domain.errors import Corrupt
from infra.backup import lines_file, segment
from infra.backup.age import Recipient
from infra.backup.lines_file import Sealed
from infra.backup.manifest import SegmentEntry
from infra.keys import base64_text
from infra.log.merkle import Frontier
from infra.log.page import Page
from infra.log.record import decode_record, unframe


@dataclass(frozen=True, slots=True)
class Written:
    """A segment in a local file, not yet in the repository."""

    path: Path
    entry: SegmentEntry
    sealed: Sealed


class Cutter:
    """Cuts pages of records into segment files; `frontier` is that of all records taken so far.

    Only where a command may end is a record decoded: that the records are the log's own, whoever compares the frontier
    in the end finds out.
    """

    def __init__(self, pages: Iterator[Page], frontier: Frontier) -> None:
        self._pages = pages
        self._rest: Page | None = None
        self.frontier = frontier.copy()

    def cut(self, folder: Path, recipients: Sequence[Recipient], *, allow_mixed: bool) -> Iterator[Written]:
        """Write one segment after the other, until no record is left."""
        while (page := self._next()) is not None:
            start = self.frontier.size + 1
            path = folder / f"segment-{start}"
            records = chain.from_iterable(self._one(page))
            sealed = lines_file.write(path, records, recipients, allow_mixed=allow_mixed)
            entry = SegmentEntry(
                first=start,
                last=self.frontier.size,
                frontier=base64_text.encode(self.frontier.to_bytes()),
                sha256=sealed.sha256,
                size_bytes=sealed.size_bytes,
            )
            yield Written(path, entry, sealed)

    def _one(self, page: Page | None) -> Iterator[Sequence[bytes]]:
        """Yield the records of one segment."""
        records_left, bytes_left = segment.RECORDS_MAX, segment.BYTES_MAX
        last = b""
        while page is not None:
            size_bytes = sum(map(len, page.records)) + len(page.records)
            end = None
            if len(page.records) >= records_left or size_bytes >= bytes_left:
                end = _end(page.records, records_left, bytes_left)
            taken = Page(page.records[:end], page.leaves[:end])
            self._take(taken)
            yield taken.records
            last = taken.records[-1]
            if end is not None:
                self._rest = Page(page.records[end:], page.leaves[end:])
                return
            records_left -= len(page.records)
            bytes_left -= size_bytes
            page = self._next()
        if not _ends_command(last):
            raise Corrupt(f"position {self.frontier.size} is the log's last, but not its command's")

    def _next(self) -> Page | None:
        if self._rest is not None and self._rest.records:
            page, self._rest = self._rest, None
            return page
        return next(self._pages, None)

    def _take(self, page: Page) -> None:
        self.frontier.extend(page.leaves)
        position = unframe(page.records[-1])[1]
        if position != self.frontier.size:
            raise Corrupt(f"the log has position {position} in the place of {self.frontier.size}")


def _end(records: Sequence[bytes], records_left: int, bytes_left: int) -> int | None:
    """Return how many records there are up to the end of the command that makes a segment full; None if all are few."""
    for number, record in enumerate(records, 1):
        bytes_left -= len(record) + 1
        if (number >= records_left or bytes_left <= 0) and _ends_command(record):
            return number
    return None


def _ends_command(record: bytes) -> bool:
    decoded = decode_record(record)
    return decoded.position == decoded.command_end
