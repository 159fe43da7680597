"""Whether a place keeps a store's promises, found out by writing to it, and what else it offers or lacks."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.errors import Conflict, NotFound, ResurgamError
from domain.instant import from_datetime, to_datetime
from infra.backup.stores.lifetime import Lifetime
from infra.backup.stores.store import Store
from projections import expiry

PREFIX = "doctor-"
"""Whatever an examination writes has a name that starts so, and is no part of a repository."""

WRITERS = 8
LARGE_BYTES = 8 << 20
CLOCK_OFF_MAX_S = 60
FREE_BYTES_MIN = 1 << 30


class Level(StrEnum):
    """What a finding means for backups."""

    GOOD = "good"
    LACKING = "lacking"
    """Backups work; something that protects them is not there, or cannot be seen from here."""
    BAD = "bad"
    """Backups do not work, or are not safe, in this place."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one promise; `check` is its stable name."""

    check: str
    level: Level
    words: str


class _Bad(Exception):
    """A promise is not kept; the text says how."""


def examine(store: Store, now: Callable[[], datetime]) -> list[Finding]:
    """Try every promise in a fresh folder, remove what was written, and return what was found, in order.

    Without the right to write nothing else is tried but to read what is there. Nothing is raised for what the place
    does, however bad.
    """
    folder = f"{PREFIX}{secrets.token_hex(8)}"
    examination = _Examination(store, folder, now)
    findings = [
        examination.finding("list", examination.lists_nothing),
        examination.finding("write", examination.writes),
    ]
    if any(finding.level is Level.BAD for finding in findings):
        if findings[0].level is Level.GOOD and (present := next(store.list(), None)) is not None:
            findings.append(examination.finding("read", lambda: examination.reads_only(present)))
        return findings
    findings += [examination.finding(check, attempt) for check, attempt in examination.promises().items()]
    findings += examination.offers()
    findings.append(examination.finding("delete", examination.deletes, refused=Level.LACKING))
    return findings


def lasting(lifetimes: Sequence[Lifetime], now: datetime) -> list[Finding]:
    """Return what the lifetimes of credentials and certificates mean: warnings begin 90 days before an end."""
    return [Finding(_check(one), *_lasts(one, now)) for one in lifetimes]


def _check(one: Lifetime) -> str:
    return "certificate" if "certificate" in one.what else "credentials"


def _lasts(one: Lifetime, now: datetime) -> tuple[Level, str]:
    if one.expires is None:
        has_no_end = one.is_renewed or one.what == "access key"
        return (Level.GOOD if has_no_end else Level.LACKING), one.words
    end = expiry.ending("", "", one.what, one.expires, from_datetime(now))
    if end.expired:
        return Level.BAD, f"{one.words} has ended at {one.expires}: renew it now"
    left = to_datetime(one.expires) - now
    in_words = f"{left.days} days" if left.days else f"{left.seconds // 3_600} hours"
    words = f"{one.words} ends at {one.expires}, in {in_words}"
    if one.is_renewed:
        return Level.GOOD, f"{words}; whoever writes it there renews it"
    if end.severity == "information":
        return Level.GOOD, words
    return Level.LACKING, f"{words}: renew it {'now' if end.severity == 'critical' else 'in time'}"


