"""Verification: reads a repository from end to end and compares everything with what its manifests say."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from domain.errors import Corrupt, NotFound
from infra.backup import answers_file, freshness, keyring_file, layout, segment
from infra.backup.age import AgeIdentity
from infra.backup.manifest import Manifest
from infra.backup.repository import PruneStatements, Repository, Stored
from infra.backup.segment import OpenerOf
from infra.keys import base64_text
from infra.log.merkle import Frontier
from infra.log.page import Page
from infra.log.record import decode_record
from projections.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Expectation:
    """A checkpoint that the backup must extend: its size and root."""

    size: int
    root: bytes

    def check_size(self, of: Manifest) -> None:
        """Raise Corrupt if the backup ends before the expected checkpoint."""
        if of.last < self.size:
            raise Corrupt(
                f"the newest manifest {of.name} ends at position {of.last}, but position {self.size} was backed up: "
                "newer manifests are missing"
            )
        if of.last == self.size and of.opened_checkpoint().root != self.root:
            raise self._other(of)

    def check_root(self, frontier: Frontier, of: Manifest) -> None:
        """Raise Corrupt if the records up to the expected size have another root."""
        if frontier.size == self.size and frontier.root() != self.root:
            raise self._other(of)

    def checked(self, pages: Iterable[Page], of: Manifest) -> Iterator[Page]:
        """Pass records on; Corrupt when those up to the expected size turn out to have another root."""
        frontier = Frontier()
        for page in pages:
            if frontier.size < self.size:
                frontier.extend(page.leaves[: self.size - frontier.size])
                self.check_root(frontier, of)
            yield page

    def _other(self, of: Manifest) -> Corrupt:
        return Corrupt(
            f"{of.name} has another history than the expected checkpoint at position {self.size}: "
            f"its root is not {base64_text.encode(self.root)}"
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in order; `opened` if the contents were looked at too. No manifest names what is in `unnamed`.

    `unchecked` of the attestations need the identity of their maker.
    """

    newest: Stored
    manifests: int
    segments: int
    keyrings: int
    records: int
    keys: int
    size_bytes: int
    opened: bool
    unnamed: tuple[str, ...]
    attestations: int
    unchecked: int
    answers: int


def verify(
    repository: Repository,
    deployment: str,
    opener_of: OpenerOf | None,
    expect: Expectation | None = None,
    progress: Progress = silent,
    identities: Sequence[AgeIdentity] = (),
) -> Verified:
    """Check every object of a deployment; Corrupt names the first that is not what it should be.

    Without openers: names, sizes, hashes, signatures and the chain. With them also records, Merkle root and keys. The
    attestations that holders of identities made are checked with these identities.
    """
    first, newest, manifests, named = None, None, 0, dict[str, Manifest]()
    for newest in repository.chain(deployment):
        first = first or newest.manifest
        manifests += 1
        named.update((entry.name(deployment), newest.manifest) for entry in newest.manifest.objects())
    if newest is None or first is None:
        raise NotFound(f"{repository.store.location} holds no backup of deployment {deployment}")
    if expect is not None:
        expect.check_size(newest.manifest)
    needed = {entry.name(deployment) for entry in newest.manifest.objects()}
    superseded_or_unnamed = tuple(_check_objects(repository, newest.manifest, needed))
    unnamed = tuple(name for name in superseded_or_unnamed if name not in named)
    superseded = {name: of for name, of in named.items() if name not in needed}
    _check_presence(repository, first, newest.manifest, superseded, frozenset(superseded_or_unnamed))
    attestations, unchecked = _check_attestations(repository, deployment, identities)
    opened = opener_of is not None
    if opener_of is not None:
        records, keys, size = _open(repository, newest.manifest, opener_of, expect, progress)
    else:
        records, keys, size = (
            newest.manifest.last,
            sum(entry.keys for entry in newest.manifest.keyring),
            _read(repository, newest.manifest),
        )
    return Verified(
        newest,
        manifests,
        len(newest.manifest.segments),
        len(newest.manifest.keyring),
        records,
        keys,
        size,
        opened,
        unnamed,
        attestations,
        unchecked,
        newest.manifest.answers.answers if newest.manifest.answers else 0,
    )


def _check_attestations(repository: Repository, deployment: str, identities: Sequence[AgeIdentity]) -> tuple[int, int]:
    """Return how many attestations there are of manifests that are there, and how many of them were not checked."""
    found = list(freshness.judged(repository, deployment, identities))
    for one in found:
        if one.standing == "invalid":
            raise Corrupt(f"{one.name} is not valid: {one.reason}; it was changed or put there by somebody else")
    return len(found), sum(one.standing == "unchecked" for one in found)


def _check_objects(repository: Repository, newest: Manifest, needed: set[str]) -> Iterator[str]:
    """Yield the objects that the newest manifest does not need, each compared with the hash in its name.

    Prune statements are checked too. What a prune deletes meanwhile is passed over.
    """
    for name in repository.store.list(f"{newest.deployment}/"):
        if name in needed or layout.manifest_sequence(name) is not None or layout.attested_sequence(name) is not None:
            continue
        with suppress(NotFound):
            if layout.prune_sequence(name) is not None:
                repository.prune_statement(name, newest)
                continue
            expected = layout.object_sha256(name)
            if expected is None:
                raise Corrupt(f"{name} has a name that no backup gives: somebody else put it there, move it away")
            if sha256(repository.store.get(name)).hexdigest() != expected:
                raise Corrupt(
                    f"{name} is not what its name says: it was changed, cut off, or put there by somebody else"
                )
            yield name


def _check_presence(
    repository: Repository,
    first: Manifest,
    newest: Manifest,
    superseded: Mapping[str, Manifest],
    there: Collection[str],
) -> None:
    """Refuse a repository in which an object is missing that an earlier manifest names, the last of them with it.

    What a prune may have deleted may be missing: what the first manifest alone names, and superseded keyrings. A
    manifest that it deleted meanwhile needs nothing any more.
    """
    statements = PruneStatements(repository, newest.deployment)
    missable_keyrings = statements.missable_keyrings(newest)
    for name, of in superseded.items():
        if name in there or (layout.keyring_sequence(name) or missable_keyrings) < missable_keyrings:
            continue
        if of.sequence == first.sequence and statements.names:
            continue
        with suppress(NotFound):
            repository.store.head(of.name)
            raise Corrupt(
                f"{name} is missing, but {of.name} names it: the newest backup does without it, that earlier one does "
                "not; bring the object back, or prune that backup"
            )


def _read(repository: Repository, of: Manifest) -> int:
    return sum(len(repository.get_object(of.deployment, entry)) for entry in of.objects())


def _open(
    repository: Repository, of: Manifest, opener_of: OpenerOf, expect: Expectation | None, progress: Progress
) -> tuple[int, int, int]:
    pages = segment.read_all(repository, of, opener_of)
    position, recorded_at = 0, ""
    for page in pages if expect is None else expect.checked(pages, of):
        for record in page.records:
            recorded = decode_record(record)
            position += 1
            if recorded.position != position or recorded.recorded_at < recorded_at:
                raise Corrupt(f"the record at position {position} says {recorded.position}, or runs back in time")
            recorded_at = recorded.recorded_at
        progress("verifying records", position, of.last)
    contents = keyring_file.read_all(repository, of, opener_of)
    if of.answers is not None:
        answers_file.read(repository, of.deployment, of.answers, opener_of)
    size = sum(entry.size_bytes for entry in of.objects())
    return of.last, len(contents.live), size
