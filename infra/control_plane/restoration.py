"""Restorations: services of a running deployment are brought back to what a backup has of them, by one command.

The backup is replayed into a scratch store, as in a drill. What differs from the live state and fits into it is
proposed first; it is recorded under the head's lock, if by then it still is what was proposed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from domain.altered_world import Alteration, AlteredWorld
from domain.command import Prepared
from domain.control_plane import KINDS, decide
from domain.deployment import DEPLOYMENT, DEPLOYMENT_ID
from domain.deployment_inputs import check_immutable
from domain.errors import Conflict, Refused, Usage
from domain.resource import SERVICES, Kind
from domain.resource_id import fold
from domain.restoration import RestoredResource, RestoreResources, Source
from domain.restoration_rules import Skipped, Vetted, foreseen, must_leave_an_owner, vet
from infra.backup import choice, lines_file, memory
from infra.backup.age import AgeIdentity
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.control_plane import recovery
from infra.control_plane.batch import Batch
from infra.control_plane.job import Item, Outcome
from infra.control_plane.preparing import Preparation
from infra.control_plane.recovery import Plan, Report, Wish
from infra.control_plane.request import Request
from infra.control_plane.restored_values import BackupKeys, Values
from infra.database.session import Database, Session
from infra.keys.root_key import RootKey
from infra.log import event_table, head
from infra.log.event_log import Clock
from infra.log.head import Head
from infra.log.record import Actor
from infra.state.snapshot import HeadLoader, Snapshot, questions, sources_found, versions_found
from projections.current import Current
from projections.progress import Progress, silent

ALL = "all"
LOADED_AT_ONCE = 1_000
PROVIDERS = "providers"
"""What an operator calls the part of the service `deployment` that can be restored."""


def services() -> dict[str, list[Kind[Any]]]:
    """Return what can be restored by itself, and the kinds that belong to it; the deployment itself cannot."""
    named: dict[str, list[Kind[Any]]] = {}
    for service in SERVICES:
        kinds = [kind for kind in KINDS.values() if kind.service == service and kind.restored is not None]
        named[PROVIDERS if service == "deployment" else service] = kinds
    return named


def kinds_of(service: str) -> list[Kind[Any]]:
    """Return the kinds of a service, or of all; Usage, listing them, for another name."""
    named = services()
    if service == ALL:
        return [kind for kinds in named.values() for kind in kinds]
    if service not in named:
        raise Usage(f"there is no service {service!r} to restore: name one of {', '.join(named)}, or {ALL}")
    return named[service]


@dataclass(frozen=True, slots=True)
class Origin:
    """A backup that was replayed into a scratch store, and proven, up to the position that is restored."""

    database: Database
    report: Report
    keys: BackupKeys

    @property
    def plan(self) -> Plan:
        """Which backup it is."""
        return self.report.plan

    @property
    def position(self) -> int:
        """The position whose state it holds."""
        return self.report.recovered_position

    def source(self) -> Source:
        """Return what each event says of it."""
        of, last = self.plan.manifest, self.report.last
        assert last is not None
        return Source(
            deployment_id=of.deployment,
            manifest_sequence=of.sequence,
            checkpoint_root=of.opened_checkpoint().body().split("\n")[2],
            signer_trust=self.plan.trust.reason,
            position=self.position,
            recorded_at=last.recorded_at,
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a restoration would change in the live deployment as it was at `live`."""

    service: str
    origin: Origin
    live: Head
    is_same_log: bool
    """Whether the backup is of this log, so that what it does not have was made since."""

    vetted: Vetted
    brought_back: Sequence[tuple[str, int]]
    """Resources whose values were destroyed since and come back, each with the position of the destruction."""

    destroyed: Sequence[str]
    """Resources with values that the restoration destroys."""


def wish_for(session: Session, root_key: RootKey, repository: Repository, wish: Wish) -> Wish:
    """Return the wish for this deployment's own backups, whose signer it knows, unless it says otherwise."""
    own = head.read_open(session).deployment
    names = repository.deployments()
    if wish.deployment is None and own in names:
        wish = replace(wish, deployment=own)
    if wish.verifier is None and (wish.deployment or choice.choose(repository, None).manifest.deployment) == own:
        wish = replace(wish, verifier=memory.get_signer(session, root_key).verifier)
    return wish


def replayed(
    scratch: Database,
    repository: Repository,
    identities: Sequence[AgeIdentity],
    wish: Wish,
    planned: Plan,
    progress: Progress = silent,
) -> Origin:
    """Replay a planned backup into an empty scratch store; Corrupt if it is not what was backed up."""
    opener_of = OpenerOf(lines_file.with_identities(identities))
    report = recovery.replay(scratch, repository, planned, opener_of, wish, progress)
    return Origin(scratch, report, BackupKeys(repository, planned.stored, opener_of, report.recovered_position))


def propose(database: Database, root_key: RootKey, origin: Origin, service: str) -> Proposal:
    """Compare a service, or all of them, with the replayed backup, and change nothing."""
    with database.read() as session:
        return _proposed(session, head.read_open(session), root_key, origin, service)


