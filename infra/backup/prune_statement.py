"""Prune statements: what a deployment marks for deletion, and which manifests may be missing from its chain."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from domain.errors import Corrupt
from infra.backup import layout, signed_document
from infra.backup.manifest import Hex, Instant, Manifest, Part, Uuid
from infra.backup.signed_document import Document
from infra.keys.signer import Signer, Verifier

PREFIX = b"resurgam-prune-1\n"
BYTES_MAX = 64 * 1024 * 1024
MARKS_MAX = 100_000

Number = Annotated[int, Field(ge=1, le=layout.SEQUENCE_MAX)]
ObjectName = Annotated[str, Field(pattern=r"^[0-9a-z./-]{1,200}$")]


class Gap(Part):
    """Manifests that may be missing: from after the one of SHA-256 `previous` to before the one that names `sha256`."""

    first: Number
    last: Number
    previous: Hex
    sha256: Hex


@dataclass(frozen=True, slots=True)
class Link:
    """A manifest in its chain; `void` are the numbers of the void objects right before it."""

    sequence: int
    sha256: str
    previous: str
    void: tuple[int, ...] = ()


class Gaps:
    """Ranges of manifests that may be missing, in order and apart."""

    def __init__(self, entries: Sequence[Gap] = ()) -> None:
        self.entries = tuple(entries)
        self._firsts = [gap.first for gap in entries]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number)
        return at > 0 and number <= self.entries[at - 1].last

    def cover(self, first: int, last: int) -> bool:
        """Whether one gap holds all of these numbers."""
        at = bisect_right(self._firsts, first)
        return at > 0 and last <= self.entries[at - 1].last

    def joins(self, before: Link, after: Link) -> bool:
        """Whether one gap leads from a manifest to another."""
        at = bisect_right(self._firsts, before.sequence)
        if at == len(self.entries):
            return False
        gap = self.entries[at]
        return gap.last < after.sequence and (gap.previous, gap.sha256) == (before.sha256, after.previous)


def gaps_between(remaining: Sequence[Link]) -> tuple[Gap, ...]:
    """Return the gaps of a chain of which these manifests remain, in order."""
    return tuple(
        Gap(
            first=before.sequence + 1,
            last=min(after.void, default=after.sequence) - 1,
            previous=before.sha256,
            sha256=after.previous,
        )
        for before, after in pairwise(remaining)
        if after.previous != before.sha256
    )


class PruneStatement(Document):
    """See docs/reference/backup.md for every member."""

    format: Literal[1] = 1
    repository: Uuid
    repository_sha256: Hex
    deployment: Uuid
    epoch: Uuid
    sequence: Number
    marked_at: Instant
    release: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,32}$")]
    newest: Number
    gaps: Annotated[tuple[Gap, ...], Field(strict=False)]
    manifests: Annotated[tuple[Number, ...], Field(strict=False)]
    objects: Annotated[tuple[ObjectName, ...], Field(strict=False)]
    keyrings_before: Number | None = None
    verifier: str

    @property
    def name(self) -> str:
        """The name of the statement's object."""
        return layout.prune(self.deployment, self.sequence)

    @property
    def missable_keyrings(self) -> int:
        """The number before which a manifest's keyring files may be missing."""
        return self.keyrings_before or 0

    def signer(self) -> Verifier:
        """Return the verifier that the statement claims."""
        return Verifier.from_text(self.verifier)

    def check(self, of: Manifest) -> None:
        """Raise Corrupt unless it is about the chain of this manifest, of the same signer, and fits together."""
        mine = (self.repository, self.repository_sha256, self.deployment, self.epoch, self.verifier)
        if mine != (of.repository, of.repository_sha256, of.deployment, of.epoch, of.verifier):
            raise Corrupt(f"{self.name} is not of the signer, the epoch and the repository of {of.name}")
        end = 0
        for gap in self.gaps:
            if gap.first <= end + 1 or gap.last < gap.first:
                raise Corrupt(f"{self.name} has the gap {gap.first}-{gap.last} after {end}")
            end = gap.last
        if end >= self.newest:
            raise Corrupt(f"{self.name} has the gap {gap.first}-{end}, with the newest manifest {self.newest}")
        if self.missable_keyrings > self.newest:
            raise Corrupt(
                f"{self.name} supersedes keyrings before {self.keyrings_before}, with the newest manifest {self.newest}"
            )
        for name in self.objects:
            if layout.deployment_of(name) != self.deployment or not layout.is_prunable(name):
                raise Corrupt(f"{self.name} marks {name}, which no backup of this deployment names")
        known = Gaps(self.gaps)
        if any(number not in known for number in self.manifests):
            raise Corrupt(f"{self.name} marks a manifest that is in none of its gaps")


def sign(statement: PruneStatement, signer: Signer) -> bytes:
    """Return the bytes of the signed statement."""
    return signed_document.sign(statement, PREFIX, signer)


def parse(data: bytes, name: str) -> PruneStatement:
    """Return the statement of an object; Corrupt, naming it, unless the signer in it signed it for this name."""
    statement = signed_document.decode(data, name, PruneStatement, PREFIX, "prune statement")
    if statement.name != name:
        raise Corrupt(f"{name} is the prune statement {statement.name}: it was moved")
    return statement
