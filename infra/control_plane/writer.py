"""The writer: decides waiting commands one after another under the head's lock, and commits them together.

All that waits is answered after one commit (group commit).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

from domain.command import Command
from domain.control_plane import decide
from domain.errors import Conflict, NotFound, Refused, ResurgamError, Unavailable, Usage, WrongKey
from domain.resource import World
from infra.control_plane.batch import Batch
from infra.control_plane.clock import host_clock
from infra.control_plane.job import Item, Job, Outcome
from infra.control_plane.queue import Queue
from infra.database.session import Answers, CommitUnknown, Database, Session
from infra.keys.root_key import RootKey
from infra.log import event_table, head, wrapping
from infra.log.event_log import Clock
from infra.log.head import Head
from infra.log.record import Recorded, decode_record
from infra.state.snapshot import (
    HeadLoader,
    changes_found,
    changes_since,
    questions,
    sources_found,
    versions_found,
)
from projections.current import Current, Foresight

BATCH_COMMANDS_MAX = 1_000
CACHE_RESOURCES_MAX = 200_000
CATCH_UP_MAX = 10_000
"""How many records of other processes are caught up with; after more of them the cache is loaded anew."""

COMMIT_ATTEMPTS = 3

Authorize = Callable[[World, str, Command], None]
"""Raises Refused unless the principal may do what the command asks."""


class AtomicRefusal(ResurgamError):
    """One command of an atomic job was refused, so the job's transaction is rolled back."""


