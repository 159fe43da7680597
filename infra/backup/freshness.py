"""Freshness: which backup of a deployment is the newest verified one, and since when nothing newer was verified."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from domain.errors import Corrupt, NotFound
from domain.instant import to_microseconds
from infra.backup import attestation, layout
from infra.backup.age import AgeIdentity
from infra.backup.attestation import Attestation, Judged
from infra.backup.repository import Repository, Stored

CLOCKS_DIFFER_S = 60
"""Clocks of two hosts may differ so far; a time that is further ahead is in the future."""


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup with a valid attestation; its age counts from `since`."""

    stored: Stored
    attestation: Attestation
    since: str


@dataclass(frozen=True, slots=True)
class Freshness:
    """The newest verified backup, None if there is none, and the newer attestations that count for nothing."""

    newest: VerifiedBackup | None
    others: tuple[Judged, ...]


def freshness(repository: Repository, deployment: str, now: str, identities: Sequence[AgeIdentity] = ()) -> Freshness:
    """Find the newest verified backup: takes as long as there are attestations without worth after it."""
    others: list[Judged] = []
    every = judged(repository, deployment, identities)
    for _, of_one in groupby(every, lambda one: layout.attested_sequence(one.name)):
        valid = []
        for one in of_one:
            if one.standing == "valid" and one.attestation is not None:
                valid.append(one.attestation)
            else:
                others.append(one)
        if valid:
            best = max(valid, key=lambda one: (age_s(one.verified_at, now) is not None, one.verified_at))
            stored = repository.read(layout.manifest(deployment, best.sequence))
            return Freshness(VerifiedBackup(stored, best, _since(repository, best)), tuple(others))
    return Freshness(None, tuple(others))


def judged(repository: Repository, deployment: str, identities: Sequence[AgeIdentity] = ()) -> Iterator[Judged]:
    """Yield what each attestation is worth, those of the newest manifest first; none of a manifest that is gone."""
    names = reversed(attestation.names(repository, deployment))
    for sequence, of_one in groupby(names, layout.attested_sequence):
        assert sequence is not None
        try:
            stored = repository.read(layout.manifest(deployment, sequence))
        except NotFound:
            continue
        except Corrupt as error:
            yield from (Judged(name, "invalid", None, f"its manifest is damaged: {error}") for name in of_one)
            continue
        for name in of_one:
            yield attestation.judge(repository, name, stored, identities)


def _since(repository: Repository, verified: Attestation) -> str:
    """Return when it was verified; if a newer backup was there already, when that one was made."""
    for name in repository.manifest_names(verified.deployment, since=verified.sequence + 1):
        try:
            return min(verified.verified_at, repository.signed(name).manifest.created_at)
        except (Corrupt, NotFound):
            continue
    return verified.verified_at


def age_s(since: str, now: str) -> int | None:
    """Return how many whole seconds ago an instant was; None if it lies in the future, which no age is made of."""
    seconds = (to_microseconds(now) - to_microseconds(since)) / 1_000_000
    return None if seconds < -CLOCKS_DIFFER_S else max(0, round(seconds))
