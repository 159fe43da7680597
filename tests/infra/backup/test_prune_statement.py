"""Prune statements: signed, in one spelling, of one chain, and with gaps that fit together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt
from infra.backup import layout, manifest, memory, prune_statement
from infra.backup.manifest import Manifest
from infra.backup.prune_statement import Gap, Gaps, Link, PruneStatement, gaps_between
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.keys.signer import Signer
from tests.backup_estate import Estate, estate, lived_in
from tests.forgery import stranger
from tests.infra.control_plane.installation import ROOT_KEY

HASH = "0" * 64


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        yield lived_in(one)


@pytest.fixture
def signer(made: Estate) -> Signer:
    with made.database.read() as session:
        return memory.get_signer(session, ROOT_KEY)


@pytest.fixture
def stated(made: Estate) -> PruneStatement:
    """A statement that is valid."""
    of = made.newest
    return PruneStatement(
        repository=of.repository,
        repository_sha256=of.repository_sha256,
        deployment=of.deployment,
        epoch=of.epoch,
        sequence=1,
        marked_at=of.created_at,
        release=of.release,
        newest=3,
        gaps=(Gap(first=2, last=2, previous=HASH, sha256=HASH),),
        manifests=(2,),
        objects=(layout.keyring(of.deployment, 2, HASH), layout.segment(of.deployment, 1, 2, HASH)),
        verifier=of.verifier,
    )


def read(root: Path, data: bytes, of: Manifest, name: str = "") -> PruneStatement:
    """The statement, as a repository reads it that holds these bytes."""
    name = name or layout.prune(of.deployment, 1)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return Repository.open(DirectoryStore(root)).prune_statement(name, of)


def test_a_statement_reads_back(made: Estate, stated: PruneStatement, signer: Signer, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    assert read(root, prune_statement.sign(stated, signer), made.newest) == stated


OTHER = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"repository": OTHER}, "is not of the signer, the epoch and the repository"),
        ({"repository_sha256": HASH}, "is not of the signer, the epoch and the repository"),
        ({"epoch": OTHER}, "is not of the signer, the epoch and the repository"),
        ({"sequence": 2}, "it was moved"),
        ({"deployment": OTHER}, "it was moved"),
        ({"newest": 2}, r"has the gap 2-2, with the newest manifest 2"),
        ({"keyrings_before": 4}, "supersedes keyrings before 4, with the newest manifest 3"),
        ({"manifests": (3,)}, "marks a manifest that is in none of its gaps"),
        ({"objects": (layout.keyring(OTHER, 2, HASH),)}, "which no backup of this deployment names"),
        ({"objects": (layout.REPOSITORY_FILE,)}, "which no backup of this deployment names"),
        ({"gaps": (Gap(first=1, last=2, previous=HASH, sha256=HASH),)}, "has the gap 1-2 after 0"),
        (
            {
                "newest": 9,
                "gaps": (
                    Gap(first=2, last=3, previous=HASH, sha256=HASH),
                    Gap(first=4, last=5, previous=HASH, sha256=HASH),
                ),
            },
            "has the gap 4-5 after 3",
        ),
        ({"gaps": (Gap(first=2, last=1, previous=HASH, sha256=HASH),)}, "has the gap 2-1 after 0"),
    ],
)
def test_a_statement_that_contradicts_its_chain_or_itself_is_refused(
    made: Estate, stated: PruneStatement, signer: Signer, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    data = prune_statement.sign(stated.model_copy(update=changed), signer)
    with pytest.raises(Corrupt, match=message):
        read(made.copied(tmp_path), data, made.newest)


def test_a_statement_marks_no_manifest_as_an_object(
    made: Estate, stated: PruneStatement, signer: Signer, tmp_path: Path
) -> None:
    data = prune_statement.sign(stated.model_copy(update={"objects": (made.newest.name,)}), signer)
    with pytest.raises(Corrupt, match="which no backup of this deployment names"):
        read(made.copied(tmp_path), data, made.newest)


def test_a_statement_of_another_deployment_is_not_of_this_chain(made: Estate, stated: PruneStatement) -> None:
    with pytest.raises(Corrupt, match="is not of the signer, the epoch and the repository"):
        stated.model_copy(update={"deployment": OTHER}).check(made.newest)


def test_a_statement_of_another_signer_is_refused_and_allows_nothing(
    made: Estate, stated: PruneStatement, tmp_path: Path
) -> None:
    other = stranger(made.deployment)
    root = made.copied(tmp_path)
    data = prune_statement.sign(stated.model_copy(update={"verifier": str(other.verifier)}), other)
    with pytest.raises(Corrupt, match="is not of the signer"):
        read(root, data, made.newest)
    (root / layout.manifest(made.deployment, 2)).unlink()
    with pytest.raises(Corrupt, match="does not follow"):
        list(Repository.open(DirectoryStore(root)).chain(made.deployment))


def test_no_byte_of_a_statement_can_change(
    made: Estate, stated: PruneStatement, signer: Signer, tmp_path: Path
) -> None:
    root, data = made.copied(tmp_path), prune_statement.sign(stated, signer)
    for at in range(0, len(data), 7):
        with pytest.raises(Corrupt):
            read(root, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], made.newest)
        with pytest.raises(Corrupt):
            read(root, data[:at], made.newest)
    with pytest.raises(Corrupt):
        read(root, data + b"\n", made.newest)


def test_a_manifest_is_no_statement_and_a_statement_is_no_manifest(
    made: Estate, stated: PruneStatement, signer: Signer, tmp_path: Path
) -> None:
    with pytest.raises(Corrupt, match="is not a prune statement of format 1"):
        read(made.copied(tmp_path), manifest.sign(made.newest, signer), made.newest)
    with pytest.raises(Corrupt, match="is not a manifest of format 1"):
        manifest.decode(prune_statement.sign(stated, signer), "it")


def test_a_statement_that_is_too_large_is_not_read_into_memory(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    path = root / layout.prune(made.deployment, 1)
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(prune_statement.BYTES_MAX + 1)
    with pytest.raises(Corrupt, match="is larger than"):
        Repository.open(DirectoryStore(root)).prune_statement(layout.prune(made.deployment, 1), made.newest)


# Gaps


def chain_of(length: int) -> list[Link]:
    return [Link(n, f"{n:064x}", f"{n - 1:064x}" if n > 1 else "") for n in range(1, length + 1)]


REMAINING = st.integers(2, 30).flatmap(
    lambda length: st.tuples(st.just(length), st.sets(st.integers(2, length - 1)) if length > 2 else st.just(set()))
)


@given(REMAINING)
def test_gaps_hold_exactly_what_was_taken_out_and_join_exactly_what_is_left(case: tuple[int, set[int]]) -> None:
    length, removed = case
    chain = chain_of(length)
    left = [link for link in chain if link.sequence not in removed]
    gaps = Gaps(gaps_between(left))
    assert {number for number in range(1, length + 1) if number in gaps} == removed
    for before in left:
        for after in left:
            is_next = before.sequence < after.sequence and not any(
                before.sequence < link.sequence < after.sequence for link in left
            )
            assert gaps.joins(before, after) == (is_next and after.previous != before.sha256)


@given(REMAINING, st.data())
def test_gaps_only_grow(case: tuple[int, set[int]], data: st.DataObject) -> None:
    length, removed = case
    left = [link for link in chain_of(length) if link.sequence not in removed]
    more = data.draw(st.sets(st.sampled_from(left[1:-1]))) if len(left) > 2 else set()
    before, after = Gaps(gaps_between(left)), Gaps(gaps_between([link for link in left if link not in more]))
    assert {n for n in range(1, length + 1) if n in before} <= {n for n in range(1, length + 1) if n in after}


def test_void_objects_that_a_remaining_manifest_lists_are_in_no_gap() -> None:
    first, last = Link(1, f"{1:064x}", ""), Link(6, f"{6:064x}", f"{3:064x}", (4, 5))
    assert [(gap.first, gap.last) for gap in gaps_between([first, last])] == [(2, 3)]
