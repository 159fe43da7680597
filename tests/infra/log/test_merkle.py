"""The Merkle tree agrees with RFC 9162 and with proofs made by others, and refuses every altered proof."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt, Usage
from infra.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(os.environ.get("RESURGAM_VECTORS", Path(__file__).parents[3] / "../shared/vectors")) / "merkle"
LEAVES = [leaf_hash(b"record %d" % number) for number in range(70)]
sizes = st.integers(min_value=0, max_value=len(LEAVES))


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of section 2.1.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_below(len(leaves))
    return node_hash(defined_root(leaves[:k]), defined_root(leaves[k:]))


def defined_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1, word for word."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*defined_path(m, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(m - k, leaves[k:]), defined_root(leaves[:k])]


def defined_subproof(m: int, leaves: list[bytes], complete: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1, word for word."""
    if m == len(leaves):
        return [] if complete else [defined_root(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*defined_subproof(m, leaves[:k], complete), defined_root(leaves[k:])]
    return [*defined_subproof(m - k, leaves[k:], False), defined_root(leaves[:k])]


def largest_power_below(number: int) -> int:
    k = 1
    while k * 2 < number:
        k *= 2
    return k


def frontier_of(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier


def vectors(kind: str) -> list[Any]:
    """Return the vectors as parameters, or one that tells that they are absent."""
    files = sorted((VECTORS / kind).rglob("*.json"))
    if not files:
        return [pytest.param(None, id="absent")]
    return [pytest.param(json.loads(file.read_text()), id=str(file.relative_to(VECTORS))) for file in files]


def require(vector: Any) -> None:
    if vector is None:
        reason = f"no Merkle vectors in {VECTORS}: set RESURGAM_VECTORS"
        if os.environ.get("RESURGAM_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def proof_of(vector: Any) -> list[bytes]:
    return [base64.b64decode(each) for each in vector["proof"] or []]


@pytest.mark.parametrize("vector", vectors("inclusion"))
def test_inclusion_proofs_made_by_others_are_judged_alike(vector: Any) -> None:
    require(vector)
    leaf, root_hash = base64.b64decode(vector["leafHash"]), base64.b64decode(vector["root"])
    if vector["wantErr"]:
        with pytest.raises(Corrupt):
            verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof_of(vector), root_hash)
    else:
        verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof_of(vector), root_hash)


@pytest.mark.parametrize("vector", vectors("consistency"))
def test_consistency_proofs_made_by_others_are_judged_alike(vector: Any) -> None:
    require(vector)
    root1, root2 = base64.b64decode(vector["root1"]), base64.b64decode(vector["root2"])
    if vector["wantErr"]:
        with pytest.raises(Corrupt):
            verify_consistency(vector["size1"], vector["size2"], proof_of(vector), root1, root2)
    else:
        verify_consistency(vector["size1"], vector["size2"], proof_of(vector), root1, root2)


def test_the_empty_log_has_the_hash_of_nothing_as_its_root() -> None:
    assert root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_record_that_looks_like_two_hashes_is_no_node() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_the_root_is_the_one_that_the_rfc_defines(size: int) -> None:
    assert root(LEAVES[:size]) == frontier_of(LEAVES[:size]).root() == defined_root(LEAVES[:size])


@given(sizes, sizes)
def test_a_frontier_grown_in_two_steps_equals_one_grown_at_once(size: int, first: int) -> None:
    frontier = frontier_of(LEAVES[: min(first, size)])
    reread = Frontier.from_bytes(frontier.to_bytes())
    assert reread == frontier
    reread.extend(LEAVES[first:size])
    assert reread == frontier_of(LEAVES[:size])
    assert reread.size == size


def test_a_copy_of_a_frontier_grows_apart_from_it() -> None:
    frontier = frontier_of(LEAVES[:5])
    twin = frontier.copy()
    assert twin == frontier
    twin.append(LEAVES[5])
    assert (frontier, twin) == (frontier_of(LEAVES[:5]), frontier_of(LEAVES[:6]))
    assert frontier != twin


def test_a_frontier_is_written_as_its_size_and_its_subtrees_from_right_to_left() -> None:
    expected = bytes.fromhex("0000000000000003") + LEAVES[2] + node_hash(LEAVES[0], LEAVES[1])
    assert frontier_of(LEAVES[:3]).to_bytes() == expected


def test_a_malformed_frontier_is_refused() -> None:
    data = frontier_of(LEAVES[:5]).to_bytes()
    too_large = (2**63).to_bytes(8, "big") + LEAVES[0]
    for damaged in (b"", data[:7], data[:-1], data + b"\0", data[:8], data[:-32], data + LEAVES[0], too_large):
        with pytest.raises(Corrupt):
            Frontier.from_bytes(damaged)


@given(st.data())
def test_every_inclusion_proof_is_the_defined_one_and_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(LEAVES, index, size)
    assert proof == defined_path(index, LEAVES[:size])
    verify_inclusion(LEAVES[index], index, size, proof, root(LEAVES[:size]))


@given(st.data())
def test_every_consistency_proof_is_the_defined_one_and_verifies(data: st.DataObject) -> None:
    size2 = data.draw(st.integers(1, len(LEAVES)))
    size1 = data.draw(st.integers(1, size2))
    proof = consistency_proof(LEAVES, size1, size2)
    assert proof == defined_subproof(size1, LEAVES[:size2], True)
    verify_consistency(size1, size2, proof, root(LEAVES[:size1]), root(LEAVES[:size2]))


@given(st.data())
def test_an_inclusion_proof_is_refused_for_another_leaf_and_when_any_bit_of_it_flips(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    proof, root_hash = inclusion_proof(LEAVES, index, size), root(LEAVES[:size])
    other = data.draw(st.integers(0, size - 1).filter(lambda each: each != index))
    with pytest.raises(Corrupt):
        verify_inclusion(LEAVES[other], index, size, proof, root_hash)
    with pytest.raises(Corrupt):
        verify_inclusion(LEAVES[index], other, size, proof, root_hash)
    with pytest.raises(Corrupt):
        verify_inclusion(LEAVES[index], index, size, with_a_flipped_bit(proof, data), root_hash)


@given(st.data())
def test_a_history_that_was_edited_has_no_consistency_proof(data: st.DataObject) -> None:
    size2 = data.draw(st.integers(2, len(LEAVES)))
    size1 = data.draw(st.integers(1, size2 - 1))
    edited = LEAVES[:size2]
    edited[data.draw(st.integers(0, size1 - 1))] = leaf_hash(b"edited")
    with pytest.raises(Corrupt):
        verify_consistency(
            size1, size2, consistency_proof(edited, size1, size2), root(LEAVES[:size1]), root(edited[:size2])
        )
    proof = consistency_proof(LEAVES, size1, size2)
    with pytest.raises(Corrupt):
        verify_consistency(size1, size2, with_a_flipped_bit(proof, data), root(LEAVES[:size1]), root(LEAVES[:size2]))


def with_a_flipped_bit(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    which, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    flipped = (int.from_bytes(proof[which], "big") ^ 1 << bit).to_bytes(32, "big")
    return [*proof[:which], flipped, *proof[which + 1 :]]


def test_hashes_cut_at_another_place_are_refused() -> None:
    leaf, sibling = LEAVES[:2]
    joined = leaf + sibling
    with pytest.raises(Corrupt):
        verify_inclusion(joined[:31], 0, 2, [joined[31:]], root(LEAVES[:2]))
    with pytest.raises(Corrupt):
        verify_consistency(1, 2, [joined[31:]], joined[:31], root(LEAVES[:2]))


def test_proofs_outside_the_tree_are_refused() -> None:
    for index, size in ((-1, 3), (3, 3), (0, 0), (0, len(LEAVES) + 1)):
        with pytest.raises(Usage):
            inclusion_proof(LEAVES, index, size)
    for size1, size2 in ((0, 3), (4, 3), (1, len(LEAVES) + 1)):
        with pytest.raises(Usage):
            consistency_proof(LEAVES, size1, size2)
