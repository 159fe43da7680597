"""The state digest: two sums of row hashes that any append can carry forward and any rebuild must reach again.

It finds accidents. Sums modulo 2^256 can be forged by whoever chooses rows, so attackers are found by the Merkle root.
The hashed bytes are specified in docs/reference/state.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct

from domain.errors import Corrupt
from projections.version import OPEN, Change, LinkRow, Version, VersionRow

MODULUS = 2**256


_length = Struct(">Q").pack
_FIELDS_4 = b"%b%b" * 4  # length and field in turn; one format is faster than a join of nine parts
_VERSION = _length(7) + b"version" + _FIELDS_4
_LINK = _length(4) + b"link" + _FIELDS_4


def version_hash(resource: str, kind: str, sequence: int, valid_from: int, valid_to: int, content: bytes) -> int:
    """Return the row's SHA-256 as a number."""
    return _sum(_VERSION, resource.encode(), kind.encode(), b"%d %d %d" % (sequence, valid_from, valid_to), content)


def link_hash(source: str, relation: str, target: str, valid_from: int, valid_to: int) -> int:
    """Return the row's SHA-256 as a number."""
    return _sum(_LINK, source.encode(), relation.encode(), target.encode(), b"%d %d" % (valid_from, valid_to))


def _sum(form: bytes, a: bytes, b: bytes, c: bytes, d: bytes) -> int:
    row = form % (_length(len(a)), a, _length(len(b)), b, _length(len(c)), c, _length(len(d)), d)
    return int.from_bytes(sha256(row).digest(), "big")


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
            was = link_hash(after.resource, relation, target, since, OPEN)
            self._current -= was
            self._everything -= was
            self._everything += link_hash(after.resource, relation, target, since, after.valid_from)
        for relation, target in change.opened:
            self._open(link_hash(after.resource, relation, target, after.valid_from, OPEN))

    def add_versions(self, rows: Iterable[VersionRow]) -> None:
        """Add rows that will not change any more."""
        for resource, sequence, kind, valid_from, valid_to, content in rows:
            self._add(version_hash(resource, kind, sequence, valid_from, valid_to, content), valid_to)

    def add_links(self, rows: Iterable[LinkRow]) -> None:
        """Add rows that will not change any more."""
        for row in rows:
            self._add(link_hash(*row), row[-1])

    def digest(self) -> Digest:
        """Return the digest so far."""
        return Digest(self._current % MODULUS, self._everything % MODULUS)

    def _add(self, value: int, valid_to: int) -> None:
        self._everything += value
        if valid_to == OPEN:
            self._current += value

    def _open(self, value: int) -> None:
        self._current += value
        self._everything += value

    def _end(self, before: Version, position: int) -> None:
        row = (before.resource, before.kind, before.sequence, before.valid_from)
        was = version_hash(*row, OPEN, before.content)
        self._current -= was
        self._everything += version_hash(*row, position, before.content) - was