class _Examination:
    """The attempts, each of which returns what is good, or raises what is not."""

    def __init__(self, store: Store, folder: str, now: Callable[[], datetime]) -> None:
        self._store, self._folder, self._now = store, folder, now
        self._first = f"{folder}/a"

    def finding(self, check: str, attempt: Callable[[], str], *, refused: Level = Level.BAD) -> Finding:
        try:
            return Finding(check, Level.GOOD, attempt())
        except _Bad as error:
            return Finding(check, Level.BAD, str(error))
        except ResurgamError as error:
            return Finding(check, refused, str(error))

    def reads_only(self, present: str) -> str:
        self._store.get(present, start=0, length=1)
        return "what is there can be read: from here it can be verified and recovered, but not backed up"

    def promises(self) -> dict[str, Callable[[], str]]:
        return {
            "read": self.reads,
            "create-only": self.creates_only,
            "race": self.has_one_winner,
            "large-object": self.takes_a_large_object,
            "order": self.lists_in_order,
            "missing": self.says_what_is_missing,
            "clock": self.has_the_same_time,
        }

    def lists_nothing(self) -> str:
        if list(self._store.list(f"{self._folder}/")):
            raise _Bad("it lists objects in a folder that nobody has written to")
        return "it can be reached, and be listed"

    def writes(self) -> str:
        self._store.put_new(self._first, b"first")
        return "objects can be written"

    def reads(self) -> str:
        whole, part = self._store.get(self._first), self._store.get(self._first, start=1, length=2)
        if (whole, part, self._store.head(self._first)) != (b"first", b"ir", len(b"first")):
            raise _Bad("an object reads back differently from what was written")
        return "what was written is read, whole and in part"

    def creates_only(self) -> str:
        with suppress(Conflict):
            self._store.put_new(self._first, b"second")
            raise _Bad("a second writer replaces an object: it has no conditional create, so backups can be lost")
        if self._store.get(self._first) != b"first":
            raise _Bad("a second writer is refused, and has replaced the object all the same")
        return "a name that is taken is never written again"

    def has_one_winner(self) -> str:
        name = f"{self._folder}/race"

        def write(writer: int) -> bool:
            try:
                self._store.put_new(name, b"%d" % writer)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(WRITERS) as pool:
            won = [writer for writer, has_won in enumerate(pool.map(write, range(WRITERS))) if has_won]
        if len(won) != 1:
            raise _Bad(f"of {WRITERS} who write one name at once {len(won)} are told that they won")
        if self._store.get(name) != b"%d" % won[0]:
            raise _Bad(f"of {WRITERS} who write one name at once another one wins than is told so")
        return f"of {WRITERS} who write one name at once one wins"

    def takes_a_large_object(self) -> str:
        data = secrets.token_bytes(LARGE_BYTES)
        self._store.put_new(f"{self._folder}/large", data)
        if self._store.get(f"{self._folder}/large") != data:
            raise _Bad(f"an object of {LARGE_BYTES >> 20} MiB reads back differently from what was written")
        return f"an object of {LARGE_BYTES >> 20} MiB comes back as it was"

    def lists_in_order(self) -> str:
        expected = [self._first, f"{self._folder}/b-1", f"{self._folder}/b/1", f"{self._folder}/c"]
        for name in reversed(expected[1:]):
            self._store.put_new(name, b"")
        folder = f"{self._folder}/"
        listed = [name for name in self._store.list(folder) if name in expected]
        if listed != expected or list(self._store.list(folder, after=expected[2]))[:1] != expected[3:]:
            raise _Bad("names are not listed whole and in the order of their characters")
        return "what was written is listed, in order"

    def says_what_is_missing(self) -> str:
        with suppress(NotFound):
            self._store.get(f"{self._folder}/missing")
            raise _Bad("an object that nobody wrote can be read")
        return "a missing object is told from a place that cannot be reached"

    def has_the_same_time(self) -> str:
        off_s = round((self._store.written_at(self._first) - self._now()).total_seconds())
        if abs(off_s) > CLOCK_OFF_MAX_S:
            way = "ahead of" if off_s > 0 else "behind"
            raise _Bad(f"its clock is {abs(off_s)} seconds {way} this machine's: set the one that is wrong")
        return "its clock agrees with this machine's"

    def offers(self) -> Iterator[Finding]:
        try:
            offered = self._store.capabilities
        except ResurgamError as error:
            yield Finding("offers", Level.LACKING, str(error))
            return
        yield _offer("versions", offered.versions, "what is deleted can be had back", "deleted objects are gone")
        yield _offer(
            "retention", offered.retention, "objects can be held against deletion", "whoever may delete can delete all"
        )
        if offered.free_bytes is not None:
            level = Level.GOOD if offered.free_bytes >= FREE_BYTES_MIN else Level.LACKING
            yield Finding("capacity", level, f"{offered.free_bytes / (1 << 30):.1f} GiB are free")

    def deletes(self) -> str:
        try:
            for name in self._written():
                self._store.delete(name)
        except ResurgamError as error:
            raise type(error)(f"{error}; what was written stays below {self._folder}/") from error
        if self._written():
            raise _Bad("what was deleted is still listed")
        return "objects can be deleted: for a writer that cannot, take this right from it"

    def _written(self) -> Sequence[str]:
        return list(self._store.list(f"{self._folder}/"))


def _offer(check: str, offered: bool | None, there: str, missing: str) -> Finding:
    if offered is None:
        return Finding(check, Level.LACKING, f"it cannot be seen from here whether {there}: ask who runs the place")
    return Finding(check, Level.GOOD, there) if offered else Finding(check, Level.LACKING, f"{missing}: keep a copy")
