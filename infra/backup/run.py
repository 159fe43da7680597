"""One backup run: what is new in the log goes into the repository, is read back, and is stated by a signed manifest."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from domain.backup_recipient import BackupRecipient, encryption, recipients
from domain.errors import Conflict, Corrupt, NotFound, Refused, Unavailable
from domain.release import RELEASE
from infra.backup import divergence, layout, manifest, memory, turn
from infra.backup.age import fingerprint, parse_recipient
from infra.backup.audience import stale as stale_objects
from infra.backup.audience import taken_over
from infra.backup.continuation import Continuation, continue_from, find_newest
from infra.backup.cutter import Written
from infra.backup.divergence import Disagreement
from infra.backup.draft import Audience, Draft
from infra.backup.manifest import AnswersEntry, KeyringEntry, Manifest, RecipientEntry
from infra.backup.memory import Remembered
from infra.backup.repository import Repository, Stored
from infra.database.session import Database, Session
from infra.keys import keyring
from infra.keys.root_key import RootKey
from infra.log import checkpoint, head, record, wrapping
from infra.log.head import Head
from infra.state.snapshot import Snapshot
from projections.progress import Progress, silent
from projections.version import FOLD_GENERATION

ATTEMPTS = 20

SMALL_KEYRING_KEYS = 10_000
"""A new base of so many keys, 600 KB, is written as often as keys are destroyed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. `is_new` is false if there was nothing to back up since `manifest`."""

    manifest: Manifest
    sha256: str
    is_new: bool
    records: int
    size_bytes: int
    keys: int
    is_new_base: bool = False
    """Whether it wrote a new base of the keyring."""
    holds_destroyed_keys: bool = False
    """Whether a keyring file of the manifest holds a key that was destroyed since: a new base is due, and put off."""
    keyring_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The file keys of the keyring files that it wrote, by SHA-256; kept nowhere else (docs/decisions/0014…)."""
    answers_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """That of the answers file, if it wrote one."""


class _Wanted(NamedTuple):
    """What `run` says of its flags."""

    begins_keyring: bool
    rekeys: bool
    spares_keyring: bool
    asks: bool


def run(
    database: Database,
    root_key: RootKey,
    repository: Repository,
    clock: Callable[[], str],
    progress: Progress = silent,
    *,
    begins_keyring: bool = False,
    rekeys: bool = False,
    spares_keyring: bool = False,
    asks: bool = False,
) -> Outcome:
    """Back up whatever is new; safe beside running writers, readers and other runs.

    If it `begins_keyring` there is a new manifest in any case, and its keyring is one new base. So there is once keys
    were destroyed that the last one's files hold, unless it `spares_keyring` because of its size. If it `rekeys`, some
    of what is not sealed to the present recipients is written again, see infra.backup.rekeying. If it `asks`, a new
    manifest has new answers. Raises Refused or
    Corrupt if the log and its backups no longer agree. Killed, it leaves objects that nothing names, and an encrypted
    temporary file.
    """
    wanted = _Wanted(begins_keyring, rekeys, spares_keyring, asks)
    for _ in range(ATTEMPTS):
        if not rekeys:
            turn.wait(database)
        outcome = _attempt(database, root_key, repository, clock, progress, wanted)
        if outcome is not None:
            if outcome.is_new_base:
                database.erase_remains()  # of keys that were destroyed while others read, of which this run is one
            return outcome
    raise Conflict(f"other backup runs were faster {ATTEMPTS} times in a row: run it again when they are done")


def _attempt(
    database: Database,
    root_key: RootKey,
    repository: Repository,
    clock: Callable[[], str],
    progress: Progress,
    wanted: _Wanted,
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
        if (at.deployment, at.epoch) != (known.deployment, known.epoch):
            return None  # it was forked meanwhile
        try:
            before = continue_from(session, at, newest)
        except Disagreement as error:
            raise _explained(error, session, at, repository, newest.stored, root_key) from None
        audience = _audience(recipients(Snapshot(session, at.position)))
        stored = before.stored
        stale = stale_objects(stored.manifest, audience.entries) if wanted.rekeys and stored is not None else []
        holds_destroyed_keys = any(keyring.holds_destroyed(session, one.after, one.until) for one in before.keyring)
        is_base = wanted.begins_keyring or any(isinstance(entry, KeyringEntry) for entry in stale)
        is_base = is_base or (holds_destroyed_keys and not (wanted.spares_keyring and _is_large(before)))
        is_due = is_base or bool(stale) or stored is None or _is_due(stored.manifest, before, at, audience, remembered)
        if stored is not None and not is_due:
            if stored != last:
                _remember(database, stored)
            return Outcome(stored.manifest, stored.sha256, False, 0, 0, 0, holds_destroyed_keys=holds_destroyed_keys)
        draft = Draft(session, at, before, audience, repository, stack.enter_context(_temporary_folder()))
        try:
            segments = draft.put_segments(progress)
            if wanted.rekeys:
                segments += draft.put_again(progress)
            keys = draft.put_keyring(root_key, is_base=is_base)
            if at.position and (wanted.asks or any(isinstance(entry, AnswersEntry) for entry in stale)):
                draft.put_answers()
        except Corrupt as error:
            if repository.manifest_names(at.deployment, since=before.sequence):
                return None  # what a run puts that has lost already, may be pruned before it is read back
            if isinstance(error, Disagreement):
                raise _explained(error, session, at, repository, stored, root_key) from None
            raise
        _check_repository_file(repository, stored)
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
    is_new_base = stated.keyring[0].sequence == stated.sequence
    return Outcome(
        manifest=stated,
        sha256=written.sha256,
        is_new=True,
        records=new,
        size_bytes=draft.size_bytes,
        keys=keys,
        is_new_base=is_new_base,
        holds_destroyed_keys=holds_destroyed_keys and not is_new_base,
        keyring_keys=draft.keyring_keys,
        answers_keys=draft.answers_keys,
    )


def _is_large(before: Continuation) -> bool:
    return sum(entry.keys for entry in before.keyring) > SMALL_KEYRING_KEYS


def _explained(
    error: Disagreement,
    session: Session,
    at: Head,
    repository: Repository,
    stored: Stored | None,
    root_key: RootKey,
) -> Corrupt:
    """Return a disagreement with where log and backup part, and the ways out."""
    found = divergence.find(session, at, repository, stored, root_key) if stored else None
    return divergence.explained(error, found)


def _check_repository_file(repository: Repository, before: Stored | None) -> None:
    """Read it once more: the first manifest binds its chain to it, and what one misread gave would break that for ever.

    A later manifest is compared with the one before it.
    """
    if before is None and Repository.open(repository.store).sha256 != repository.sha256:
        raise Unavailable(
            f"{layout.REPOSITORY_FILE} in {repository.store.location} reads differently from moment to moment: "
            "nothing was backed up; try again, and look after the place"
        )


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
        head.read(session, lock=True)
        wrapping.check(session, root_key)
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
        answers=draft.answers,
        checkpoint=checkpoint.sign(stated, signer),
        state_digest=at.digest.to_bytes().hex(),
        recipients=audience.entries,
        audiences=taken_over(
            before.stored.manifest if before.stored else None,
            [*draft.segments, *draft.keyring, *([draft.answers] if draft.answers else [])],
            audience.entries,
        ),
        encryption=audience.encryption,
        verifier=str(signer.verifier),
        endorsements=remembered.endorsements,
    )
