"""Divergence: where a log and its own backup part, what only one of them has, and the ways out."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from shlex import quote

from domain.errors import Corrupt, NotFound, WrongKey
from infra.backup import lines_file, memory, segment
from infra.backup.manifest import Manifest, SegmentEntry
from infra.backup.repository import Repository, Stored
from infra.database.session import Session
from infra.keys.root_key import RootKey
from infra.log import event_table
from infra.log.head import Head
from infra.log.merkle import Frontier
from infra.log.page import paged
from infra.log.record import Recorded, decode_record


@dataclass(frozen=True, slots=True)
class Divergence:
    """A log up to `log`, and its own newest backup, hold the same records up to `agreed`, and no longer at `differs`.

    In between nobody can tell without an identity. `agreed_at` is the recorded-at of the last that both have, `record`
    what the backup holds at `differs`, if it could be opened. The log `is_sound` if its records have its head's root.
    """

    backup: Stored
    log: Head
    location: str
    agreed: int
    agreed_at: str
    differs: int
    record: Recorded | None
    is_sound: bool

    @property
    def is_exact(self) -> bool:
        """Whether it is known to the position where they part."""
        return self.agreed in (self.differs - 1, self.log.position)

    @property
    def only_backup(self) -> range:
        """The positions that only the backup has."""
        return range(self.agreed + 1, self.backup.manifest.last + 1)

    @property
    def only_log(self) -> range:
        """The positions that only the log has."""
        return range(self.agreed + 1, self.log.position + 1)

    def lines(self) -> list[str]:
        """Return what an operator needs to know, and what to type."""
        return [*self.facts(), *self.exits()]

    def facts(self) -> list[str]:
        """Return where they part, and what only one of them has."""
        return [self._parting(), self._of_backup(), self._of_log()]

    def _parting(self) -> str:
        if not self.agreed:
            return (
                "they have not even the first record in common"
                if self.is_exact
                else f"they part before position {self.differs + 1}"
            )
        until = f"both hold the same records up to position {self.agreed}, recorded at {self.agreed_at}"
        return until if self.is_exact else f"{until}, at least; at position {self.differs} they no longer do"

    def _of_backup(self) -> str:
        of = self.backup.manifest
        if not self.only_backup:
            return "the backup holds nothing that the log has not"
        has = _shown(self.only_backup, is_exact=self.is_exact)
        text = f"only the backup has {has}, the last recorded at {of.recorded_at}"
        if self.record is None:
            return text
        event = self.record.event
        return (
            f"{text}; the first is {event['type']} of {event['resource']}, recorded at {self.record.recorded_at}, "
            f"command {event['command']['id']}"
        )

    def _of_log(self) -> str:
        if not self.only_log:
            return "the log has nothing that the backup has not"
        return (
            f"only the log has {_shown(self.only_log, is_exact=self.is_exact)}, the last recorded at {self.log.instant}"
        )

    def exits(self) -> list[str]:
        """Return the ways out, with the commands; of a log that is damaged itself there is only one."""
        of, place = self.backup.manifest, quote(self.location)
        lost = "" if not self.only_log else "; what only the log has (`resurgam log export`) is then sent again"
        recover = [
            f"to have what was backed up, as a new deployment in an empty store{lost}:",
            f"  resurgam recover {place} --identity FILE --deployment {of.deployment} --verifier {quote(of.verifier)} "
            "--store sqlite:///recovered.db --root-key-file recovered.root-key",
        ]
        if not self.is_sound:
            return ["the log itself is damaged: its records do not have the Merkle root of its head", *recover]
        return [
            *recover,
            "to go on with this log, as a new deployment, if nobody tampered with it; what only the backup has is then "
            "sent again:",
            f"  resurgam fork --repository {place}",
        ]


class Disagreement(Corrupt):
    """The log and its own backup do not hold the same records."""


class Diverged(Corrupt):
    """The same, after both were compared record by record as far as possible."""

    def __init__(self, first: str, found: Divergence) -> None:
        super().__init__("\n".join([first, *found.lines()]))
        self.found = found


def explained(error: Disagreement, found: Divergence | None) -> Corrupt:
    """Return what to raise for a disagreement; the comparison finds none if what is wrong was never backed up."""
    return error if found is None else Diverged(str(error), found)


def find(session: Session, at: Head, repository: Repository, stored: Stored, root_key: RootKey) -> Divergence | None:
    """Compare the log with its own backup; None if the log holds all that was backed up.

    Reads the whole log, and as many manifests as the logarithm of their number. Nothing is opened but segments whose
    file keys the log's own store holds.
    """
    agreed, differs, holder = Frontier(), 0, stored.manifest
    for entry in holder.segments:
        if entry.last > at.position or _extended(session, agreed, entry.last) != entry.frontier_after():
            differs = entry.last
            break
        agreed = entry.frontier_after()
    if not differs:
        return None
    agreed, differs, holder = _narrowed(session, at, repository, agreed, holder, differs)
    is_sound = _extended(session, agreed, at.position) == at.frontier
    opened = _opened(session, repository, (holder, stored.manifest), agreed.size, root_key)
    last, record = (agreed.size, None) if opened is None else opened
    common = event_table.record_at(session, last) if last else None
    return Divergence(
        backup=stored,
        log=at,
        location=repository.store.location,
        agreed=last,
        agreed_at=common.recorded_at if common else "",
        differs=last + 1 if opened else differs,
        record=record,
        is_sound=is_sound,
    )


def is_sound(session: Session, at: Head) -> bool:
    """Whether the records of the log have the Merkle root of its head."""
    return _extended(session, Frontier(), at.position) == at.frontier


def _extended(session: Session, frontier: Frontier, until: int) -> Frontier:
    """Return the frontier of the log up to a position, computed on from an earlier one."""
    grown = frontier.copy()
    for page in paged(event_table.records(session, after=frontier.size, until=until)):
        grown.extend(page.leaves)
    return grown


def _narrowed(
    session: Session, at: Head, repository: Repository, agreed: Frontier, of: Manifest, differs: int
) -> tuple[Frontier, int, Manifest]:
    """Find by halves the last manifest that the log agrees with, and the first that it does not."""
    names = repository.manifest_names(of.deployment)
    low, high = 0, len(names)
    while low < high:
        middle = (low + high) // 2
        try:
            found = repository.read(names[middle]).manifest
        except (Corrupt, NotFound):
            found = None
        if found is None or found.verifier != of.verifier:
            del names[middle]
            high -= 1
        elif found.last <= agreed.size:
            low = middle + 1
        elif found.last >= differs:
            high = middle
        elif found.last <= at.position and _extended(session, agreed, found.last) == _end(found):
            agreed, low = _end(found), middle + 1
        else:
            differs, of, high = found.last, found, middle
    return agreed, differs, of


def _end(of: Manifest) -> Frontier:
    return of.segments[-1].frontier_after() if of.segments else Frontier()


def _opened(
    session: Session, repository: Repository, manifests: Sequence[Manifest], agreed: int, root_key: RootKey
) -> tuple[int, Recorded | None] | None:
    """Compare record by record, in a segment whose file key is here; None if there is none."""
    for of in manifests:
        before = Frontier()
        for entry in of.segments:
            if entry.first <= agreed + 1 <= entry.last:
                with suppress(Corrupt, NotFound, WrongKey):
                    for key in memory.segment_keys(session, [entry.sha256], root_key).values():
                        return _compared(session, _records(repository, of, entry, key, before))
            before = entry.frontier_after()
    return None


def _records(
    repository: Repository, of: Manifest, entry: SegmentEntry, file_key: bytes, before: Frontier
) -> Iterator[tuple[int, bytes]]:
    data = repository.get_object(of.deployment, entry)
    position = before.size
    for page in segment.pages(data, lines_file.with_file_key(file_key), entry, before):
        for record in page.records:
            position += 1
            yield position, record


def _compared(session: Session, backed_up: Iterator[tuple[int, bytes]]) -> tuple[int, Recorded | None]:
    """Return the last position that both have, and what the backup has at the next one."""
    last, log = 0, None
    for position, record in backed_up:
        log = log or event_table.records(session, after=position - 1)
        if next(log, None) != record:
            return position - 1, decode_record(record)
        last = position
    return last, None


def _shown(positions: range, *, is_exact: bool) -> str:
    at_most = "" if is_exact else " at most"
    if len(positions) == 1:
        return f"position {positions[0]} (1 record{at_most})"
    return f"positions {positions[0]} to {positions[-1]} ({len(positions)} records{at_most})"
