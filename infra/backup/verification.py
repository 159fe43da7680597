"""Verification: reads a repository from end to end and compares everything with what its manifests say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from domain.errors import Corrupt, NotFound
from infra.backup import keyring_file, layout, segment
from infra.backup.manifest import Manifest
from infra.backup.repository import Repository, Stored
from infra.backup.segment import OpenerOf
from infra.keys import base64_text
from infra.log.merkle import Frontier, leaf_hash
from infra.log.record import Recorded


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

    def checked(self, records: Iterable[tuple[bytes, Recorded]], of: Manifest) -> Iterator[tuple[bytes, Recorded]]:
        """Pass records on; Corrupt when those up to the expected size turn out to have another root."""
        frontier = Frontier()
        for record, recorded in records:
            if frontier.size < self.size:
                frontier.append(leaf_hash(record))
                self.check_root(frontier, of)
            yield record, recorded

    def _other(self, of: Manifest) -> Corrupt:
        return Corrupt(
            f"{of.name} has another history than the expected checkpoint at position {self.size}: "
            f"its root is not {base64_text.encode(self.root)}"
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in order; `opened` if the contents were looked at too. Nothing needs the objects in `unnamed`."""

    newest: Stored
    manifests: int
    segments: int
    keyrings: int
    records: int
    keys: int
    size_bytes: int
    opened: bool
    unnamed: tuple[str, ...]


def verify(
    repository: Repository, deployment: str, opener_of: OpenerOf | None, expect: Expectation | None = None
) -> Verified:
    """Check every object of a deployment; Corrupt names the first that is not what it should be.

    Without openers: names, sizes, hashes, signatures and the chain. With them also records, Merkle root and keys.
    """
    chain = list(repository.chain(deployment))
    if not chain:
        raise NotFound(f"{repository.store.location} holds no backup of deployment {deployment}")
    newest = chain[-1]
    if expect is not None:
        expect.check_size(newest.manifest)
    named = {entry.name(deployment) for entry in newest.manifest.objects()}
    unnamed = tuple(_check_objects(repository, deployment, named))
    opened = opener_of is not None
    if opener_of is not None:
        records, keys, size = _open(repository, newest.manifest, opener_of, expect)
    else:
        records, keys, size = (
            newest.manifest.last,
            sum(entry.keys for entry in newest.manifest.keyring),
            _read(repository, newest.manifest),
        )
    return Verified(
        newest,
        len(chain),
        len(newest.manifest.segments),
        len(newest.manifest.keyring),
        records,
        keys,
        size,
        opened,
        unnamed,
    )


def _check_objects(repository: Repository, deployment: str, named: set[str]) -> Iterator[str]:
    """Yield the objects that the newest manifest does not need, each compared with the hash in its name."""
    for name in repository.store.list(f"{deployment}/"):
        if name in named or layout.manifest_sequence(name) is not None:
            continue
        expected = layout.object_sha256(name)
        if expected is None:
            raise Corrupt(f"{name} has a name that no backup gives: somebody else put it there, move it away")
        if sha256(repository.store.get(name)).hexdigest() != expected:
            raise Corrupt(f"{name} is not what its name says: it was changed, cut off, or put there by somebody else")
        yield name


def _read(repository: Repository, of: Manifest) -> int:
    return sum(len(repository.get_object(of.deployment, entry)) for entry in of.objects())


def _open(
    repository: Repository, of: Manifest, opener_of: OpenerOf, expect: Expectation | None
) -> tuple[int, int, int]:
    records = segment.read_all(repository, of, opener_of)
    for _ in records if expect is None else expect.checked(records, of):
        pass  # reading them to the end is the check
    contents = keyring_file.read_all(repository, of, opener_of)
    size = sum(entry.size_bytes for entry in of.objects())
    return of.last, len(contents.live), size
