"""Freshness: the newest verified backup, and an age that nothing makes younger than it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.instant import plus_days
from infra.backup import attestation, freshness
from infra.backup.age import AgeIdentity
from infra.backup.freshness import Freshness, age_s
from tests.attestations import attest, forged, put, signer_of, stored
from tests.backup_estate import IDENTITY, Estate, estate, lived_in


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path) as one:
        yield lived_in(one)


def created_at(made: Estate, sequence: int) -> str:
    return stored(made, sequence).manifest.created_at


def find(made: Estate, now: str, *identities: AgeIdentity) -> Freshness:
    return freshness.freshness(made.repository, made.deployment, now, identities)


def test_without_attestations_there_is_no_verified_backup(made: Estate) -> None:
    assert find(made, created_at(made, 3)) == Freshness(None, ())


def test_the_age_counts_from_the_attestation_of_the_newest_manifest(made: Estate) -> None:
    later = plus_days(created_at(made, 3), 2)
    attest(made, 3, created_at(made, 3))
    attest(made, 3, later)
    found = find(made, plus_days(later, 1)).newest
    assert found is not None
    assert (found.attestation.sequence, found.since) == (3, later)
    assert age_s(found.since, plus_days(later, 1)) == 86_400


def test_verifying_an_old_backup_again_does_not_make_it_newer(made: Estate) -> None:
    now = plus_days(created_at(made, 3), 30)
    attest(made, 2, now)
    found = find(made, now).newest
    assert found is not None
    assert (found.attestation.sequence, found.since) == (2, created_at(made, 3))


def test_the_newest_backup_counts_not_the_newest_attestation(made: Estate) -> None:
    attest(made, 2, plus_days(created_at(made, 3), 5))
    attest(made, 3, plus_days(created_at(made, 3), 1))
    found = find(made, plus_days(created_at(made, 3), 6)).newest
    assert found is not None
    assert found.attestation.sequence == 3


def test_invalid_and_unchecked_ones_are_named_and_count_for_nothing(made: Estate) -> None:
    now = created_at(made, 3)
    attest(made, 1, now)
    data = attestation.of_manifest(stored(made, 3), 7, now, signer_of(made))
    forgery = put(made.repository, made.deployment, 3, forged(data, signer_of(made), position=1))
    drilled = attest(made, 2, now, IDENTITY)
    found = find(made, now)
    assert found.newest is not None
    assert found.newest.attestation.sequence == 1
    assert [(one.name, one.standing) for one in found.others] == [(forgery, "invalid"), (drilled, "unchecked")]
    with_identity = find(made, now, IDENTITY)
    assert with_identity.newest is not None
    assert with_identity.newest.attestation.sequence == 2


def test_the_attestation_of_a_manifest_that_is_gone_is_no_news(made: Estate) -> None:
    now = created_at(made, 3)
    attest(made, 1, now)
    made.objects("manifests")[0].unlink()
    assert find(made, now) == Freshness(None, ())


def test_the_attestation_of_a_damaged_manifest_counts_for_nothing(made: Estate) -> None:
    now = created_at(made, 3)
    name = attest(made, 3, now)
    made.objects("manifests")[2].write_bytes(b"{}")
    found = find(made, now)
    assert found.newest is None
    assert [(one.name, "its manifest is damaged" in one.reason) for one in found.others] == [(name, True)]


def test_a_time_in_the_future_gives_no_age_and_never_a_negative_one(made: Estate) -> None:
    now = created_at(made, 3)
    attest(made, 3, plus_days(now, 1))
    found = find(made, now).newest
    assert found is not None
    assert age_s(found.since, now) is None
    attest(made, 3, now)  # another one of the same backup, by a clock that is right
    found = find(made, now).newest
    assert found is not None
    assert age_s(found.since, now) == 0


@pytest.mark.parametrize(
    ("since", "age"),
    [("11:59:00", 60), ("12:00:00", 0), ("12:00:59", 0), ("12:01:01", None), ("13:00:00", None)],
)
def test_clocks_of_two_hosts_may_differ_by_a_minute(since: str, age: int | None) -> None:
    assert age_s(f"2026-11-22T{since}.000000Z", "2026-11-22T12:00:00.000000Z") == age
