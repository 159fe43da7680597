"""The shred report: where a copy of a destroyed key can still be, and until when."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

from domain.errors import Corrupt, NotFound
from domain.instant import from_datetime, to_datetime, to_microseconds
from infra.backup import inventory, layout, memory, superseding
from infra.backup.inventory import Inventory
from infra.backup.repository import Repository
from infra.canonical_json import decode
from infra.database.session import Database, Session
from infra.keys import keyring
from infra.keys.keyring import WrappedKey
from infra.log import event_table, head, local_fact, wrapping
from projections.progress import Progress, silent

Why = Literal["newest", "superseded", "unnamed", "ancestor"]
"""`newest`: the newest manifest names it, so the next backup has to begin a new keyring. `unnamed`: no manifest names
it, and only its reader knows what is in it. `ancestor`: it is of a deployment that this one came from."""


@dataclass(frozen=True, slots=True)
class CopyFile:
    """A keyring file with so many destroyed keys, None if nobody knows how many.

    It stays until a prune after `until`, and longer if an object lock holds it; None if no prune will delete it as
    things are.
    """

    name: str
    why: Why
    keys: int | None
    until: str | None


@dataclass(frozen=True, slots=True)
class LeftKey:
    """A destroyed key of which a file holds a copy, and the change that destroyed it."""

    key_id: str
    resource: str
    position: int
    destroyed_at: str
    files: int
    until: str | None


@dataclass(frozen=True, slots=True)
class InDatabase:
    """What copies of the database can hold: keys destroyed since the root key is in use, as that still wraps them.

    `overwrites` says whether the store's own files are rid of them.
    """

    engine: str
    overwrites: bool
    root_key_id: str | None
    since: str | None
    keys: int


@dataclass(frozen=True, slots=True)
class ShredReport:
    """What was found at `now`; `retention` as of `Capabilities`."""

    deployment: str
    now: str
    destroyed: int
    files: Sequence[CopyFile]
    keys: Sequence[LeftKey]
    retention: bool | None
    database: InDatabase

    @property
    def is_repository_clean(self) -> bool:
        """Whether no file of the repository can hold a destroyed key."""
        return not self.files

    @property
    def is_nothing_left(self) -> bool:
        """Whether no copy can exist any more, as far as the repository and the root key tell."""
        return self.is_repository_clean and not self.database.keys

    @property
    def until(self) -> str | None:
        """The instant after which a prune can have deleted the last of the files; None if that is not known."""
        untils = [file.until for file in self.files if file.until is not None]
        return max(untils) if untils and len(untils) == len(self.files) else None


class _File(NamedTuple):
    """A keyring file that holds the keys added in (after, until] that lived at `until`."""

    name: str
    why: Why
    after: int
    until: int
    due: str | None

    def holds(self, key: WrappedKey) -> bool:
        return self.after < key.added_at <= self.until < key.shredded_at


def make(
    database: Database,
    repository: Repository,
    grace: timedelta,
    keyring_grace: timedelta,
    now: str,
    progress: Progress = silent,
) -> ShredReport:
    """Look where copies can be. Reads manifests and no keyring, so it needs neither an identity nor the root key."""
    with database.read() as session:
        at = head.read_open(session)
        ancestor = local_fact.get(session, memory.ANCESTOR)
    files: list[_File] = []
    unnamed: list[CopyFile] = []
    with suppress(NotFound):  # no backup yet
        found = inventory.read(repository, at.deployment, progress)
        files += _files(found, grace, keyring_grace, now)
        unnamed += [CopyFile(name, "unnamed", None, None) for name in _unnamed(found)]
    if ancestor is not None:
        files += _ancestors_files(repository, str(decode(ancestor, "the stored ancestor")["deployment"]))
    with database.read() as session:
        destroyed, counts, holding = _spread(session, files)
        told = [CopyFile(file.name, file.why, counts[file.name], file.due) for file in files if counts[file.name]]
        return ShredReport(
            at.deployment,
            now,
            destroyed,
            [*told, *(unnamed if destroyed else ())],
            [_left(session, key, held) for key, held in holding],
            repository.store.capabilities.retention,
            _in_database(session),
        )


def _files(found: Inventory, grace: timedelta, keyring_grace: timedelta, now: str) -> Iterator[_File]:
    superseded = superseding.superseded(found, now)
    marked = {name: s.marked_at for s in found.statements for name in s.objects}
    for name in found.objects:
        use = found.use(name)
        if use is None or use.covers is None:
            continue
        since = superseded.get(name)
        why: Why = "newest" if since is None else "superseded"
        due = None
        if since is not None:
            due = from_datetime(max(since + keyring_grace, to_datetime(marked.get(name, now)) + grace))
        yield _File(name, why, *use.covers, due)


def _unnamed(found: Inventory) -> Iterator[str]:
    for name in found.objects:
        if layout.keyring_sequence(name) is not None and found.use(name) is None:
            yield name


def _ancestors_files(repository: Repository, deployment: str) -> Iterator[_File]:
    """Yield the keyring files of the deployments that this one came from; nobody prunes what they left."""
    seen: set[str] = set()
    while deployment and deployment not in seen:
        seen.add(deployment)
        there = set(repository.store.list(f"{deployment}/keyrings/"))
        files: dict[str, _File] = {}
        before = ""
        for name in repository.manifest_names(deployment):
            with suppress(Corrupt, NotFound):
                of = repository.signed(name).manifest
                before = of.ancestor.deployment if of.ancestor is not None else ""
                for entry in of.keyring:
                    held = entry.name(deployment)
                    files[held] = _File(held, "ancestor", entry.after, entry.until, None)
        yield from (file for name, file in sorted(files.items()) if name in there)
        deployment = before


def _spread(
    session: Session, files: Sequence[_File]
) -> tuple[int, Mapping[str, int], list[tuple[WrappedKey, list[_File]]]]:
    """Return how many keys were destroyed, how many of them each file holds, and each with the files that hold it."""
    destroyed = 0
    counts = {file.name: 0 for file in files}
    holding = []
    for key in keyring.destroyed_keys(session):
        destroyed += 1
        held = [file for file in files if file.holds(key)]
        for file in held:
            counts[file.name] += 1
        if held:
            holding.append((key, held))
    return destroyed, counts, holding


def _left(session: Session, key: WrappedKey, held: Sequence[_File]) -> LeftKey:
    record = event_table.record_at(session, key.shredded_at)
    dues = [file.due for file in held]
    return LeftKey(
        key.key_id,
        record.resource if record is not None else "",
        key.shredded_at,
        record.recorded_at if record is not None else "",
        len(held),
        None if None in dues else max(due for due in dues if due is not None),
    )


def _in_database(session: Session) -> InDatabase:
    used = wrapping.read(session)
    position = event_table.position_at(session, to_microseconds(used.since)) if used is not None else 0
    keys = keyring.count_destroyed(session, position)
    root_key_id, since = (used.root_key_id, used.since) if used is not None else (None, None)
    return InDatabase(session.engine, session.engine == "sqlite", root_key_id, since, keys)
