"""A batch: what one transaction of the writer is about to append, and everything that changes with it."""

from collections.abc import Sequence

from domain.control_plane import EVENTS
from domain.errors import Corrupt, Refused
from domain.event import Event
from domain.resource_id import fold, originator_id
from domain.sealed_value import SEALED_MARK, key_ids
from infra.canonical_json import encode
from infra.control_plane.job import Item, Outcome
from infra.database.session import Insert, Session, Update
from infra.keys import keyring
from infra.keys.root_key import RootKey
from infra.keys.sealing import DataKey
from infra.log.event_id import new_event_id
from infra.log.event_log import Clock, Pending, row_changes
from infra.log.head import Head
from infra.log.record import Cause, inner_event
from infra.state import tables
from projections.current import Current
from projections.digest import DigestSum
from projections.fold import change
from projections.version import Change, Version

PENDING_MAX = 200
"""After so many events the database begins to write, on its own core, while the next ones are decided."""


class Batch:
    """Accepted commands of one transaction. The world is ahead of the store until `write` and the commit after it."""

    def __init__(self, session: Session, at: Head, world: Current, clock: Clock | None = None) -> None:
        self._session = session
        self._at = at
        self._world = world
        self.position = at.position
        self.clock = clock or Clock.read(session, at)
        self.instant = self.clock.instant
        self._warning = self.clock.warning
        self.accepted: dict[str, tuple[str, Outcome]] = {}
        self.has_shredded = False
        """Whether keys were destroyed that had been stored."""
        self._digest = DigestSum(at.digest)
        self._clear()

    def _clear(self) -> None:
        self._pending: list[Pending] = []
        self._changes: list[Change] = []
        self._added: dict[str, tuple[DataKey, int]] = {}
        self._shredded: dict[str, int] = {}

    def accept(self, item: Item, events: Sequence[Event]) -> Outcome:
        """Give the events of a decided command their positions, and make them part of the world."""
        cause = item.cause()
        fresh = {key.key_id: key for key in item.preparation.data_keys}
        first = self.position + 1
        for index, event in enumerate(events, 1):
            self._add(event, index, len(events), cause, fresh)
        outcome = Outcome(
            status="recorded" if events else "unchanged",
            command_id=item.command_id,
            first=first if events else 0,
            last=self.position if events else 0,
            recorded_at=self.instant,
            resources=tuple([event.resource for event in events]),
            warning=self._warning,
        )
        self.accepted[item.command_id] = (item.digest, outcome)
        return outcome

    @property
    def is_due(self) -> bool:
        """Whether so much was accepted that the database had better begin with it, while more is decided."""
        return len(self._pending) >= PENDING_MAX

    def accepted_before(self, item: Item) -> Outcome:
        """Answer a command whose id was accepted earlier in this batch."""
        digest, outcome = self.accepted[item.command_id]
        item.check_same(digest)
        return Outcome(
            "repeated", outcome.command_id, outcome.first, outcome.last, outcome.recorded_at, outcome.resources
        )

    def write(self, root_key: RootKey) -> None:
        """Append what was accepted since the last time, and change state and keyring, in the session's transaction."""
        if not self._pending:
            return
        self._at, log = row_changes(self._at, self._pending, self.clock.recorded_at, self._digest.digest())
        self._session.apply([*tables.row_changes(self._changes), *self._key_changes(root_key), *log])
        self._clear()

    def _key_changes(self, root_key: RootKey) -> list[Insert | Update]:
        """Return what changes in the keyring; a key that came and went is destroyed before it is stored."""
        added = [
            keyring.wrap(key, root_key, position)
            if key_id not in self._shredded
            else keyring.destroyed(key_id, root_key, position, self._shredded[key_id])
            for key_id, (key, position) in self._added.items()
        ]
        shredded = [(key_id, position) for key_id, position in self._shredded.items() if key_id not in self._added]
        self.has_shredded |= bool(shredded)
        return [keyring.insertion(added), keyring.shredding(shredded)]

    def _add(self, event: Event, index: int, count: int, cause: Cause, fresh: dict[str, DataKey]) -> None:
        position = self.position + 1
        try:
            step = change(self._world.version(fold(event.resource)), position, [event], encode)
        except Refused as error:
            # A decision that makes impossible events is a defect, not an answer: the whole transaction is given up.
            raise Corrupt(f"{cause.command_name} decided what cannot happen: {error}") from error
        after = step.after
        schema = EVENTS[event.type][1].schema
        inner = inner_event(event, schema, after.sequence, new_event_id(), index, count, cause)
        command_id = cause.command_id if index == 1 else None
        self._pending.append(Pending(originator_id(after.resource), after.sequence, event.type, inner, command_id))
        self._change_keys(step.before, after, position, fresh)
        self._world.apply(step)
        self._changes.append(step)
        self._digest.add(step)
        self.position = position

    def _change_keys(self, before: Version | None, after: Version, position: int, fresh: dict[str, DataKey]) -> None:
        """Add the keys that the new state needs and shred those that only the old one needed."""
        had, has = _keys(before), _keys(after)
        if not had and not has:
            return
        for key_id in sorted(has - had):
            if key_id not in fresh:
                raise Corrupt(f"{after.resource} holds a sealed value whose key {key_id} was not prepared")
            self._added[key_id] = fresh[key_id], position
        self._shredded.update((key_id, position) for key_id in sorted(had - has))


def _keys(version: Version | None) -> frozenset[str]:
    if version is None or SEALED_MARK not in version.content:
        return frozenset()
    return frozenset(key_ids(version.state))
