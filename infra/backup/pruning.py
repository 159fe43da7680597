"""Pruning: marks what a policy no longer keeps, and deletes what was marked before (docs/reference/backup.md)."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.errors import Conflict, Corrupt, NotFound, ResurgamError
from domain.instant import to_datetime
from domain.release import RELEASE
from infra.backup import inventory, layout, memory, prune_statement, retention, superseding
from infra.backup.continuation import find_newest
from infra.backup.inventory import Inventory
from infra.backup.prune_statement import MARKS_MAX, Gap, Gaps, PruneStatement, gaps_between
from infra.backup.repository import Repository
from infra.backup.retention import Policy, Reason
from infra.backup.stores.store import Store
from infra.backup.superseding import KEYRING_GRACE
from infra.database.session import Database
from infra.keys.root_key import RootKey
from infra.keys.signer import Signer
from infra.log import head
from projections.progress import Progress, silent

ATTEMPTS = 20
GRACE = timedelta(hours=24)
FAILURES_MAX = 10
"""After so many deletions in a row that failed, the others are not tried: the right to delete is missing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a prune is about to do.

    `unwanted…` is all that is there and not kept; of this, `marked…` is marked now, and what the statements in `due`
    marked is deleted now. `superseded` are keyring files, and until when they stay if a kept manifest names them.
    """

    found: Inventory
    kept: Mapping[int, Sequence[Reason]]
    unwanted_manifests: frozenset[int]
    unwanted_objects: frozenset[str]
    gaps: Sequence[Gap]
    marked_manifests: Sequence[int]
    marked_objects: Sequence[str]
    due: Sequence[PruneStatement]
    superseded: Mapping[str, datetime]
    missable_keyrings: int
    now: str

    @property
    def due_manifests(self) -> list[int]:
        """The manifests that are to be deleted, oldest first: of what is marked, what may be missing from now on."""
        missable = Gaps(self.gaps)
        marked = {number for statement in self.due for number in statement.manifests}
        return sorted(number for number in self.unwanted_manifests & marked if number in missable)

    def due_objects(self, deleted: Set[int]) -> list[str]:
        """Return the objects that are to be deleted once these manifests are."""
        anchor = self.found.anchor
        standing = [n for n in self.found.manifests if n not in deleted and (n != anchor or n in self.kept)]
        marked = {name for statement in self.due for name in statement.objects}
        return sorted(
            name
            for name in self.unwanted_objects & marked
            if name in self.outlived_keyrings or not self.found.is_used(name, standing)
        )

    @property
    def outlived_keyrings(self) -> frozenset[str]:
        """The superseded keyring files whose own grace is over: they go whatever is kept."""
        return frozenset(name for name, until in self.superseded.items() if until <= to_datetime(self.now))

    @property
    def is_stated(self) -> bool:
        """Whether a new statement is to be written: one that is carried out is never the only one that knows a gap."""
        if self.missable_keyrings > self.found.missable_keyrings:
            return True
        is_newest_due = bool(self.due) and self.due[0] is self.found.statements[0] and self.is_left(self.due[0], set())
        return bool(self.marked_manifests or self.marked_objects) or is_newest_due

    def is_left(self, statement: PruneStatement, gone: Set[int | str]) -> bool:
        """Whether something that a statement marks is still to be deleted, when this is gone."""
        manifests = self.unwanted_manifests.intersection(statement.manifests)
        objects = self.unwanted_objects.intersection(statement.objects)
        return bool(manifests - gone or objects - gone)


@dataclass(frozen=True, slots=True)
class Failure:
    """An object that was not deleted, and why; no reason if that was not tried, as something before it failed."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a prune did, or would do; `statement` is the number of the statement that it wrote, if it wrote one."""

    plan: Plan
    statement: int | None
    deleted_manifests: Sequence[int]
    deleted_objects: Sequence[str]
    failures: Sequence[Failure]
    swept: int = 0
    """How many temporary files of crashed writers were removed."""


