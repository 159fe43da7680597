"""Status: how far the backups of one deployment reach, by what its repository and its store know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from domain.backup_recipient import BackupRecipient, recipients
from domain.errors import Corrupt, Refused, ResurgamError
from domain.instant import to_microseconds
from infra.backup import memory
from infra.backup.age import AgeIdentity
from infra.backup.freshness import Freshness, age_s, freshness
from infra.backup.repository import Repository, Stored
from infra.database.session import Session
from infra.log import event_table, head, wrapping
from infra.log.head import Head
from infra.log.wrapping import Wrapping
from infra.state.snapshot import Snapshot
from projections import expiry
from projections.expiry import Expiry

OWN_KINDS = tuple(kind for kind in expiry.ENDS if kind != "secret-version")
"""What ends a control plane's own service: tenants' secrets are theirs to renew, `resurgam expiring` lists them too."""


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
    """

    now: str
    max_age_s: int | None
    deployment: str = ""
    location: str = ""
    repository: InRepository | None = None
    store: InStore | None = None
    backlog: Backlog | None = None
    missing: dict[str, str] = field(default_factory=dict)
    errors: list[ResurgamError] = field(default_factory=list)

    def verified_age_s(self) -> int | None:
        """Return the age of the newest verified backup; None if there is none that has one."""
        newest = self.repository.freshness.newest if self.repository else None
        return None if newest is None else age_s(newest.since, self.now)

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
    ending = chain.from_iterable(state.of_kind(kind) for kind in OWN_KINDS)
    return InStore(
        at,
        max(own, key=lambda stored: stored.manifest.last, default=None),
        recipients(state),
        expiry.expiring(state, ending, now, expiry.WARNING_DAYS),
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
            "the store was set back; recover from the backup into a new store"
        )


def counted(expiring: Sequence[Expiry]) -> Mapping[str, int]:
    """Return how many things have expired, will within 30 days, and will within 90; each is counted once."""
    counts = {"expired": 0, "30d": 0, "90d": 0}
    for one in expiring:
        counts["expired" if one.expired else "30d" if one.severity == "critical" else "90d"] += 1
    return counts
