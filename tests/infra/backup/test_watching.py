"""Watching: what is done when, by a clock that the test winds; the real thing is in tests/system/test_watch.py."""

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event

import pytest

from domain.errors import Conflict, Corrupt, Refused, ResurgamError, Unavailable
from infra.backup import watching
from infra.backup.stores.stoppable import Stopped
from infra.backup.watching import Backoff, Pace, Shipped, VerifiedRun, Watch
from projections.expiry import Expiry, Severity

HOUR = 3_600.0
PACE = Pace(every_s=5, verified_every_s=12 * HOUR)


@dataclass
class Region:
    """A log that grows, a repository that can fail, and a replay that takes its time; all that happened, and when."""

    end_s: float
    now_s: float = 1_000_000.0
    began_s: float = 1_000_000.0
    position_of: Callable[[float], int] = lambda now_s: 10
    failure_of: Callable[[float], ResurgamError | None] = lambda now_s: None
    verification_fails: Callable[[float], ResurgamError | None] = lambda now_s: None
    age_s: int | None = None
    replay_s: float = 30.0
    expiring_at: Callable[[float], list[Expiry] | ResurgamError] = lambda now_s: []
    looks: list[float] = field(default_factory=list)
    tries: list[float] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)
    started_s: float | None = None
    was_stopped: bool = False
    last: int = 0
    destroys_at_s: Sequence[float] = ()
    spared: list[tuple[float, bool]] = field(default_factory=list)
    new_keyring_s: float = -1.0

    def __post_init__(self) -> None:
        self.stopping = Event()

    @property
    def since_s(self) -> float:
        return self.now_s - self.began_s

    def watch(self, pace: Pace = PACE) -> "Region":
        Watch(self, self, self, pace, self.stopping, now_s=lambda: self.now_s, wait=self.wait).run()
        return self

    def wait(self, seconds: float) -> None:
        assert seconds > 0, "a watch that does not wait is busy"
        self.now_s += seconds
        if self.since_s > self.end_s:
            self.stopping.set()

    def position(self) -> int:
        self.looks.append(self.since_s)
        return self.position_of(self.since_s)

    def ship(self, *, spares_keyring: bool) -> Shipped:
        self.tries.append(self.since_s)
        if (error := self.failure_of(self.since_s)) is not None:
            raise error
        position = self.position_of(self.since_s)
        is_new, self.last = position != self.last, position
        holds = any(self.new_keyring_s < at_s <= self.since_s for at_s in self.destroys_at_s)
        begins = holds and not spares_keyring
        if begins:
            self.new_keyring_s = self.since_s
        self.spared.append((self.since_s, spares_keyring))
        return Shipped(1, position, 0, 0, is_new or begins, begins, holds and not begins)

    def verified_age_s(self) -> int | None:
        return self.age_s

    def expiring(self) -> Sequence[Expiry]:
        ends = self.expiring_at(self.since_s)
        if isinstance(ends, ResurgamError):
            raise ends
        return ends

    def warn(self, found: Sequence[Expiry]) -> None:
        self.told.append((self.since_s, f"expiring {' '.join(one.resource for one in found)}"))

    def start(self) -> None:
        assert self.started_s is None, "one at a time"
        self.started_s = self.since_s

    def result(self) -> VerifiedRun | None:
        assert self.started_s is not None
        if self.since_s < self.started_s + self.replay_s:
            return None
        self.started_s = None
        if (error := self.verification_fails(self.since_s)) is not None:
            raise error
        return VerifiedRun(1, self.last, "name")

    def stop(self) -> None:
        self.was_stopped = True

    def shipped(self, backup: Shipped) -> None:
        self.told.append((self.since_s, f"shipped {backup.position}"))

    def verified(self, run: VerifiedRun) -> None:
        self.told.append((self.since_s, f"verified {run.position}"))

    def failing(self, what: str, error: ResurgamError, retry_s: float) -> None:
        self.told.append((self.since_s, f"{what} failing: {error}"))

    def back(self, what: str, failed_s: float) -> None:
        self.told.append((self.since_s, f"{what} back"))

    def said(self, *, but: str = "no such thing") -> list[str]:
        return [text for _, text in self.told if but not in text]


