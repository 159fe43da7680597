"""One backup run: what is new in the log goes into the repository, is read back, and is stated by a signed manifest."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from domain.backup_recipient import BackupRecipient, encryption, recipients
from domain.errors import Conflict, Corrupt, NotFound, Refused, Unavailable
from domain.release import RELEASE
from infra.backup import manifest, memory, turn
from infra.backup.age import fingerprint, parse_recipient
from infra.backup.audience import stale as stale_objects
from infra.backup.audience import taken_over
from infra.backup.continuation import Continuation, continue_from, find_newest
from infra.backup.cutter import Written
from infra.backup.draft import Audience, Draft
from infra.backup.manifest import KeyringEntry, Manifest, RecipientEntry
from infra.backup.memory import Remembered
from infra.backup.repository import Repository, Stored
from infra.database.session import Database
from infra.keys.root_key import RootKey
from infra.log import checkpoint, head, record
from infra.log.head import Head
from infra.state.snapshot import Snapshot
from projections.progress import Progress, silent
from projections.version import FOLD_GENERATION

ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. `is_new` is false if there was nothing to back up since `manifest`."""

    manifest: Manifest
    sha256: str
    is_new: bool
    records: int
    size_bytes: int
    keys: int
    keyring_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The file keys of the keyring files that it wrote, by SHA-256; kept nowhere else (docs/decisions/0014…)."""


def run(
    database: Database,
    root_key: RootKey,
    repository: Repository,
    clock: Callable[[], str],
    progress: Progress = silent,
    *,
    begins_keyring: bool = False,
    rekeys: bool = False,
) -> Outcome:
    """Back up whatever is new; safe beside running writers, readers and other runs.

    If it `begins_keyring` there is a new manifest in any case, and its keyring is one new base. If it `rekeys`, some of
    what is not sealed to the present recipients is written again, see infra.backup.rekeying. Raises Refused or
    Corrupt if the log and its backups no longer agree. Killed, it leaves objects that nothing names, and an encrypted
    temporary file.
    """
    for _ in range(ATTEMPTS):
        if not rekeys:
            turn.wait(database)
        outcome = _attempt(database, root_key, repository, clock, progress, begins_keyring, rekeys)
        if outcome is not None:
            return outcome
    raise Conflict(f"other backup runs were faster {ATTEMPTS} times in a row: run it again when they are done")


def _attempt(
    database: Database,
    root_key: RootKey,
    repository: Repository,
    clock: Callable[[], str],
    progress: Progress,
    begins_keyring: bool,
    rekeys: bool,
) -> Outcome | None:
    """Return what the run did; None if another one took the manifest's name: then plan again behind it."""
    with database.read() as session:
        known = head.read_open(session)
        remembered = memory.read(session, root_key)
        last = memory.last_manifest(session, repository.id)
    newest = find_newest(repository, known, remembered.signer.verifier, last)
    with ExitStack() as stack:
        session = stack.enter_context(database.read())
        at = head.read_open(session)
        before = continue_from(session, at, newest)
        audience = _audience(recipients(Snapshot(session, at.position)))
        stored = before.stored
        stale = stale_objects(stored.manifest, audience.entries) if rekeys and stored is not None else []
        begins_keyring = begins_keyring or any(isinstance(entry, KeyringEntry) for entry in stale)
        is_due = begins_keyring or bool(stale)
        is_due = is_due or stored is None or _is_due(stored.manifest, before, at, audience, remembered)
        if stored is not None and not is_due:
            if stored != last:
                _remember(database, stored)
            return Outcome(stored.manifest, stored.sha256, False, 0, 0, 0)
        draft = Draft(session, at, before, audience, repository, stack.enter_context(_temporary_folder()))
        try:
            segments = draft.put_segments(progress)
            if rekeys:
                segments += draft.put_again(progress)
            keys = draft.put_keyring(root_key, is_base=begins_keyring)
        except Corrupt:
            if repository.manifest_names(at.deployment, since=before.sequence):
                return None  # what a run puts that has lost already, may be pruned before it is read back
            raise
        _keep_file_keys(database, segments, root_key)
        stated = _manifest(at, before, remembered, audience, repository, clock(), draft)
        written = Stored(stated, manifest.sign(stated, remembered.signer))
        try:
            repository.store.put_new(stated.name, written.data)
        except Conflict:
            return None
        if repository.read(stated.name) != written:
            raise Corrupt(f"{stated.name} reads back differently from what was written")
        if not _is_followed(repository, written):
            return None
    _remember(database, written)
    new = at.position - before.position
    return Outcome(stated, written.sha256, True, new, draft.size_bytes, keys, draft.keyring_keys)


