"""When: a position, an instant or an age, as operators write it, resolved to the end of a command."""

import re
from dataclasses import dataclass
from datetime import timedelta

from domain.errors import NotFound, Usage
from domain.instant import canonical, from_datetime, to_datetime, to_microseconds
from infra.database.session import Database, Session
from infra.log import event_table, head
from infra.log.head import Head

POSITION = re.compile(r"[0-9]{1,18}")
AGE = re.compile(r"([0-9]{1,18})([smhdw])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class When:
    """A point in time as it was asked for: `position` is set for positions, `instant` for instants and ages."""

    text: str
    position: int | None = None
    instant: str | None = None

    @property
    def instant_us(self) -> int | None:
        """The instant in microseconds since 1970."""
        return None if self.instant is None else to_microseconds(self.instant)


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time as it is answered: always a command's end.

    `snapped_from` is the position that was asked for, if that lay inside a command.
    """

    position: int
    head: Head
    snapped_from: int | None = None


def parse(text: str, now: str) -> When:
    """Return the meaning of `4711`, `2026-11-03T14:00Z` or an age before `now` such as `3d`."""
    if POSITION.fullmatch(text):
        return When(text, position=int(text))
    age = AGE.fullmatch(text)
    if age is not None:
        try:
            moment = to_datetime(now) - timedelta(**{UNITS[age[2]]: int(age[1])})
        except OverflowError:
            raise Usage(f"{text} is longer ago than time goes back") from None
        return When(text, instant=from_datetime(moment))
    try:
        return When(text, instant=canonical(text))
    except Usage:
        raise Usage(
            f"{text!r} is no point in time: write a position (4711), an instant (2026-11-03T14:00Z) or an age (3d)"
        ) from None


def settle(database: Database, when: When) -> None:
    """Wait for commits that an instant at or after the head could still include, so that the answer stays the same."""
    with database.read() as session:
        at = head.read_open(session)
    if when.instant_us is not None and when.instant_us >= at.recorded_at:
        with database.write() as session:
            head.read_open(session, lock=True)


def resolve(session: Session, when: When | None) -> Moment:
    """Return the moment in this session's snapshot; NotFound for a position that is not recorded yet."""
    at = head.read_open(session)
    if when is None:
        return Moment(at.position, at)
    if when.position is not None:
        if when.position > at.position:
            raise NotFound(f"position {when.position} is not recorded: the head is at {at.position}")
        asked = when.position
    else:
        assert when.instant_us is not None
        asked = event_table.position_at(session, when.instant_us)
    return Moment(*_snapped(session, at, asked))


def _snapped(session: Session, at: Head, asked: int) -> tuple[int, Head, int | None]:
    recorded = event_table.record_at(session, asked) if asked else None
    if recorded is None or recorded.command_end == asked:
        return asked, at, None
    return recorded.command_start, at, asked