def apply(database: Database, root_key: RootKey, proposal: Proposal, actor: Actor, reason: str = "") -> Outcome:
    """Record what was proposed; Conflict if the deployment has moved so that it would be something else by now."""
    with database.write() as session:
        at, now_us, _ = head.lock_open(session)
        if (at.epoch, at.position) != (proposal.live.epoch, proposal.live.position):
            found = _proposed(session, at, root_key, proposal.origin, proposal.service)
            if found.vetted != proposal.vetted:
                raise Conflict(
                    f"the deployment was changed after position {proposal.live.position}, and the restoration would do "
                    "something else by now: look at it again"
                )
        return _recorded(session, at, Clock.of(now_us, at), root_key, proposal, actor, reason)


def _proposed(session: Session, at: Head, root_key: RootKey, origin: Origin, service: str) -> Proposal:
    kinds, now = kinds_of(service), Snapshot(session, at.position)
    with origin.database.read() as scratch:
        then = Snapshot(scratch, origin.position)
        _check_inputs(now, then)
        is_same_log = _is_same_log(session, scratch, at, origin)
        values = Values(session, root_key, origin.keys)
        wanted, skipped = [], []
        for one in _differences(now, then, kinds):
            one = values.kept(one)
            if one.before == one.after:
                continue
            if one.after is None and not is_same_log:
                reason = "this deployment made it, and the backup is another's: delete it by its own commands"
                skipped.append(Skipped(one, "made-here", reason))
            elif (why := values.lost(one)) is not None:
                skipped.append(Skipped(one, "value-destroyed", why))
            else:
                wanted.append(one)
        live = _world(session, wanted)
        vetted = vet(live, then, wanted, skipped)
        must_leave_an_owner(live, AlteredWorld(live, vetted.accepted))
    brought_back, destroyed = values.fate(vetted.accepted)
    return Proposal(service, origin, at, is_same_log, vetted, brought_back, destroyed)


def _differences(live: Snapshot, then: Snapshot, kinds: Sequence[Kind[Any]]) -> Iterator[Alteration]:
    for kind in kinds:
        now = {fold(found.id): found for found in live.of_kind(kind.name)}
        for found in then.of_kind(kind.name):
            before = now.pop(fold(found.id), None)
            yield Alteration(kind, found.id, None if before is None else before.state, found.state)
        for key in sorted(now):
            yield Alteration(kind, now[key].id, now[key].state, None)


def _check_inputs(live: Snapshot, then: Snapshot) -> None:
    """Refuse a backup of another region, external domain name or identity store: its resources have other names."""
    mine, others = DEPLOYMENT.get(live, DEPLOYMENT_ID), DEPLOYMENT.get(then, DEPLOYMENT_ID)
    if mine is None or others is None:
        raise Refused("the backup does not say which deployment it is of", rule="deployment-exists")
    check_immutable(mine["inputs"], others["inputs"], DEPLOYMENT_ID)


def _is_same_log(session: Session, scratch: Session, at: Head, origin: Origin) -> bool:
    """Whether the live log holds the record that the backup's state ends with; its id is random."""
    end = origin.position
    theirs = list(event_table.records(scratch, after=end - 1, until=end))
    if end <= at.position and theirs == list(event_table.records(session, after=end - 1, until=end)):
        return True
    if origin.plan.manifest.deployment == at.deployment:
        raise Refused(
            f"this deployment's log and its backup part at or before position {end}, the log ends at {at.position}: "
            "the store went back, or was changed; recover the whole backup into another store and compare",
            rule="log-parted",
        )
    return False


def _recorded(
    session: Session, at: Head, clock: Clock, root_key: RootKey, proposal: Proposal, actor: Actor, reason: str
) -> Outcome:
    values = Values(session, root_key, proposal.origin.keys)
    altered = [values.sealed_again(one) for one in proposal.vetted.accepted]
    resources = [RestoredResource(id=one.id, kind=one.kind.name, state=_plain(one.after)) for one in altered]
    command = RestoreResources(source=proposal.origin.source(), resources=tuple(resources))
    request = Request(command, reason=f"{_said(proposal)}: {reason}" if reason else _said(proposal))
    world = _world(session, altered)
    batch = Batch(session, at, world, clock)
    prepared = Prepared(str(uuid4()))
    item = Item(request, actor, Preparation(prepared, tuple(values.data_keys)), prepared.id, request.digest)
    outcome = batch.accept(item, decide(world, batch.instant, prepared, command))
    batch.write(root_key)
    return outcome


def _world(session: Session, alterations: Sequence[Alteration]) -> Current:
    """Return the world at the head, with nearly all that the rules will ask of it: one by one would take minutes."""
    loader = HeadLoader()
    loader.session = session
    world = Current(loader)
    for start in range(0, len(alterations), LOADED_AT_ONCE):
        resources, targets = foreseen(alterations[start : start + LOADED_AT_ONCE])
        answers = session.ask(questions(resources, targets))
        world.learn(versions_found(resources, answers), sources_found(targets, answers))
    return world


def _said(proposal: Proposal) -> str:
    origin = proposal.origin
    return f"restored {proposal.service} as of position {origin.position} of {origin.plan.manifest.deployment}"


def _plain(state: Mapping[str, object] | None) -> dict[str, Any] | None:
    return None if state is None else dict(state)