def _is_followed(repository: Repository, written: Stored) -> bool:
    """Whether the next manifest, if there is one by now, follows this one.

    If not, this one is in a gap that a prune left: other runs were faster, and the first of them is pruned already.
    """
    stated = written.manifest
    for name in repository.manifest_names(stated.deployment, since=stated.sequence + 1):
        with suppress(Corrupt, NotFound):  # void
            return repository.signed(name).manifest.previous == written.sha256
    return True


def _keep_file_keys(database: Database, segments: Sequence[Written], root_key: RootKey) -> None:
    """Keep them before a manifest names the segments: of one that it names, the key is never missing."""
    with database.write() as session:
        for written in segments:
            memory.put_segment_key(session, written.entry.sha256, written.sealed.file_key, root_key)


def _remember(database: Database, stored: Stored) -> None:
    with database.write() as session:
        head.read(session, lock=True)
        memory.put_manifest(session, stored)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder for files on their way into the repository; they are encrypted already."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="resurgam-backup-")
    except OSError as error:
        raise Unavailable(f"cannot make a temporary folder, TMPDIR names another place: {error.strerror}") from error
    with folder as name:
        yield Path(name)


def _is_due(last: Manifest, before: Continuation, at: Head, audience: Audience, remembered: Remembered) -> bool:
    """Whether anything changed that a new manifest would say."""
    said = (last.last, last.recipients, last.encryption, last.endorsements, ())
    return said != (at.position, audience.entries, audience.encryption, remembered.endorsements, before.void)


def _audience(states: Sequence[BackupRecipient]) -> Audience:
    if not states:
        raise Refused(
            "no backup recipient is recorded: make an identity with `resurgam key generate` "
            "and record its recipient with AddBackupRecipient",
            rule="backup-recipient-exists",
        )
    parsed = [parse_recipient(state["recipient"]) for state in states]
    found = encryption(state["recipientKind"] for state in states)
    entries = [
        RecipientEntry(fingerprint=fingerprint(r), kind=s["recipientKind"]) for r, s in zip(parsed, states, strict=True)
    ]
    return Audience(tuple(parsed), found == "mixed", found, tuple(sorted(entries, key=lambda entry: entry.fingerprint)))


def _manifest(
    at: Head,
    before: Continuation,
    remembered: Remembered,
    audience: Audience,
    repository: Repository,
    created_at: str,
    draft: Draft,
) -> Manifest:
    signer = remembered.signer
    stated = checkpoint.Checkpoint(manifest.origin(at.deployment), at.position, at.root)
    return Manifest(
        repository=repository.id,
        repository_sha256=repository.sha256,
        deployment=at.deployment,
        epoch=at.epoch,
        parent_epoch=at.parent_epoch,
        ancestor=remembered.ancestor,
        sequence=before.sequence,
        previous=before.previous,
        void=before.void,
        created_at=created_at,
        release=RELEASE,
        fold_generation=FOLD_GENERATION,
        record_format=record.FORMAT,
        last=at.position,
        recorded_at=at.instant if at.position else "",
        segments=draft.segments,
        keyring=draft.keyring,
        checkpoint=checkpoint.sign(stated, signer),
        state_digest=at.digest.to_bytes().hex(),
        recipients=audience.entries,
        audiences=taken_over(
            before.stored.manifest if before.stored else None, [*draft.segments, *draft.keyring], audience.entries
        ),
        encryption=audience.encryption,
        verifier=str(signer.verifier),
        endorsements=remembered.endorsements,
    )
