"""A repository: the backups of one or more deployments in a store, read from their manifests."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from domain.errors import Conflict, Corrupt, NotFound
from infra.backup import layout, manifest, prune_statement
from infra.backup.manifest import Entry, Manifest
from infra.backup.prune_statement import Gaps, Link, PruneStatement
from infra.backup.stores.store import Store
from infra.canonical_json import decode_canonical, encode

FORMAT = 1
HELD_MAX = 16
"""So many manifests at most, one after another, can be listed as void, be mended, and count for nothing."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A manifest and the bytes that it has in the repository."""

    manifest: Manifest
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The SHA-256 by which the next manifest names this one."""
        return manifest.digest(self.data)

    @property
    def link(self) -> Link:
        """How it stands in its chain."""
        found = self.manifest
        void = tuple(number for name in found.void if (number := layout.manifest_sequence(name)) is not None)
        return Link(found.sequence, self.sha256, found.previous, void)


class Repository:
    """Objects of a repository whose file was read and found well-formed; `sha256` is that of the file."""

    def __init__(self, store: Store, repository_id: str, file_sha256: str) -> None:
        self.store = store
        self.id = repository_id
        self.sha256 = file_sha256

    @classmethod
    def open(cls, store: Store) -> "Repository":
        """Open a repository; NotFound if there is none, Corrupt if its file is damaged, or missing beside backups."""
        try:
            data = store.get(layout.REPOSITORY_FILE)
        except NotFound:
            data = _written_meanwhile(store)
        value = decode_canonical(data.removesuffix(b"\n"), layout.REPOSITORY_FILE)
        known = isinstance(value, dict) and value.keys() == {"format", "repository"} and data.endswith(b"\n")
        if not known or value["format"] != FORMAT or not layout.is_deployment(str(value["repository"])):
            raise Corrupt(f"{layout.REPOSITORY_FILE} in {store.location} is not one of format {FORMAT}")
        return cls(store, value["repository"], sha256(data).hexdigest())

    @classmethod
    def open_or_create(cls, store: Store) -> "Repository":
        """Open the repository, made now if there is none."""
        try:
            return cls.open(store)
        except NotFound:
            data = encode({"format": FORMAT, "repository": str(uuid4())}) + b"\n"
            with suppress(Conflict):  # another writer was first; its file is the repository's
                store.put_new(layout.REPOSITORY_FILE, data)
            return cls.open(store)

    def deployments(self) -> list[str]:
        """Return the ids of the deployments that have manifests, sorted."""
        return _deployments(self.store)

    def manifest_names(self, deployment: str, *, since: int = 0) -> list[str]:
        """Return the names of a deployment's manifests, oldest first; whatever else lies beside them cannot be one.

        With `since` those from that sequence on, which takes no longer with many before it.
        """
        after = layout.manifest(deployment, since - 1) if since else ""
        listed = self.store.list(layout.manifests(deployment), after=after)
        return [name for name in listed if layout.manifest_sequence(name) is not None]

    def read(self, name: str) -> Stored:
        """Return a manifest that belongs to this repository and fits together; Corrupt, naming it, otherwise."""
        return self.checked(self.signed(name))

    def signed(self, name: str) -> Stored:
        """Return a manifest of which only its signature was checked; Corrupt, naming it, if it carries no valid one."""
        if self.store.head(name) > manifest.BYTES_MAX:
            raise Corrupt(f"{name} is larger than {manifest.BYTES_MAX} bytes: it is no manifest")
        data = self.store.get(name)
        return Stored(manifest.parse(data, name), data)

    def checked(self, stored: Stored) -> Stored:
        """Return a signed manifest; Corrupt if it is another repository's, or if its parts contradict each other."""
        found = stored.manifest
        if (found.repository, found.repository_sha256) != (self.id, self.sha256):
            raise Corrupt(
                f"{found.name} belongs to repository {found.repository}, this is {self.id}: it was copied here, or "
                f"{layout.REPOSITORY_FILE} was changed"
            )
        found.check()
        return stored

    def newest(self, deployment: str) -> Stored | None:
        """Return the newest manifest; None if there is none. A damaged newest one is Corrupt, never skipped."""
        names = self.manifest_names(deployment)
        return self.read(names[-1]) if names else None

    def chain(self, deployment: str) -> Iterator[Stored]:
        """Yield every manifest, oldest first; Corrupt if one is missing, replaced, or of another signer than the first.

        What may be missing a prune statement says. A damaged manifest is passed over only if the next valid one lists
        it as void. Beside a prune, what it deletes meanwhile is passed over as well.
        """
        done = 0
        while True:
            # First, so that whatever goes from now on is either allowed by them, or by one that is newer then.
            statements = PruneStatements(self, deployment)
            names = self.manifest_names(deployment)
            try:
                for stored in _linked(self, names, statements):
                    if stored.manifest.sequence > done:
                        yield stored
                        done = stored.manifest.sequence
                return
            except Corrupt:
                if not statements.is_outdated():
                    raise

    def newest_intact(self, deployment: str) -> Stored | None:
        """Return the newest manifest that can be read and has the signer of the oldest that can; None if none can.

        For a chain that `chain` refuses. A manifest stands alone, so damage before it takes nothing from it.
        """
        newest: Stored | None = None
        for name in self.manifest_names(deployment):
            try:
                stored = self.read(name)
            except (Corrupt, NotFound):
                continue
            if newest is None or stored.manifest.verifier == newest.manifest.verifier:
                newest = stored
        return newest

    def prune_statement(self, name: str, of: Manifest) -> PruneStatement:
        """Return a prune statement; Corrupt, naming it, unless the signer of this manifest made it for its chain."""
        if self.store.head(name) > prune_statement.BYTES_MAX:
            raise Corrupt(f"{name} is larger than {prune_statement.BYTES_MAX} bytes: it is no prune statement")
        statement = prune_statement.parse(self.store.get(name), name)
        statement.check(of)
        return statement

    def put_object(self, name: str, path: Path) -> None:
        """Put a local file under a name that holds its SHA-256; if that is taken, reading it back shows by what."""
        with suppress(Conflict):
            self.store.put_file_new(name, path)

    def get_object(self, deployment: str, entry: Entry) -> bytes:
        """Return the bytes of what a manifest names; Corrupt if it is missing or is not what the manifest says."""
        name = entry.name(deployment)
        try:
            if self.store.head(name) == entry.size_bytes:
                data = self.store.get(name)
                if sha256(data).hexdigest() == entry.sha256:
                    return data
        except NotFound:
            raise Corrupt(f"{name} is missing, but a manifest names it") from None
        raise Corrupt(f"{name} is not what its manifest says: it was changed or cut off")


