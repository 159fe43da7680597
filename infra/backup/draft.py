"""The draft of a backup: the objects of one run, put into the repository and read back before a manifest names them."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from domain.backup_recipient import Encryption
from infra.backup import audience, compaction, keyring_file, lines_file
from infra.backup.age import Recipient
from infra.backup.continuation import Continuation
from infra.backup.cutter import Cutter, Written
from infra.backup.divergence import Disagreement
from infra.backup.manifest import AnswersEntry, KeyringEntry, RecipientEntry
from infra.backup.repository import Repository
from infra.database.session import Session
from infra.keys import keyring
from infra.keys.root_key import RootKey
from infra.log import event_table
from infra.log.head import Head
from infra.log.merkle import Frontier
from infra.log.page import Page, paged
from projections.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom the objects of this run are sealed to."""

    recipients: tuple[Recipient, ...]
    allow_mixed: bool
    encryption: Encryption
    entries: tuple[RecipientEntry, ...]


class Draft:
    """What the next manifest will say of segments and keyrings, after `put_segments` and `put_keyring`."""

    def __init__(
        self,
        session: Session,
        at: Head,
        before: Continuation,
        audience: Audience,
        repository: Repository,
        folder: Path,
    ) -> None:
        self._session = session
        self._at = at
        self._before = before
        self._audience = audience
        self._repository = repository
        self._folder = folder
        self.segments = before.segments
        self.keyring = before.keyring
        self.answers = before.answers
        self.size_bytes = 0
        self.keyring_keys: dict[str, bytes] = {}
        self.answers_keys: dict[str, bytes] = {}

    def put_segments(self, progress: Progress) -> list[Written]:
        """Write the records since the last backup; raises Disagreement if they do not lead to the log's own root."""
        until = self._at.position
        self.segments = compaction.kept_segments(self._before.segments, until, self._records_bytes)
        start = self.segments[-1].frontier_after() if self.segments else Frontier()
        cutter = Cutter(self._pages(start, progress), start)
        written = self._put(cutter)
        if cutter.frontier != self._at.frontier:
            raise Disagreement(
                f"the records up to position {until} do not have the Merkle root that the log's head says: "
                f"`resurgam log verify` tells where; what is backed up, to {self._before.position}, is as it was"
            )
        self.segments += tuple(each.entry for each in written)
        return written

    def put_again(self, progress: Progress) -> list[Written]:
        """Write some segments of earlier backups again that are not sealed to this audience, the first ones first.

        Not all, so that little is lost if another run is faster.
        """
        stored = self._before.stored
        stale = {e.sha256 for e in audience.stale(stored.manifest, self._audience.entries)} if stored else set()
        found = next((number for number, entry in enumerate(self.segments) if entry.sha256 in stale), None)
        if found is None:
            return []
        replaced = list(compaction.written_together(self.segments[found:], stale, self._records_bytes))
        start = self.segments[found - 1].frontier_after() if found else Frontier()
        cutter = Cutter(self._backed_up(start, replaced[-1].frontier_after(), progress), start)
        written = self._put(cutter)
        entries = tuple(each.entry for each in written)
        self.segments = (*self.segments[:found], *entries, *self.segments[found + len(replaced) :])
        return written

    def _put(self, cutter: Cutter) -> list[Written]:
        written = []
        with _Reader(self._repository, self._at.deployment) as reader:
            for each in cutter.cut(self._folder, self._audience.recipients, allow_mixed=self._audience.allow_mixed):
                reader.put(each)
                written.append(each)
        self.size_bytes += sum(each.entry.size_bytes for each in written)
        return written

    def _pages(self, start: Frontier, progress: Progress) -> Iterator[Page]:
        done, total = 0, self._at.position - start.size
        for page in chain(self._backed_up(start, self._before.frontier), self._new()):
            yield page
            done += len(page.records)
            progress("backing up records", done, total)

    def _records_bytes(self, after: int, until: int) -> int:
        return event_table.size_bytes(self._session, after, until)

    def _backed_up(self, start: Frontier, end: Frontier, progress: Progress = silent) -> Iterator[Page]:
        """Yield the records of segments that are written again; Disagreement if they are not as they were backed up."""
        frontier = start.copy()
        for page in paged(event_table.records(self._session, after=start.size, until=end.size)):
            frontier.extend(page.leaves)
            yield page
            progress("sealing records again", frontier.size - start.size, end.size - start.size)
        if frontier != end:
            raise Disagreement(
                f"the records from position {start.size + 1} to {end.size} are not those that were backed "
                "up: `resurgam log verify` and `resurgam backup verify` tell on which side they were changed"
            )

    def _new(self) -> Iterator[Page]:
        return paged(event_table.records(self._session, after=self._before.position, until=self._at.position))

    def put_keyring(self, root_key: RootKey, *, is_base: bool = False) -> int:
        """Write the keys that changed since the last keyring, and what is compacted with them; returns how many did.

        With `is_base` all are written anew. The file keys of what was written are then in `keyring_keys`.
        """
        until = self._at.position
        after = self.keyring[-1].until if self.keyring else 0
        changed = keyring.count_changed(self._session, after, until)
        kept = () if is_base else compaction.kept_keyrings(self.keyring, changed)
        if kept and not changed:
            return 0
        entry = self._put_keyring(kept[-1].until if kept else 0, until, root_key)
        self.keyring = (*kept, entry)
        self.size_bytes += entry.size_bytes
        return changed

    def _put_keyring(self, after: int, until: int, root_key: RootKey) -> KeyringEntry:
        path = self._folder / "keyring"
        keys = keyring.changed_between(self._session, after, until)
        lines = keyring_file.lines(keys, root_key, after, until)
        sealed = lines_file.write(path, lines, self._audience.recipients, allow_mixed=self._audience.allow_mixed)
        entry = KeyringEntry(
            after=after,
            until=until,
            keys=sealed.lines - 1,
            sequence=self._before.sequence,
            sha256=sealed.sha256,
            size_bytes=sealed.size_bytes,
        )
        self._repository.put_object(entry.name(self._at.deployment), path)
        data = self._repository.get_object(self._at.deployment, entry)
        lines_file.check(data, sealed, f"keyring {entry.sequence} up to position {until}")
        self.keyring_keys[entry.sha256] = sealed.file_key
        return entry

    def put_answers(self) -> None:
        """Ask the state, and write what it answers; the file key is then in `answers_keys`."""
        from infra.backup import answers  # loads every question, which most runs do not ask

        path = self._folder / "answers"
        lines = answers.lines(self._session, self._at)
        sealed = lines_file.write(path, lines, self._audience.recipients, allow_mixed=self._audience.allow_mixed)
        entry = AnswersEntry(
            answers=sealed.lines - 1,
            position=self._at.position,
            sequence=self._before.sequence,
            sha256=sealed.sha256,
            size_bytes=sealed.size_bytes,
        )
        self._repository.put_object(entry.name(self._at.deployment), path)
        data = self._repository.get_object(self._at.deployment, entry)
        lines_file.check(data, sealed, f"answers {entry.sequence} of position {entry.position}")
        self.answers_keys[entry.sha256] = sealed.file_key
        self.answers = entry
        self.size_bytes += entry.size_bytes


class _Reader:
    """Puts segments into the repository and reads them back in a thread of its own, while the next one is cut.

    As a context it ends when all are read; what is wrong with one is raised then, or by the next `put`.
    """

    def __init__(self, repository: Repository, deployment: str) -> None:
        self._repository = repository
        self._deployment = deployment
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-back")
        self._reading: Future[None] | None = None

    def put(self, written: Written) -> None:
        """Take one more, as soon as the one before it is done."""
        self._wait()
        self._reading = self._thread.submit(self._put_and_read, written)

    def _put_and_read(self, written: Written) -> None:
        entry = written.entry
        self._repository.put_object(entry.name(self._deployment), written.path)
        written.path.unlink()
        data = self._repository.get_object(self._deployment, entry)
        lines_file.check(data, written.sealed, f"segment {entry.first}-{entry.last}")

    def _wait(self) -> None:
        if self._reading is not None:
            self._reading.result()

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown()
        if kind is None:
            self._wait()