def test_new_records_are_shipped_and_nothing_is_asked_of_the_repository_without_any() -> None:
    seen = Region(60, position_of=lambda now_s: 10 if now_s < 21 else 12, age_s=0).watch()
    assert seen.said() == ["shipped 10", "shipped 12"]
    assert seen.tries == [0, 25]
    assert seen.looks == [float(5 * n) for n in range(13)]
    assert seen.was_stopped


def test_a_verified_backup_is_made_at_once_if_there_is_none_and_then_at_the_set_times() -> None:
    seen = Region(30 * HOUR, age_s=None).watch()
    times = [at for at, text in seen.told if text.startswith("verified")]
    assert [round(at / HOUR) for at in times] == [0, 12, 24]


def test_a_restart_waits_for_what_is_left_of_the_time() -> None:
    seen = Region(3 * HOUR, age_s=int(10 * HOUR)).watch()
    [at] = [at for at, text in seen.told if text.startswith("verified")]
    assert 2 * HOUR <= at < 2 * HOUR + 60


def test_shipping_goes_on_during_a_replay() -> None:
    seen = Region(600, position_of=lambda now_s: 10 + int(now_s // 10), replay_s=400).watch()
    before = [text for at, text in seen.told if at < 400 and text.startswith("shipped")]
    assert len(before) == 40


def test_intervals_are_measured_by_a_clock_that_nobody_sets() -> None:
    """The watch asks no other one: `Region` winds this one, and there all tests pass at any time of the host."""
    parameters = inspect.signature(Watch).parameters
    assert parameters["now_s"].default is time.monotonic
    assert "host_clock" not in inspect.getsource(watching)


def test_one_line_when_it_begins_to_fail_and_one_when_it_is_back_and_the_backlog_is_shipped() -> None:
    down = Unavailable("the store is down")
    seen = Region(
        4 * HOUR,
        position_of=lambda now_s: 10 + int(now_s // 60),
        failure_of=lambda now_s: down if HOUR < now_s < 2 * HOUR else None,
        age_s=0,
    ).watch()
    said = seen.said(but="shipped")
    assert said == ["shipping failing: the store is down", "shipping back"]
    failed = [at for at in seen.tries if HOUR < at < 2 * HOUR]
    gaps = [after - before for before, after in pairwise(failed)]
    assert gaps[0] < 2
    assert 20 < max(gaps) <= 60
    [back] = [at for at, text in seen.told if text == "shipping back"]
    assert 2 * HOUR <= back <= 2 * HOUR + 60
    [first] = [text for at, text in seen.told if at == back and text.startswith("shipped")]
    assert first == f"shipped {10 + int(back // 60)}"


def test_another_cause_is_told_too() -> None:
    def failure(now_s: float) -> ResurgamError | None:
        if now_s < 10:
            return None
        return Unavailable("down") if now_s < 100 else Corrupt("the log no longer agrees")

    seen = Region(1_000, position_of=lambda now_s: int(now_s), failure_of=failure, age_s=0).watch()
    assert seen.said(but="shipped") == ["shipping failing: down", "shipping failing: the log no longer agrees"]


@pytest.mark.parametrize("error", [Refused("no recipient"), Corrupt("the store was set back"), Conflict("faster")])
def test_what_is_wrong_at_the_first_attempt_is_raised(error: ResurgamError) -> None:
    seen = Region(100, failure_of=lambda now_s: error)
    with pytest.raises(type(error)):
        seen.watch()
    assert seen.was_stopped


def test_a_place_that_is_not_there_yet_is_waited_for() -> None:
    seen = Region(600, failure_of=lambda now_s: Unavailable("not mounted") if now_s < 300 else None, age_s=0).watch()
    assert seen.said() == ["shipping failing: not mounted", "shipped 10", "shipping back"]


def test_a_verification_that_fails_is_made_again_and_shipping_goes_on() -> None:
    wrong = Corrupt("the rebuilt state digest is another")
    seen = Region(
        10 * HOUR,
        position_of=lambda now_s: 10 + int(now_s // 600),
        verification_fails=lambda now_s: wrong if now_s < 5 * HOUR else None,
    ).watch()
    failing, verified, back = seen.said(but="shipped")
    assert (failing, verified[:8], back) == (f"verifying failing: {wrong}", "verified", "verifying back")
    assert len([text for text in seen.said() if text.startswith("shipped")]) == 61


def test_nothing_is_verified_while_shipping_fails_so_that_one_cause_is_told_once() -> None:
    down = Unavailable("the store is down")
    seen = Region(
        8 * HOUR,
        position_of=lambda now_s: 10 + int(now_s // 60),
        failure_of=lambda now_s: down if HOUR < now_s < 6 * HOUR else None,
        verification_fails=lambda now_s: down if HOUR < now_s < 6 * HOUR else None,
    ).watch(Pace(5, 4 * HOUR))
    *before, verified = seen.said(but="shipped")
    assert before == ["verified 10", f"shipping failing: {down}", "shipping back"]
    assert verified in ("verified 370", "verified 371"), "as soon as shipping is back, within a minute"


def end_of(name: str, severity: Severity = "warning") -> Expiry:
    return Expiry(name, "endpoint-certificate", "CN=x", "2026-12-24T00:00:00.000000Z", False, severity)


def test_what_runs_out_is_told_once_a_day_and_when_anything_about_it_changes() -> None:
    def expiring_at(now_s: float) -> list[Expiry]:
        if now_s < 5 * HOUR:
            return []
        soon = end_of("a", "critical" if now_s > 40 * HOUR else "warning")
        return [soon] if now_s < 10 * HOUR else [soon, end_of("b")]

    seen = Region(70 * HOUR, age_s=0, expiring_at=expiring_at).watch(Pace(300, 12 * HOUR))
    told = [(round(at_s / HOUR), text) for at_s, text in seen.told if "expiring" in text]
    assert told == [
        (5, "expiring a"),
        (10, "expiring a b"),
        (34, "expiring a b"),
        (41, "expiring a b"),
        (65, "expiring a b"),
    ]


def test_what_was_renewed_is_told_no_more() -> None:
    seen = Region(60 * HOUR, age_s=0, expiring_at=lambda now_s: [end_of("a")] if now_s < 3 * HOUR else [])
    assert [text for text in seen.watch(Pace(300, 12 * HOUR)).said() if "expiring" in text] == ["expiring a"]


def test_that_nobody_can_tell_what_runs_out_stops_no_backup() -> None:
    seen = Region(600, age_s=0, expiring_at=lambda now_s: Unavailable("x") if now_s < 100 else [end_of("a")]).watch()
    assert seen.said() == [
        "shipped 10",
        "looking at what runs out failing: x",
        "looking at what runs out back",
        "expiring a",
    ]


def test_told_to_stop_within_a_backup_it_ends_without_another_word() -> None:
    seen = Region(100)

    def stopped(now_s: float) -> ResurgamError | None:
        raise Stopped

    seen.failure_of = stopped
    seen.watch()
    assert seen.told == []
    assert seen.was_stopped


def test_delays_double_up_to_the_greatest_and_differ_by_chance() -> None:
    most, least = Backoff(1, 60, lambda: 0.0), Backoff(1, 60, lambda: 1.0)
    assert [most.next_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [least.next_s() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    most.reset()
    assert most.next_s() == 1
    for _ in range(10_000):
        assert most.next_s() <= 60


def test_a_large_keyring_is_begun_anew_at_once_and_then_once_an_hour_as_keys_are_destroyed() -> None:
    seen = Region(3 * HOUR, position_of=lambda now_s: int(now_s // 600), destroys_at_s=(0, 700, 1_300), age_s=0).watch()
    assert [at_s for at_s, spares in seen.spared if not spares][:3] == [0, HOUR, 2 * HOUR]
    assert [backup_s for backup_s, _ in seen.spared[:4]] == [0, 600, 1_200, 1_800], "shipping goes on meanwhile"
    assert seen.new_keyring_s == HOUR


def test_what_was_put_off_is_made_up_for_in_a_silent_deployment_too() -> None:
    seen = Region(3 * HOUR, position_of=lambda now_s: min(2, int(now_s // 60)), destroys_at_s=(0, 60), age_s=0).watch()
    assert seen.spared == [(0, False), (60, True), (120, True), (HOUR, False)]
    assert seen.new_keyring_s == HOUR
