"""The control plane of one deployment: execute a command, read at a position."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

from domain.command import Command, Prepared
from domain.errors import Refused, ResurgamError
from domain.sealed_value import SealedValue
from infra.control_plane import preparing, when
from infra.control_plane.clock import Clock, host_clock
from infra.control_plane.job import Item, Job, Outcome
from infra.control_plane.preparing import Preparation
from infra.control_plane.request import Request
from infra.control_plane.when import Moment, When
from infra.control_plane.writer import Writer
from infra.database.session import Database, Session
from infra.keys import keyring
from infra.keys.password import STANDARD_COST, Cost
from infra.keys.root_key import RootKey
from infra.log import head
from infra.log.head import Head
from infra.log.record import Actor
from infra.state.snapshot import Snapshot
from projections.authorization import authorize


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read sees: the state as of a moment, and the session that it is read in."""

    state: Snapshot
    moment: Moment
    session: Session


class ControlPlane:
    """One deployment over one store; safe to use from many threads."""

    def __init__(
        self, database: Database, root_key: RootKey, *, clock: Clock = host_clock, cost: Cost = STANDARD_COST
    ) -> None:
        self.database = database
        self.root_key = root_key
        self.clock = clock
        self._cost = cost
        self._writer = Writer(database, root_key, authorize)

    def execute(self, request: Request, actor: Actor, *, is_enforced: bool = False) -> Outcome:
        """Record one command; raises what refuses it."""
        [outcome] = self.execute_all([request], actor, is_enforced=is_enforced)
        if isinstance(outcome, ResurgamError):
            raise outcome
        return outcome

    def execute_all(
        self, requests: Sequence[Request], actor: Actor, *, is_atomic: bool = False, is_enforced: bool = False
    ) -> list[Outcome | ResurgamError]:
        """Record commands in their order, and return what became of each.

        A refused one does not stop the others, unless `is_atomic`: then all are recorded in one transaction or none.
        If `is_enforced`, the roles of the actor's principal decide; else the principal is only recorded.
        """
        answers: list[Outcome | ResurgamError] = []
        for group in _groups(requests):
            now = self.clock()
            items = [self._item(request, actor, is_enforced, now) for request in group]
            if is_atomic and len(group) < len(requests):
                raise Refused(
                    "an atomic request cannot hold commands that need what others of it made: send them apart"
                )
            self._writer.run([Job(items, is_atomic=True)] if is_atomic else [Job([item]) for item in items])
            answers.extend(item.outcome for item in items if item.outcome is not None)
        return answers

    @contextmanager
    def read(self, at: When | None = None) -> Iterator[Reading]:
        """Read the state as of a moment, the head if none is given, in one snapshot."""
        with read(self.database, at) as reading:
            yield reading

    def head(self) -> Head:
        """Return the head of the log."""
        with self.database.read() as session:
            return head.read_open(session)

    def open_sealed(self, session: Session, sealed: SealedValue, purpose: str, resource: str) -> bytes:
        """Return the plaintext of a sealed value; see infra.keys.keyring.open_sealed."""
        return keyring.open_sealed(session, self.root_key, sealed, purpose=purpose, resource=resource)

    def _item(self, request: Request, actor: Actor, is_enforced: bool, now: str) -> Item:
        command_id = request.command_id or str(uuid4())
        try:
            preparation = self._prepare(request.command, now)
        except ResurgamError as error:  # also of a store that fails now: what was recorded before is still answered
            preparation = Preparation(Prepared(""), refusal=error)
        return Item(request, actor, preparation, command_id, request.digest, is_enforced)

    def _prepare(self, command: Command, now: str) -> Preparation:
        if not preparing.needs_world(command):
            return preparing.prepare(command, None, now, None, cost=self._cost)
        with self.read() as reading:
            session = reading.session
            return preparing.prepare(
                command,
                reading.state,
                now,
                lambda sealed, purpose, resource: self.open_sealed(session, sealed, purpose, resource),
                cost=self._cost,
            )


@contextmanager
def read(database: Database, at: When | None = None) -> Iterator[Reading]:
    """See ControlPlane.read; reading needs no root key."""
    if at is not None:
        when.settle(database, at)
    with database.read() as session:
        moment = when.resolve(session, at)
        yield Reading(Snapshot(session, moment.position), moment, session)


def acting_as(actor: Actor, principal: str) -> Actor:
    """Return the actor with the principal under which it acts, by its own word."""
    return replace(actor, principal=principal, established="declared")


def _groups(requests: Sequence[Request]) -> Iterator[Sequence[Request]]:
    """Split before each command whose preparing reads what the commands before it recorded."""
    group: list[Request] = []
    for request in requests:
        if group and preparing.needs_world(request.command):
            yield group
            group = []
        group.append(request)
    if group:
        yield group