def prune(
    database: Database,
    root_key: RootKey,
    repository: Repository,
    policy: Policy,
    grace: timedelta,
    clock: Callable[[], str],
    *,
    keyring_grace: timedelta = KEYRING_GRACE,
    is_dry_run: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Mark and delete what the policy does not keep; safe beside running backups, readers and other prunes.

    Raises Refused or Corrupt, and changes nothing, if the chain is not sound or a clock is wrong.
    """
    for _ in range(ATTEMPTS):
        with database.read() as session:
            known = head.read_open(session)
            signer = memory.get_signer(session, root_key)
            last = memory.last_manifest(session, repository.id)
        find_newest(repository, known, signer.verifier, last)
        found = inventory.read(repository, known.deployment, progress)
        now = clock()
        planned = plan(found, policy, grace, now, keyring_grace)
        if is_dry_run:
            manifests = planned.due_manifests
            return Outcome(planned, None, manifests, planned.due_objects(frozenset(manifests)), ())
        statement = None
        if planned.is_stated:
            statement = _statement(planned, now, signer)
            if not _put(repository, statement, planned, signer):
                continue
        return _carry_out(planned, statement, database, repository.store, progress)
    raise Conflict(f"other prunes were faster {ATTEMPTS} times in a row: run it again when they are done")


def plan(
    found: Inventory, policy: Policy, grace: timedelta, now: str, keyring_grace: timedelta = KEYRING_GRACE
) -> Plan:
    """Decide what is kept, marked and due; Refused if the clock is wrong, Corrupt if a kept backup lacks an object."""
    allowed = Gaps(found.statements[0].gaps if found.statements else ())
    kept = retention.kept(policy, [found.manifests[n].backup for n in _candidates(found, allowed)], now)
    _check_whole(found, kept)
    marked_before = {n for statement in found.statements for n in statement.manifests if n in allowed}
    unkept = [n for n in found.manifests if n not in kept and n != found.anchor]
    manifests = [n for n in unkept if n not in marked_before][:MARKS_MAX]
    leaving = frozenset(manifests)
    gaps = gaps_between([of.link for n, of in found.manifests.items() if n not in allowed and n not in leaving])
    missable = Gaps(gaps)
    void = [n for n in found.void if n in missable]
    manifests += [n for n in void if n not in marked_before][: MARKS_MAX - len(manifests)]
    objects_before = {name for statement in found.statements for name in statement.objects}
    needing = sorted(kept)
    superseded = {name: since + keyring_grace for name, since in superseding.superseded(found, now).items()}
    unneeded = [name for name in found.objects if name in superseded or not found.is_used(name, needing)]
    objects = [name for name in unneeded if name not in objects_before][: MARKS_MAX - len(manifests)]
    return Plan(
        found=found,
        kept=kept,
        unwanted_manifests=frozenset(unkept + void),
        unwanted_objects=frozenset(unneeded),
        gaps=gaps,
        marked_manifests=sorted(manifests),
        marked_objects=sorted(objects),
        due=[statement for statement in found.statements if _is_due(statement, found, grace, now)],
        superseded=superseded,
        missable_keyrings=_missable_keyrings(found, superseded),
        now=now,
    )


def _missable_keyrings(found: Inventory, superseded: Iterable[str]) -> int:
    """Return the number before which keyring files may be missing from now on; it never falls."""
    numbers = [number for name in superseded if (number := layout.keyring_sequence(name)) is not None]
    return max([found.missable_keyrings, *(number + 1 for number in numbers)])


def _check_whole(found: Inventory, kept: Iterable[int]) -> None:
    for number in kept:
        if found.manifests[number].missing:
            raise Corrupt(
                f"{found.manifests[number].missing} is missing, but manifest {number}, which is to be kept, names it: "
                "nothing is pruned; `resurgam backup verify` tells what else is wrong"
            )


def _candidates(found: Inventory, allowed: Gaps) -> list[int]:
    """Return the backups that a policy may keep.

    Of what is marked already, and of the first one, these are those that are still whole.
    """
    return [
        number
        for number, of in found.manifests.items()
        if not of.missing
        or number == found.newest.manifest.sequence
        or not (number == found.anchor or number in allowed)
    ]


def _is_due(statement: PruneStatement, found: Inventory, grace: timedelta, now: str) -> bool:
    """Whether the grace is over, and every run has won or lost that could have put what nothing named."""
    is_over = to_datetime(now) - to_datetime(statement.marked_at) >= grace
    return is_over and found.newest.manifest.sequence > statement.newest


def _statement(planned: Plan, now: str, signer: Signer) -> PruneStatement:
    newest = planned.found.newest.manifest
    if planned.found.statement_number >= layout.SEQUENCE_MAX:
        name = layout.prune(newest.deployment, planned.found.statement_number)
        raise Corrupt(f"{name} leaves no number for another statement: somebody else put it there, remove it")
    return PruneStatement(
        repository=newest.repository,
        repository_sha256=newest.repository_sha256,
        deployment=newest.deployment,
        epoch=newest.epoch,
        sequence=planned.found.statement_number + 1,
        marked_at=now,
        release=RELEASE,
        newest=planned.found.newest_number,
        gaps=tuple(planned.gaps),
        manifests=tuple(planned.marked_manifests),
        objects=tuple(planned.marked_objects),
        keyrings_before=planned.missable_keyrings or None,
        verifier=str(signer.verifier),
    )


def _put(repository: Repository, statement: PruneStatement, planned: Plan, signer: Signer) -> bool:
    """Write the statement and read it back; False if another prune took its name: then plan again behind it."""
    newest = planned.found.newest.manifest
    statement.check(newest)
    try:
        repository.store.put_new(statement.name, prune_statement.sign(statement, signer))
    except Conflict:
        return False
    if repository.prune_statement(statement.name, newest) != statement:
        raise Corrupt(f"{statement.name} reads back differently from what was written")
    return True


def _carry_out(
    planned: Plan, statement: PruneStatement | None, database: Database, store: Store, progress: Progress
) -> Outcome:
    """Delete manifests before their objects: so each manifest that is there has all that it names."""
    deployment = planned.found.newest.manifest.deployment
    due = planned.due_manifests
    hoped_for = planned.due_objects(frozenset(due))
    removal = _Removal(store, len(due) + len(hoped_for), progress)
    manifests = [n for n in due if removal.delete(layout.manifest(deployment, n))]
    unused = planned.due_objects(frozenset(manifests))
    objects = [name for name in unused if removal.delete(name)]
    removal.failures += [Failure(name, "") for name in sorted(set(hoped_for).difference(unused))]
    _forget_keys(database, planned, frozenset(objects))
    gone = frozenset[int | str]({*manifests, *objects})
    for old in planned.found.statements[1 if statement else 2 :]:
        if not planned.is_left(old, gone):
            removal.delete(old.name)
    swept = removal.sweep()
    return Outcome(planned, statement.sequence if statement else None, manifests, objects, removal.failures, swept)


def _forget_keys(database: Database, planned: Plan, deleted: Set[str]) -> None:
    """Forget the file keys of the segments that due statements marked and that are gone, now or since a crash."""
    listed = frozenset(planned.found.objects)
    names = (name for s in planned.due for name in s.objects if name in deleted or name not in listed)
    sha256s = [sha256 for name in names if (sha256 := layout.object_sha256(name)) is not None]
    if sha256s:
        with database.write() as session:
            memory.forget_segment_keys(session, sha256s)


class _Removal:
    """Deletes objects one by one; what cannot be deleted is noted, and ends nothing but hopeless attempts."""

    def __init__(self, store: Store, total: int, progress: Progress) -> None:
        self._store = store
        self._total = total
        self._progress = progress
        self._done = 0
        self._failed_in_a_row = 0
        self.failures: list[Failure] = []

    def delete(self, name: str) -> bool:
        """Return whether the object is gone."""
        self._done += 1
        self._progress("deleting objects", self._done, max(self._total, self._done))
        if self._failed_in_a_row >= FAILURES_MAX:
            self.failures.append(Failure(name, ""))
            return False
        try:
            self._store.delete(name)
        except NotFound:
            pass  # another prune was faster
        except ResurgamError as error:
            self.failures.append(Failure(name, str(error)))
            self._failed_in_a_row += 1
            return False
        self._failed_in_a_row = 0
        return True

    def sweep(self) -> int:
        """Remove what crashed writers left of objects that nobody saw; return how many there were."""
        try:
            return self._store.sweep()
        except ResurgamError as error:
            self.failures.append(Failure("temporary files", str(error)))
            return 0
