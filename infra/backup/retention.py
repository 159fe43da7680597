"""Retention: which backups a policy keeps, decided from their sequences and times alone (docs/reference/backup.md)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.errors import Refused, Usage
from domain.instant import to_datetime

DAYS_MIN = 2
DAYS = 14
REACH_DAYS_MAX = 36_525
SKEW = timedelta(minutes=5)
"""How far the clocks of two hosts may differ."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept, the union of all: by age in days, the newest so many, and one for each of so many periods."""

    days: int = DAYS
    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    def __post_init__(self) -> None:
        if self.days < DAYS_MIN:
            raise Usage(f"backups are kept for {DAYS_MIN} days at least, not for {self.days}")
        if min(self.last, self.daily, self.weekly, self.monthly) < 0:
            raise Usage("a number of backups to keep is not negative")
        if self.reach_days > REACH_DAYS_MAX:
            raise Usage(f"backups are kept for {REACH_DAYS_MAX} days at most, a century, not for {self.reach_days}")

    @property
    def reach_days(self) -> int:
        """How many days the rule that reaches furthest looks back."""
        return max(self.days, self.daily, 7 * self.weekly, 31 * self.monthly)


@dataclass(frozen=True, slots=True)
class Backup:
    """What retention needs to know of a manifest; `recorded_at` is that of its last record, empty if it has none.

    `attested` says what attestations that it is verified are worth: those that prove it and those that nobody can check
    here never stand in for each other.
    """

    sequence: int
    created_at: str
    recorded_at: str
    attested: frozenset[str] = frozenset()


Reason = str
"""`newest`, `verified`, `days`, `last`, `daily`, `weekly` or `monthly`."""


def check_clock(policy: Policy, newest: Backup, now: str) -> None:
    """Refuse to decide by a clock that the newest backup contradicts."""
    made, host = to_datetime(newest.created_at), to_datetime(now)
    if made > host + SKEW:
        raise Refused(
            f"the newest backup {newest.sequence} was made at {newest.created_at}, in the future of this host, which "
            f"says {now}: nothing is pruned until the clocks agree, and a newer backup is there",
            rule="clock-is-plausible",
        )
    if host - made > timedelta(days=policy.reach_days):
        raise Refused(
            f"the newest backup {newest.sequence} was made at {newest.created_at}, more than {policy.reach_days} days "
            f"before now, which is {now} by this host: backups have stopped, or its clock is wrong; nothing is pruned",
            rule="clock-is-plausible",
        )


def kept(policy: Policy, backups: Sequence[Backup], now: str) -> Mapping[int, Sequence[Reason]]:
    """Return the sequences of the backups that are kept, and why; `backups` are all there are, oldest first.

    Refused if the host's clock cannot be right.
    """
    if not backups:
        return {}
    newest = backups[-1]
    check_clock(policy, newest, now)
    times = effective_times(backups, now)
    reasons: dict[int, list[Reason]] = {}

    def keep(numbers: Sequence[int], reason: Reason) -> None:
        for number in numbers:
            reasons.setdefault(number, []).append(reason)

    keep([newest.sequence], "newest")
    newest_attested = {worth: backup.sequence for backup in backups for worth in backup.attested}
    keep(sorted(set(newest_attested.values())), "verified")
    oldest = to_datetime(now) - timedelta(days=policy.days)
    keep([backup.sequence for backup, time in zip(backups, times, strict=True) if time >= oldest], "days")
    keep([backup.sequence for backup in backups[max(0, len(backups) - policy.last) :]], "last")
    for reason, count, period in (
        ("daily", policy.daily, lambda time: time.date()),
        ("weekly", policy.weekly, lambda time: time.isocalendar()[:2]),
        ("monthly", policy.monthly, lambda time: (time.year, time.month)),
    ):
        keep(_newest_of_each(backups, times, count, period), reason)
    return reasons


def effective_times(backups: Sequence[Backup], now: str) -> list[datetime]:
    """Return for each backup a time at which it was there: no clock that was wrong for a while makes others look old.

    A backup is not older than what is in it, and not newer than what came after it. If its clock was behind what is in
    it, one of both was wrong, and then it is not older than the one before it either.
    """
    own: list[str] = []
    for backup in backups:
        time = backup.created_at
        if time < backup.recorded_at:
            before = own[-1] if own else ""
            time = max(time, *(other for other in (backup.recorded_at, before) if other <= now), "")
        own.append(time)
    times: list[datetime] = []
    for moment in map(to_datetime, reversed(own)):
        times.append(min(moment, times[-1]) if times else moment)
    return times[::-1]


def _newest_of_each(
    backups: Sequence[Backup], times: Sequence[datetime], count: int, period: Callable[[datetime], object]
) -> list[int]:
    """Return the newest backup of each of the newest `count` periods that have one."""
    newest: dict[object, int] = {}
    for backup, time in zip(reversed(backups), reversed(times), strict=True):
        if len(newest) >= count:
            break
        newest.setdefault(period(time), backup.sequence)
    return list(newest.values())
