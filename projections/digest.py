"""The state digest: two sums of row hashes that any append can carry forward and any rebuild must reach again.

It finds accidents. Sums modulo 2^256 can be forged by whoever chooses rows, so attackers are found by the Merkle root.
The hashed bytes are specified in docs/reference/state.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from domain.errors import Corrupt
from projections.version import OPEN, Change, Version

MODULUS = 2**256


def _sum(*fields: bytes) -> int:
    return int.from_bytes(sha256(b"".join(len(f).to_bytes(8, "big") + f for f in fields)).digest(), "big")


def version_hash(resource: str, kind: str, sequence: int, valid_from: int, valid_to: int, content: bytes) -> int:
    """Return the row's SHA-256 as a number."""
    numbers = b"%d %d %d" % (sequence, valid_from, valid_to)
    return _sum(b"version", resource.encode(), kind.encode(), numbers, content)


def link_hash(source: str, relation: str, target: str, valid_from: int, valid_to: int) -> int:
    """Return the row's SHA-256 as a number."""
    return _sum(b"link", source.encode(), relation.encode(), target.encode(), b"%d %d" % (valid_from, valid_to))


@dataclass(frozen=True, slots=True)
class Digest:
    """The sum over the open rows and the sum over all rows."""

    current: int = 0
    everything: int = 0

    def to_bytes(self) -> bytes:
        """Return 64 bytes, the current sum first."""
        return self.current.to_bytes(32, "big") + self.everything.to_bytes(32, "big")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Digest":
        """Return the digest of 64 bytes."""
        if len(data) != 64:
            raise Corrupt(f"a state digest of {len(data)} bytes, not 64")
        return cls(int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big"))


class DigestSum:
    """A digest that changes are added to."""

    def __init__(self, start: Digest | None = None) -> None:
        start = start or Digest()
        self._current = start.current
        self._everything = start.everything

    def add(self, change: Change) -> None:
        """Add what one record did to the tables."""
        after = change.after
        if change.before is not None:
            self._end(change.before, after.valid_from)
        self._open(version_hash(after.resource, after.kind, after.sequence, after.valid_from, OPEN, after.content))
        for (relation, target), since in change.closed:
            self._current -= link_hash(after.resource, relation, target, since, OPEN)
            self._everything -= link_hash(after.resource, relation, target, since, OPEN)
            self._everything += link_hash(after.resource, relation, target, since, after.valid_from)
        for relation, target in change.opened:
            self._open(link_hash(after.resource, relation, target, after.valid_from, OPEN))

    def add_rows(self, hashes: Iterable[tuple[int, bool]]) -> None:
        """Add finished rows: each is (hash, whether it is open)."""
        for value, is_open in hashes:
            self._everything += value
            if is_open:
                self._current += value

    def digest(self) -> Digest:
        """Return the digest so far."""
        return Digest(self._current % MODULUS, self._everything % MODULUS)

    def _open(self, value: int) -> None:
        self._current += value
        self._everything += value

    def _end(self, before: Version, position: int) -> None:
        row = (before.resource, before.kind, before.sequence, before.valid_from)
        was = version_hash(*row, OPEN, before.content)
        self._current -= was
        self._everything += version_hash(*row, position, before.content) - was
