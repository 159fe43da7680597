"""Appending to the log: positions and recorded-at are given here, under the head's lock, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from domain.instant import from_microseconds
from infra.database.session import Insert, Session, Update
from infra.log import event_table, head
from infra.log.head import Head
from infra.log.merkle import leaf_hash
from infra.log.record import frame
from projections.digest import Digest

CLOCK_STEP_US = 5 * 60 * 1_000_000
"""A clock that is further behind the log than this is reported."""


class Pending(NamedTuple):
    """An event that waits for its position. `inner` is its bytes; `command_id` stands in a command's first event."""

    originator_id: bytes
    originator_version: int
    topic: str
    inner: bytes
    command_id: str | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment at which a transaction records: never before the log's last, so recorded-at never falls."""

    recorded_at: int
    behind_us: int

    @classmethod
    def read(cls, session: Session, at: Head) -> "Clock":
        """Read the clock after the lock was taken."""
        return cls.of(session.now_us(), at)

    @classmethod
    def of(cls, now_us: int, at: Head) -> "Clock":
        """Return the moment that follows from the time since the lock was taken."""
        return cls(max(now_us, at.recorded_at), max(at.recorded_at - now_us, 0))

    @property
    def instant(self) -> str:
        """The recorded-at as text."""
        return from_microseconds(self.recorded_at)

    @property
    def warning(self) -> str | None:
        """What to tell the operator if the clock stepped back."""
        if self.behind_us <= CLOCK_STEP_US:
            return None
        return f"the clock is {self.behind_us // 1_000_000} s behind the last record: check the time server"


def append(session: Session, at: Head, pending: Sequence[Pending], recorded_at: int, digest: Digest) -> Head:
    """Append events behind a head whose lock the caller holds, and move the head; returns the new one."""
    grown, changes = row_changes(at, pending, recorded_at, digest)
    session.apply(changes)
    return grown


def row_changes(
    at: Head, pending: Sequence[Pending], recorded_at: int, digest: Digest
) -> tuple[Head, list[Insert | Update]]:
    """Return the new head, and what changes in the tables, with events that follow a locked head."""
    instant = from_microseconds(recorded_at)
    rows = [
        event_table.Row(position, originator, version, topic, recorded_at, command_id, frame(inner, position, instant))
        for position, (originator, version, topic, inner, command_id) in enumerate(pending, at.position + 1)
    ]
    grown = at.grown([leaf_hash(row[-1]) for row in rows], recorded_at, digest)
    return grown, [event_table.insertion(rows), head.growth(at, grown)]
