"""Recovery: from nothing but a repository and an identity to an open deployment, in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from domain.deployment import RecordRecovery
from domain.deployment_inputs import DeploymentInputs
from domain.errors import Refused
from domain.release import RELEASE, gate
from infra.backup import (
    answers,
    choice,
    comparison,
    endorsement,
    keyring_file,
    lines_file,
    rebuild,
    segment,
)
from infra.backup.age import AgeIdentity
from infra.backup.comparison import Measure
from infra.backup.endorsement import Trust
from infra.backup.keyring_file import Contents
from infra.backup.manifest import Manifest
from infra.backup.rebuild import Limit, Lost, Rebuilt
from infra.backup.repository import Repository, Stored
from infra.backup.segment import OpenerOf
from infra.backup.verification import Expectation
from infra.control_plane import first_records, store, successor, when
from infra.control_plane.first_records import FirstRecords
from infra.database.session import Database, Session
from infra.keys.root_key import FileRootKey
from infra.keys.signer import Verifier
from infra.log import head
from infra.log.head import Head
from infra.log.record import Actor, Recorded
from infra.state.snapshot import Snapshot
from projections.progress import Progress, silent

LARGE_RECORDS = 50_000
"""From so many on, a second process pays; it takes a third of a second to start."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator asks of a recovery or a drill; see `resurgam recover --help`."""

    deployment: str | None = None
    at: str | None = None
    verifier: Verifier | None = None
    trust_first_use: bool = False
    expect: Expectation | None = None
    accept_damage: bool = False
    inputs: DeploymentInputs | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recovery is about to do; nothing was opened yet but manifests."""

    stored: Stored
    trust: Trust
    limit: Limit

    @property
    def manifest(self) -> Manifest:
        """The manifest of the backup that is taken."""
        return self.stored.manifest


@dataclass(frozen=True, slots=True)
class Report:
    """What a recovery or a drill found and did; `head` is that of the recovered store or of a drill's scratch one."""

    plan: Plan
    head: Head
    last: Recorded | None
    recovered_position: int
    counts: dict[str, int]
    types: dict[str, int]
    measures: Sequence[Measure]
    lost: Sequence[Lost]
    beyond: rebuild.Beyond
    keys: int
    """How many live keys the backup's keyring holds."""
    keyring_sequence: int = 0
    """The number of the manifest whose keyring that is: a newer one if its own was superseded and is gone."""
    first_records: FirstRecords | None = None
    """What a recovery recorded in the new deployment; None after a drill."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A backup that was loaded and compared: what a recovery and a drill have in common."""

    rebuilt: Rebuilt
    keys: Contents
    measures: Sequence[Measure]

    def report(self, session: Session, planned: Plan, final: Head) -> Report:
        """Return the report of a store that ends at `final`."""
        rebuilt, counts = self.rebuilt, Snapshot(session, self.rebuilt.position).counts()
        return Report(
            planned,
            final,
            rebuilt.last,
            rebuilt.position,
            counts,
            rebuilt.types,
            self.measures,
            rebuilt.lost,
            rebuilt.beyond,
            len(self.keys.live),
            self.keys.sequence,
        )


def plan(repository: Repository, identities: Sequence[AgeIdentity], wish: Wish, now: str) -> Plan:
    """Choose the backup; check that this release takes it, that its signer is believed, and what was expected of it."""
    stored = choice.choose(repository, wish.deployment, accept_damage=wish.accept_damage)
    gate(stored.manifest.release, f"the backup {stored.manifest.name}")
    endorsement.check_identities(stored.manifest, identities)
    trust = endorsement.trust(stored.manifest, identities, wish.verifier, first_use=wish.trust_first_use)
    if wish.expect is not None:
        wish.expect.check_size(stored.manifest)
    return Plan(stored, trust, _limit(wish.at, now, stored.manifest))


def recover(
    database: Database,
    root_key_file: Path,
    repository: Repository,
    identities: Sequence[AgeIdentity],
    wish: Wish,
    actor: Actor,
    now: Callable[[], str],
    progress: Progress = silent,
    keep: Callable[[Session, Report], None] = lambda session, report: None,
) -> Report:
    """Fill an empty store and open it as a new deployment. A crash or a refusal leaves the store as empty as it was.

    `keep` writes what is to be known of it into the store, in the same transaction.
    """
    planned = plan(repository, identities, wish, now())
    with database.write() as session:
        _empty_tables(session)
        root_key = FileRootKey.take(root_key_file)  # before anything is visible
        proven = _proven(session, repository, planned, _opener_of(identities), wish, progress)
        rebuild.put_keys(session, proven.rebuilt, proven.keys, root_key)
        store.analyze(session)
        rebuilt_head = _rebuilt_head(planned.manifest, proven.rebuilt)
        comes_from = successor.ancestor(planned.stored, proven.rebuilt.position)
        opened, _ = successor.begin(session, rebuilt_head, root_key, comes_from, planned.manifest.epoch)
        recovery = _record_of(opened, planned, proven.rebuilt)
        since = opened.instant
        recorded = first_records.record(session, opened, root_key, actor, recovery, wish.inputs, since, progress)
        report = replace(proven.report(session, planned, head.read(session)), first_records=recorded)
        keep(session, report)
        return report


