"""The state digest: carried forward by changes, it is the sum over the rows, hashed as the reference says."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt
from domain.event import Event
from infra.state.tables import Rows
from projections.digest import MODULUS, Digest, DigestSum, link_hash, version_hash
from projections.version import OPEN, Change
from tests.projections.histories import changes, histories


def documented_hash(*fields: bytes) -> int:
    digest = sha256()
    for field in fields:
        digest.update(len(field).to_bytes(8, "big") + field)
    return int.from_bytes(digest.digest(), "big")


def summed(steps: list[Change]) -> Digest:
    """Return the digest over the finished rows, in the words of docs/reference/state.md."""
    current = everything = 0
    for version, link in Rows(steps, 1):
        if version is not None:
            resource, sequence, kind, since, until, content = version
            numbers = f"{sequence} {since} {until}".encode()
            value = documented_hash(b"version", resource.encode(), kind.encode(), numbers, content)
        else:
            assert link is not None
            source, relation, target, since, until = link
            value = documented_hash(
                b"link", source.encode(), relation.encode(), target.encode(), f"{since} {until}".encode()
            )
        everything += value
        current += value if until == OPEN else 0
    return Digest(current % MODULUS, everything % MODULUS)


@given(histories(), st.data())
def test_a_digest_carried_forward_is_the_sum_over_the_rows(happened: list[Event], data: st.DataObject) -> None:
    steps = changes(happened)
    middle = data.draw(st.integers(0, len(steps)))
    first = DigestSum()
    for step in steps[:middle]:
        first.add(step)
    second = DigestSum(Digest.from_bytes(first.digest().to_bytes()))
    for step in steps[middle:]:
        second.add(step)
    assert second.digest() == summed(steps)


@given(histories())
def test_finished_rows_are_added_in_any_order(happened: list[Event]) -> None:
    digest = DigestSum()
    for version, link in reversed(list(Rows(changes(happened), 1))):
        if version is not None:
            digest.add_versions([version])
        elif link is not None:
            digest.add_links([link])
    assert digest.digest() == summed(changes(happened))


def test_fields_that_only_meet_elsewhere_hash_differently() -> None:
    assert version_hash("ab", "c", 1, 1, 2, b"") != version_hash("a", "bc", 1, 1, 2, b"")
    assert link_hash("a", "b", "c", 1, 2) != link_hash("a", "b", "c", 12, 2)


def test_a_digest_is_64_bytes_the_current_sum_first() -> None:
    digest = Digest(current=1, everything=2)
    assert digest.to_bytes() == bytes(31) + b"\1" + bytes(31) + b"\2"
    assert Digest.from_bytes(digest.to_bytes()) == digest


@pytest.mark.parametrize("length", [0, 32, 63, 65])
def test_a_digest_of_another_length_is_corrupt(length: int) -> None:
    with pytest.raises(Corrupt):
        Digest.from_bytes(bytes(length))
