"""The Merkle tree over the log's records: roots, inclusion and consistency proofs after RFC 9162, section 2.1.

A verification returns nothing and raises Corrupt, so that a forgotten answer cannot pass for a proof.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Self

from domain.errors import Corrupt, Usage

HASH_BYTES = 32
SIZE_MAX = 2**63 - 1
FEW_LEAVES = 4
"""Fewer are appended one by one sooner than level by level."""
EMPTY_ROOT = sha256(b"").digest()

_SIZE_BYTES = 8


def leaf_hash(record: bytes) -> bytes:
    """Return the hash of a leaf; its prefix keeps a record from passing for a node."""
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """What must be kept of a tree to append to it: its size and the roots of its complete subtrees.

    There is one subtree for each one bit of the size, the largest leftmost: a compact range that begins at 0.
    """

    __slots__ = ("_size", "_subtrees")

    def __init__(self) -> None:
        self._size = 0
        self._subtrees: list[bytes] = []

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Append a leaf's hash, in O(1) on average."""
        assert len(leaf) == HASH_BYTES
        node, trailing = leaf, self._size
        while trailing & 1:
            node = sha256(b"\x01" + self._subtrees.pop() + node).digest()
            trailing >>= 1
        self._subtrees.append(node)
        self._size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append the hashes of leaves in their order, level by level, which takes half as long as one by one."""
        nodes = list(leaves)
        assert all(len(node) == HASH_BYTES for node in nodes)
        if len(nodes) < FEW_LEAVES:
            for node in nodes:
                self.append(node)
            return
        size, larger, smaller = self._size, self._subtrees, []
        self._size += len(nodes)
        while nodes or size:
            if size & 1:
                nodes.insert(0, larger.pop())
            if len(nodes) & 1:
                smaller.append(nodes.pop())
            nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(*[iter(nodes)] * 2, strict=True)]
            size >>= 1
        self._subtrees = [*larger, *reversed(smaller)]

    def root(self) -> bytes:
        """Return the root of the tree, in O(log size)."""
        if not self._subtrees:
            return EMPTY_ROOT
        *larger, node = self._subtrees
        for subtree in reversed(larger):
            node = node_hash(subtree, node)
        return node

    def to_bytes(self) -> bytes:
        """Return the size as 8 bytes, big-endian, then the subtrees' roots from right to left."""
        return self._size.to_bytes(_SIZE_BYTES, "big") + b"".join(reversed(self._subtrees))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the frontier that `to_bytes` wrote; raise Corrupt for any other length than its size implies.

        The hashes prove nothing by themselves: compare the root with one that was signed.
        """
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        if size > SIZE_MAX or len(data) != _SIZE_BYTES + size.bit_count() * HASH_BYTES:
            raise Corrupt(f"merkle frontier of {len(data)} bytes does not fit its size")
        frontier = cls()
        frontier._size = size
        hashes = [data[start : start + HASH_BYTES] for start in range(_SIZE_BYTES, len(data), HASH_BYTES)]
        frontier._subtrees = hashes[::-1]
        return frontier

    def copy(self) -> Self:
        """Return a frontier that grows apart from this one."""
        twin = type(self)()
        twin._size = self._size
        twin._subtrees = self._subtrees.copy()
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frontier):
            return NotImplemented
        return self._size == other._size and self._subtrees == other._subtrees

    def __repr__(self) -> str:
        return f"Frontier(size={self._size}, root={self.root().hex()})"


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the root of the tree over these leaves."""
    frontier = Frontier()
    frontier.extend(leaf_hashes)
    return frontier.root()


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int, size: int) -> list[bytes]:
    """Return PATH of the leaf at `index`, from 0, in the tree of the first `size` leaves (section 2.1.3.1).

    Takes O(size) hashes.
    """
    if not 0 <= index < size <= len(leaf_hashes):
        raise Usage(f"no leaf {index} in a tree of {size} over {len(leaf_hashes)} leaves")
    proof = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(root(leaf_hashes[middle:end]))
            end = middle
        else:
            proof.append(root(leaf_hashes[start:middle]))
            start = middle
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> None:
    """Raise Corrupt unless the proof shows `leaf` at `index` of the tree with that size and root (section 2.1.3.2)."""
    if not 0 <= index < size:
        raise Corrupt(f"inclusion proof for leaf {index} of a tree of {size}")
    _check_lengths([leaf, *proof])
    position, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Corrupt("inclusion proof is too long")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            position, last = _skip_lone_levels(position, last)
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last != 0 or node != root_hash:
        raise Corrupt(f"inclusion proof of leaf {index} does not lead to the root of size {size}")


def consistency_proof(leaf_hashes: Sequence[bytes], size1: int, size2: int) -> list[bytes]:
    """Return PROOF that the tree of `size2` leaves begins with that of `size1` (section 2.1.4.1).

    Takes O(size2) hashes. A first size of 0 is refused: every tree begins with the empty one.
    """
    if not 0 < size1 <= size2 <= len(leaf_hashes):
        raise Usage(f"no consistency proof from size {size1} to {size2} over {len(leaf_hashes)} leaves")
    proof = []
    start, end = 0, size2
    while end != size1:
        middle = start + _split(end - start)
        if size1 <= middle:
            proof.append(root(leaf_hashes[middle:end]))
            end = middle
        else:
            proof.append(root(leaf_hashes[start:middle]))
            start = middle
    if start > 0:
        proof.append(root(leaf_hashes[start:end]))
    return proof[::-1]


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Raise Corrupt unless the proof shows that the second tree begins with the first (section 2.1.4.2)."""
    if not 0 < size1 <= size2:
        raise Corrupt(f"consistency proof from size {size1} to {size2}")
    if size1 == size2:
        if proof or root1 != root2:
            raise Corrupt(f"two different trees of size {size1}")
        return
    # The root of a complete first tree is itself the first node, so the proof leaves it out.
    path = [root1, *proof] if size1.bit_count() == 1 else list(proof)
    if not proof:
        raise Corrupt("consistency proof is empty")
    _check_lengths(path)
    position, last = size1 - 1, size2 - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    node1 = node2 = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise Corrupt("consistency proof is too long")
        if position & 1 or position == last:
            node1, node2 = node_hash(sibling, node1), node_hash(sibling, node2)
            position, last = _skip_lone_levels(position, last)
        else:
            node2 = node_hash(node2, sibling)
        position, last = position >> 1, last >> 1
    if last != 0 or node1 != root1 or node2 != root2:
        raise Corrupt(f"consistency proof does not join the roots of sizes {size1} and {size2}")


def _split(size: int) -> int:
    """Return the largest power of two below `size`: where a tree of two or more leaves divides."""
    return 1 << ((size - 1).bit_length() - 1)


def _skip_lone_levels(position: int, last: int) -> tuple[int, int]:
    """Climb over the levels on which the node stands alone at the right edge and has no sibling."""
    while position and not position & 1:
        position, last = position >> 1, last >> 1
    return position, last


def _check_lengths(hashes: Iterable[bytes]) -> None:
    """Refuse hashes of other lengths: two of them together could be read as another pair."""
    if any(len(each) != HASH_BYTES for each in hashes):
        raise Corrupt(f"proof holds a hash that is not {HASH_BYTES} bytes long")