def drill(
    database: Database,
    repository: Repository,
    identities: Sequence[AgeIdentity],
    wish: Wish,
    now: str,
    progress: Progress = silent,
) -> Report:
    """Do everything that `recover` does up to its comparisons in a scratch store, which the caller throws away."""
    planned = plan(repository, identities, wish, now)
    return replay(database, repository, planned, _opener_of(identities), wish, progress)


def replay(
    database: Database, repository: Repository, planned: Plan, opener_of: OpenerOf, wish: Wish, progress: Progress
) -> Report:
    """Load a planned backup into a scratch store, and compare; Corrupt if anything differs."""
    with database.write() as session:
        _empty_tables(session)
        proven = _proven(session, repository, planned, opener_of, wish, progress)
        final = _rebuilt_head(planned.manifest, proven.rebuilt)
        head.write(session, final)
        return proven.report(session, planned, final)


def _opener_of(identities: Sequence[AgeIdentity]) -> OpenerOf:
    return OpenerOf(lines_file.with_identities(identities))


def _proven(
    session: Session,
    repository: Repository,
    planned: Plan,
    opener_of: OpenerOf,
    wish: Wish,
    progress: Progress,
) -> Proven:
    """Load the planned backup into empty tables, build their indexes, and compare; Corrupt if anything differs."""
    keys = keyring_file.read_all(repository, planned.manifest, opener_of)
    rebuilt = _rebuilt(session, repository, planned, opener_of, wish, keys, progress)
    measures = comparison.compare(rebuilt, planned.manifest)
    progress("building indexes", 0, 1)
    store.create_indexes(session)
    progress("building indexes", 1, 1)
    measures += answers.compare(
        session, repository, planned.manifest, opener_of, rebuilt.position, accept_damage=wish.accept_damage
    )
    return Proven(rebuilt, keys, measures)


def _limit(at: str | None, now: str, of: Manifest) -> Limit:
    if at is None:
        return Limit()
    asked = when.parse(at, now)
    if asked.position is not None:
        if asked.position > of.last:
            raise Refused(
                f"the backup ends at position {of.last}, before {asked.position}", rule="position-is-backed-up"
            )
        return Limit(position=asked.position)
    if asked.instant is not None and asked.instant > of.created_at:
        raise Refused(
            f"the backup was made at {of.created_at} and knows nothing of {asked.instant}: "
            "leave --at out to recover all of it",
            rule="position-is-backed-up",
        )
    return Limit(instant=asked.instant)


def _empty_tables(session: Session) -> None:
    """Take the empty store for this transaction alone: tables without indexes, the head locked."""
    if session.has_table("log_head"):
        store.check_empty(head.read(session, lock=True))
        store.drop(session)
    store.create(session, with_indexes=False)


def _rebuilt(
    session: Session,
    repository: Repository,
    planned: Plan,
    opener_of: OpenerOf,
    wish: Wish,
    keys: Contents,
    progress: Progress,
) -> Rebuilt:
    pages = segment.read_all(repository, planned.manifest, opener_of)
    if wish.inputs is not None:
        pages = first_records.checked(pages, wish.inputs)
    if wish.expect is not None:
        pages = wish.expect.checked(pages, planned.manifest)
    total = planned.manifest.last
    rebuilt = rebuild.rebuild(
        session,
        pages,
        planned.limit,
        keys,
        is_large=total >= LARGE_RECORDS,
        progress=lambda position: progress("replaying records", position, total),
    )
    if not rebuilt.position:
        raise Refused(
            f"nothing was recorded yet at {wish.at}: name a later point in time", rule="position-is-backed-up"
        )
    rebuilt.beyond.count = planned.manifest.last - rebuilt.position  # also what could not be read
    return rebuilt


def _rebuilt_head(of: Manifest, rebuilt: Rebuilt) -> Head:
    recorded_at = rebuilt.recorded_at_us
    return replace(
        head.NEW,
        deployment=of.deployment,
        epoch=of.epoch,
        parent_epoch=of.parent_epoch,
        position=rebuilt.position,
        recorded_at=recorded_at,
        frontier=rebuilt.frontier,
        digest=rebuilt.digest,
        mode=head.OPEN,
    )


def _record_of(opened: Head, planned: Plan, rebuilt: Rebuilt) -> RecordRecovery:
    """Return what the first event of the new epoch says."""
    of = planned.manifest
    return RecordRecovery(
        deployment_id=opened.deployment,
        ancestor_deployment_id=of.deployment,
        epoch=opened.epoch,
        parent_epoch=of.epoch,
        manifest_sequence=of.sequence,
        backup_position=of.last,
        backup_recorded_at=of.recorded_at,
        recovered_position=rebuilt.position,
        checkpoint_root=of.opened_checkpoint().body().split("\n")[2],
        signer_trust=planned.trust.reason,
        from_release=of.release,
        to_release=RELEASE,
    )