class PruneStatements:
    """The prune statements of a deployment as they are found now; those that are not valid count for nothing."""

    def __init__(self, repository: Repository, deployment: str) -> None:
        self._repository = repository
        self._deployment = deployment
        self.names = self._listed()

    def valid(self, of: Manifest) -> Iterator[PruneStatement]:
        """Yield the valid ones, newest first, of the signer and the epoch of a manifest."""
        for name in reversed(self.names):
            with suppress(Corrupt, NotFound):
                yield self._repository.prune_statement(name, of)

    def gaps(self, of: Manifest) -> Gaps:
        """Return which manifests may be missing."""
        newest = next(self.valid(of), None)
        return Gaps(newest.gaps if newest else ())

    def missable_keyrings(self, of: Manifest) -> int:
        """Return the number before which keyring files may be missing."""
        newest = next(self.valid(of), None)
        return newest.missable_keyrings if newest else 0

    def is_outdated(self) -> bool:
        """Whether there are other ones by now."""
        return self._listed() != self.names

    def _listed(self) -> list[str]:
        listed = self._repository.store.list(layout.prunes(self._deployment))
        return [name for name in listed if layout.prune_sequence(name) is not None]


def _linked(repository: Repository, names: Sequence[str], statements: PruneStatements) -> Iterator[Stored]:
    """Yield the manifests of these names; Corrupt unless they are a chain.

    The last ones are held back: one that could not be read may be listed as void by a later one, and be mended since.
    """
    standing: Stored | None = None
    held: list[Stored] = []
    gaps = Gaps()
    damaged: list[tuple[str, Corrupt]] = []
    for name in names:
        is_in_gap = (layout.manifest_sequence(name) or 0) in gaps
        try:
            stored = repository.read(name)
        except NotFound:
            if name == names[-1]:
                raise Corrupt(f"{name} was the newest manifest, and is missing since") from None
            continue  # whether that may be, the next one tells
        except Corrupt as error:
            if not is_in_gap:
                damaged.append((name, error))
            continue
        void = stored.manifest.void
        for one, damage in damaged:
            if one not in void:
                raise damage
        damaged = []
        held = [one for one in held if one.manifest.name not in void]
        if standing is None and not held:
            gaps = statements.gaps(stored.manifest)
        before = next((one for one in reversed(held) if one.manifest.sequence not in gaps), standing)
        _check_follows(before, stored, gaps, is_in_gap=is_in_gap)
        held.append(stored)
        if len(held) > HELD_MAX:
            yield held[0]
            if held[0].manifest.sequence not in gaps:
                standing = held[0]
            del held[0]
    yield from held
    if damaged:
        raise damaged[0][1]


def _check_follows(before: Stored | None, stored: Stored, gaps: Gaps, *, is_in_gap: bool) -> None:
    """Raise Corrupt unless a manifest follows the one before it in the chain; one in a gap has to follow nothing."""
    found = stored.manifest
    if before is None:
        if found.previous:
            raise Corrupt(f"{found.name} is the oldest manifest here, but not the first: earlier ones are missing")
        return
    last = before.manifest
    if found.verifier != last.verifier or found.epoch != last.epoch:
        raise Corrupt(f"{found.name} is signed by another signer than {last.name}")
    if is_in_gap:
        return
    if found.previous != before.sha256 and not gaps.joins(before.link, stored.link):
        raise Corrupt(f"{found.name} does not follow {last.name}: a manifest between them is missing or was replaced")
    if found.last < last.last or found.recorded_at < last.recorded_at:
        raise Corrupt(f"{found.name} covers less than {last.name}")


def _written_meanwhile(store: Store) -> bytes:
    """Return the file of a repository that had none a moment ago, if there are backups by now: they come after it."""
    deployments = _deployments(store)
    if not deployments:
        raise NotFound(f"{store.location} holds no backup repository: check the location, or make a first backup")
    try:
        return store.get(layout.REPOSITORY_FILE)
    except NotFound:
        raise Corrupt(
            f"{store.location} holds backups of {', '.join(deployments)}, but its "
            f"{layout.REPOSITORY_FILE} is missing: put it back from a copy"
        ) from None


def _deployments(store: Store) -> list[str]:
    found = []
    after = ""
    while (name := next(store.list(after=after), None)) is not None:
        deployment = layout.deployment_of(name)
        if deployment is None:
            after = name
            continue
        if next(store.list(layout.manifests(deployment)), None) is not None:
            found.append(deployment)
        # Everything of one deployment sorts before this name, and everything of the next after it.
        after = f"{deployment}/~"
    return found
