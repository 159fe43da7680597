"""Inventory: what a repository holds of one deployment, and which manifests name which object."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from domain.errors import NotFound
from infra.backup import freshness, layout
from infra.backup.manifest import Entry, KeyringEntry
from infra.backup.prune_statement import Link, PruneStatement
from infra.backup.repository import PruneStatements, Repository, Stored
from infra.backup.retention import Backup
from projections.progress import Progress


@dataclass(frozen=True, slots=True)
class Present:
    """A manifest that is there.

    `missing` is the name of an object that it names, that is not there, and that no statement allows to be missing.
    """

    link: Link
    backup: Backup
    last: int
    size_bytes: int
    missing: str


@dataclass(slots=True)
class Use:
    """An object that manifests name. All of them lie in `first` to `last`, and they follow one another in the chain.

    A manifest takes an object over from the one before it, and what it leaves out no later one names again. `covers`
    are the positions (after, until] of a keyring file.
    """

    name: str
    size_bytes: int
    is_there: bool
    first: int
    last: int
    covers: tuple[int, int] | None = None

    def is_by(self, sequences: Sequence[int]) -> bool:
        """Whether one of these manifests, in order, is among those that may name it."""
        at = bisect_left(sequences, self.first)
        return at < len(sequences) and sequences[at] <= self.last


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is there. The objects were listed before the manifests, and those before their greatest number.

    `uses` are by SHA-256, `unnamed_sizes` those of objects that no manifest names. `void` are numbers at manifests'
    names that carry no manifest. `statements` are the valid ones, newest first; keyring files with a number less than
    `missable_keyrings` may be missing.
    """

    newest: Stored
    manifests: Mapping[int, Present]
    void: Sequence[int]
    newest_number: int
    objects: Sequence[str]
    uses: Mapping[str, Use]
    unnamed_sizes: Mapping[str, int]
    statements: Sequence[PruneStatement]
    statement_number: int
    missable_keyrings: int

    @property
    def anchor(self) -> int:
        """The first manifest of the chain, which shows who signs it."""
        return next(iter(self.manifests))

    def use(self, name: str) -> Use | None:
        """Return who names an object; None if no manifest that is there does."""
        use = self.uses.get(layout.object_sha256(name) or "")
        return use if use is not None and use.name == name else None

    def is_used(self, name: str, sequences: Sequence[int]) -> bool:
        """Whether an object is named by one of these manifests, in order, or attests one."""
        attested = layout.attested_sequence(name)
        if attested is not None:
            at = bisect_left(sequences, attested)
            return at < len(sequences) and sequences[at] == attested
        use = self.use(name)
        return use is not None and use.is_by(sequences)

    def size_bytes(self, sequences: Iterable[int], names: Iterable[str]) -> int:
        """Return how much manifests and other objects take; what is void counts for nothing."""
        manifests = sum(self.manifests[n].size_bytes for n in sequences if n in self.manifests)
        uses = ((name, self.use(name)) for name in names)
        return manifests + sum(use.size_bytes if use else self.unnamed_sizes.get(name, 0) for name, use in uses)


def read(repository: Repository, deployment: str, progress: Progress) -> Inventory:
    """Look at everything of a deployment, without opening it; Corrupt if its chain is, NotFound if it has no backup."""
    objects = [
        name
        for folder in ("answers", "attestations", "keyrings", "segments")
        for name in repository.store.list(f"{deployment}/{folder}/")
        if layout.is_prunable(name)
    ]
    uses = _Uses(repository, deployment, objects)
    attested = attested_sequences(repository, deployment)
    newest, manifests = None, dict[int, Present]()
    total = len(repository.manifest_names(deployment))
    statements = PruneStatements(repository, deployment)
    for newest in repository.chain(deployment):
        found = newest.manifest
        if not manifests:
            uses.missable_keyrings = statements.missable_keyrings(found)
        attested_by = attested.get(found.sequence, frozenset())
        backup = Backup(found.sequence, found.created_at, found.recorded_at, attested_by)
        missing = uses.add(found.sequence, found.objects())
        manifests[found.sequence] = Present(newest.link, backup, found.last, len(newest.data), missing)
        progress("reading manifests", len(manifests), max(len(manifests), total))
    if newest is None:
        raise NotFound(f"{repository.store.location} holds no backup of deployment {deployment}")
    numbers = [layout.manifest_sequence(name) or 0 for name in repository.manifest_names(deployment)]
    statements = PruneStatements(repository, deployment)
    return Inventory(
        newest=newest,
        manifests=manifests,
        void=[number for number in numbers if number not in manifests and number < newest.manifest.sequence],
        newest_number=max(numbers),
        objects=objects,
        uses=uses.by_sha256,
        unnamed_sizes=dict(_sizes(repository, (name for name in objects if uses.is_unnamed(name)))),
        statements=list(statements.valid(newest.manifest)),
        statement_number=max((layout.prune_sequence(name) or 0 for name in statements.names), default=0),
        missable_keyrings=statements.missable_keyrings(newest.manifest),
    )


def attested_sequences(repository: Repository, deployment: str) -> Mapping[int, frozenset[str]]:
    """Return which backups are attested to be verified, and what that is worth: `valid`, or `unchecked`."""
    found: dict[int, frozenset[str]] = {}
    for one in freshness.judged(repository, deployment):
        sequence = layout.attested_sequence(one.name)
        if sequence is not None and one.standing != "invalid":
            found[sequence] = found.get(sequence, frozenset()) | {one.standing}
    return found


def _sizes(repository: Repository, names: Iterable[str]) -> Iterator[tuple[str, int]]:
    for name in names:
        with suppress(NotFound):
            yield name, repository.store.head(name)


class _Uses:
    """The objects that manifests name, by SHA-256."""

    def __init__(self, repository: Repository, deployment: str, listed: Sequence[str]) -> None:
        self._repository = repository
        self._deployment = deployment
        self._listed = frozenset(listed)
        self.by_sha256: dict[str, Use] = {}
        self.missable_keyrings = 0

    def add(self, sequence: int, entries: Sequence[Entry]) -> str:
        """Take note of what the next manifest names, and return the name of an object that is missing."""
        missing = ""
        for entry in entries:
            use = self.by_sha256.get(entry.sha256)
            if use is None:
                name = entry.name(self._deployment)
                covers = (entry.after, entry.until) if isinstance(entry, KeyringEntry) else None
                use = Use(name, entry.size_bytes, self._is_there(name), sequence, sequence, covers)
                self.by_sha256[entry.sha256] = use
            use.last = sequence
            may_be_missing = isinstance(entry, KeyringEntry) and entry.sequence < self.missable_keyrings
            if not use.is_there and not may_be_missing:
                missing = missing or use.name
        return missing

    def is_unnamed(self, name: str) -> bool:
        """Whether no manifest names an object."""
        return (layout.object_sha256(name) or "") not in self.by_sha256

    def _is_there(self, name: str) -> bool:
        """Whether it was listed, or was put since."""
        if name in self._listed:
            return True
        try:
            self._repository.store.head(name)
        except NotFound:
            return False
        return True