class Writer:
    """The one writer of a process; safe to call from any thread."""

    def __init__(
        self, database: Database, root_key: RootKey, authorize: Authorize, notify: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._root_key = root_key
        self._authorize = authorize
        self._notify = notify
        self._loader = HeadLoader()
        self._world = Current(self._loader)
        self._seen = ("", -1)
        self._is_overtaken = False
        self._owes_erasure = False
        self._asks_remotely = database.engine != "sqlite"
        self._queue = Queue(self._answer, BATCH_COMMANDS_MAX)

    def run(self, jobs: Sequence[Job]) -> None:
        """Record the jobs in their order and set each item's outcome, also to what kept the store from answering.

        Raises only what no outcome stands for: a defect, or an interruption.
        """
        self._queue.run(jobs)
        for job in jobs:
            if job.error is not None:
                raise job.error

    def _answer(self, jobs: list[Job]) -> None:
        try:
            self._commit(jobs)
        except BaseException:
            for job in jobs:
                job.fail(
                    Unavailable(
                        "the writer was interrupted, and this command may be recorded or not: look, then send it again"
                    )
                )
            raise

    def _commit(self, jobs: list[Job]) -> None:
        """Record jobs in one transaction; if one of them spoils it, halve them until that one fails alone."""
        try:
            self._attempt(jobs)
        except (Unavailable, WrongKey) as error:
            # No job's fault. After a commit of unknown outcome another attempt could also store everything twice.
            for job in jobs:
                job.fail(error)
        except Exception as error:  # noqa: BLE001, whatever it is, it is the answer to the job that caused it
            if len(jobs) == 1:
                jobs[0].fail(error)
            else:
                middle = len(jobs) // 2
                self._commit(jobs[:middle])
                self._commit(jobs[middle:])

    def _attempt(self, jobs: list[Job]) -> None:
        """Transact; after a commit of unknown outcome again, when whatever was stored answers what it answered."""
        unknown: CommitUnknown | None = None
        for _ in range(COMMIT_ATTEMPTS):
            try:
                self._transact(jobs, is_repetition=unknown is not None)
                return
            except CommitUnknown as error:
                self._forget()
                unknown = error
            except BaseException as error:
                self._forget()
                if unknown is None or not isinstance(error, Exception):
                    raise
                for job in jobs:
                    job.begin()  # what this attempt answered says nothing of the one before
                raise unknown from error
        assert unknown is not None
        raise unknown

    def _forget(self) -> None:
        self._world.forget()
        self._seen, self._is_overtaken = ("", -1), False

    def _transact(self, jobs: list[Job], *, is_repetition: bool) -> None:
        if not is_repetition:
            for job in jobs:
                job.begin()
        items = [item for job in jobs for item in job.items]
        resources, targets = self._foreseen(items)
        with self._database.write() as session:
            self._loader.session = session
            asked = questions(resources, targets)
            changes = changes_since(self._seen[1], CATCH_UP_MAX) if self._is_overtaken else []
            at, now_us, (wrapped_by, *answers) = head.lock_open(session, [wrapping.QUESTION, *asked, *changes])
            wrapping.check_answer(wrapped_by[0], self._root_key)
            self._catch_up(session, at, answers[len(asked) :])
            self._world.learn(versions_found(resources, answers), sources_found(targets, answers))
            batch = Batch(session, at, self._world, Clock.of(now_us, at))
            known = _recorded_before(session, [i.command_id for i in items if i.request.command_id or is_repetition])
            for job in jobs:
                for item in job.items:
                    item.outcome = self._decided(session, batch, item, known)
                    if batch.is_due:
                        batch.write(self._root_key)
                    if job.is_atomic and isinstance(item.outcome, ResurgamError):
                        raise AtomicRefusal("one command of an atomic job was refused") from item.outcome
            batch.write(self._root_key)
        self._seen = (at.epoch, batch.position)
        self._world.settle()
        if batch.has_shredded or self._owes_erasure:
            self._owes_erasure = not self._database.erase_remains()
        if batch.position > at.position:
            self._notify()

    def _catch_up(self, session: Session, at: Head, changes: Answers) -> None:
        """Bring the cache up to the head, which another process may have moved; ask for the changes if there are none.

        Who was overtaken once will be again, and then asks for them together with the lock.
        """
        epoch, position = self._seen
        self._is_overtaken = epoch == at.epoch and position < at.position
        if (
            epoch != at.epoch
            or not 0 <= at.position - position <= CATCH_UP_MAX
            or len(self._world) > CACHE_RESOURCES_MAX
        ):
            self._world.forget()
        elif self._is_overtaken:
            changes = changes or session.ask(changes_since(position, CATCH_UP_MAX))
            for version, opened, closed in changes_found(position, changes):
                self._world.catch_up(version, opened, closed)

    def _foreseen(self, items: Sequence[Item]) -> tuple[list[str], list[tuple[str, str]]]:
        """Return the resources and the targets that deciding will probably ask for, and would load one by one."""
        if not self._asks_remotely:
            return [], []
        foresight, now = Foresight(self._world), host_clock()
        for item in items:
            with suppress(Exception):  # what is missing makes it refuse, or fail in any other way
                if item.is_enforced:
                    self._authorize(foresight, item.actor.principal or "", item.request.command)
                for event in decide(foresight, now, item.preparation.prepared, item.request.command):
                    foresight.find(event.resource)
        return foresight.unknown()

    def _decided(
        self, session: Session, batch: Batch, item: Item, known: dict[str, Recorded]
    ) -> Outcome | ResurgamError:
        try:
            if item.command_id in known:
                return _outcome_before(session, item, known[item.command_id])
            if item.command_id in batch.accepted:
                return batch.accepted_before(item)
            command = item.request.command
            if item.is_enforced:
                self._authorize(self._world, item.actor.principal or "", command)
            if item.preparation.refusal is not None:
                return item.preparation.refusal
            return batch.accept(item, decide(self._world, batch.instant, item.preparation.prepared, command))
        except (Refused, NotFound, Conflict, Usage) as error:
            return error


def _recorded_before(session: Session, command_ids: Sequence[str]) -> dict[str, Recorded]:
    """Return the first record of each of these commands that was recorded."""
    return {first.event["command"]["id"]: first for first in event_table.first_of_commands(session, command_ids)}


def _outcome_before(session: Session, item: Item, first: Recorded) -> Outcome:
    """Answer a repeated command what it was answered; Conflict if its id belongs to another."""
    item.check_same(first.event["command"]["sha256"])
    if isinstance(item.outcome, Outcome) and item.outcome.first == first.command_start + 1:
        return item.outcome  # of our own attempt, whose commit was done but not answered
    resources = []
    for record in event_table.records(session, after=first.command_start, until=first.command_end):
        resources.append(decode_record(bytes(record)).resource)
    return Outcome(
        status="repeated",
        command_id=item.command_id,
        first=first.command_start + 1,
        last=first.command_end,
        recorded_at=first.recorded_at,
        resources=tuple(resources),
    )
