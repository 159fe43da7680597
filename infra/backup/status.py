"""Status: how far the backups of one deployment reach, by what its repository and its store know."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.backup_recipient import BackupRecipient, recipients
from domain.errors import Corrupt, Refused, ResurgamError
from domain.instant import to_microseconds
from infra.backup import ending, memory
from infra.backup.age import AgeIdentity
from infra.backup.freshness import Freshness, age_s, freshness
from infra.backup.repository import Repository, Stored
from infra.database.session import Session
from infra.log import event_table, head, wrapping
from infra.log.head import Head
from infra.log.wrapping import Wrapping
from infra.state.snapshot import Snapshot
from projections.expiry import Expiry


@dataclass(frozen=True, slots=True)
class InRepository:
    """What the repository holds of a deployment; `newest` is None if that is nothing."""

    newest: Stored | None
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class InStore:
    """What the store of the deployment says. `remembered` is the last manifest that it wrote."""

    head: Head
    remembered: Stored | None
    recipients: Sequence[BackupRecipient]
    expiring: Sequence[Expiry]
    wrapping: Wrapping | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was recorded and is in no backup: so many records, the first of them recorded so many seconds ago."""

    records: int
    oldest_s: int


@dataclass(slots=True)
class Status:
    """What was found at an instant; a part that is None is missing, and `missing` says why.

    `errors` are what is wrong, the worst first; `max_age_s` is what the operator asks of the newest verified backup.
    `place` is what the repository is reached with and that runs out.
    """

    now: str
    max_age_s: int | None
    deployment: str = ""
    location: str = ""
    repository: InRepository | None = None
    store: InStore | None = None
    backlog: Backlog | None = None
    place: Sequence[Expiry] = ()
    missing: dict[str, str] = field(default_factory=dict)
    errors: list[ResurgamError] = field(default_factory=list)

    def verified_age_s(self) -> int | None:
        """Return the age of the newest verified backup; None if there is none that has one."""
        newest = self.repository.freshness.newest if self.repository else None
        return None if newest is None else age_s(newest.since, self.now)

    def expiring(self) -> Sequence[Expiry]:
        """Return all that runs out, as far as it is known, soonest first."""
        return sorted([*self.place, *(self.store.expiring if self.store else ())], key=lambda one: one.expires)

    def root_key_age_s(self) -> int | None:
        """Return for how long the store has been wrapped by its root key; None if nobody knows."""
        used = self.store.wrapping if self.store else None
        return None if used is None else age_s(used.since, self.now)

    def is_rotation_due(self) -> bool:
        """Whether the root key is older than a month; also if its age is not known."""
        age = self.root_key_age_s()
        return self.store is not None and (age is None or age > wrapping.DAYS_MAX * 86_400)

    def is_fresh(self) -> bool:
        """Whether the newest verified backup is no older than was asked for."""
        age = self.verified_age_s()
        return self.max_age_s is None or (age is not None and age <= self.max_age_s)


def in_repository(
    repository: Repository, deployment: str, now: str, identities: Sequence[AgeIdentity] = ()
) -> InRepository:
    """Read the newest manifest, and find the newest verified one; the manifests between are not read.

    Corrupt if the newest is damaged, or signed by somebody else than the oldest that is kept.
    """
    names = repository.manifest_names(deployment)
    if not names:
        return InRepository(None, Freshness(None, ()))
    newest = repository.read(names[-1])
    oldest = repository.signed(names[0]) if len(names) > 1 else newest
    found = freshness(repository, deployment, now, identities)
    for other in (oldest, *([found.newest.stored] if found.newest else ())):
        if other.manifest.verifier != newest.manifest.verifier:
            raise Corrupt(
                f"{newest.manifest.name} is signed by another signer than {other.manifest.name}: somebody else writes "
                "into these backups; `resurgam backup verify` tells more"
            )
    return InRepository(newest, found)


def remembered(session: Session) -> list[Stored]:
    """Return the last manifest that the deployment wrote into each repository.

    Read before the repository is: else what another process backs up meanwhile would look like a repository that lost
    it. The log is read after, by `in_store`.
    """
    return memory.last_manifests(session)


def in_store(session: Session, now: str, last: Sequence[Stored], repository_id: str | None) -> InStore:
    """Read what the store knows; of a repository that cannot be read the last manifest in whichever one."""
    at = head.read_open(session)
    own = [stored for stored in last if repository_id in (None, stored.manifest.repository)]
    state = Snapshot(session, at.position)
    return InStore(
        at,
        max(own, key=lambda stored: stored.manifest.last, default=None),
        recipients(state),
        ending.of_deployment(state, now),
        wrapping.read(session),
    )


def backlog(session: Session, now: str, shipped: int) -> Backlog:
    """Return what is in no backup that reaches to `shipped`."""
    at = head.read_open(session)
    first = event_table.record_at(session, shipped + 1) if shipped < at.position else None
    if first is None:
        return Backlog(0, 0)
    waited_us = to_microseconds(now) - to_microseconds(first.recorded_at)
    return Backlog(at.position - shipped, max(0, waited_us // 1_000_000))


def check_goes_forward(found: InRepository, store: InStore, location: str) -> None:
    """Refused if the repository lost what this deployment wrote there, Corrupt if it holds what the log does not."""
    newest = found.newest.manifest if found.newest else None
    last = store.remembered.manifest if store.remembered else None
    if last is not None and (newest is None or newest.sequence < last.sequence):
        raise Refused(
            f"the repository {location} went backwards: this deployment wrote manifest {last.sequence} of "
            f"{last.created_at}, the newest there is {newest.sequence if newest else 'none'}",
            rule="repository-goes-forward",
        )
    if last is not None and newest is not None and newest.verifier != last.verifier:
        raise Corrupt(f"{newest.name} is signed by another signer than this deployment's: find out who wrote it")
    if newest is not None and newest.last > store.head.position:
        raise Corrupt(
            f"the log ends at position {store.head.position}, its own backup {newest.name} at position {newest.last}: "
            "the store was set back; `resurgam backup run` names what only the backup has, and the ways out"
        )
