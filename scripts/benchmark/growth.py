"""Benchmarks of growth: what does not touch the whole log must take as long after a million events as after few."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import Request
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.state.snapshot import Snapshot
from scripts.benchmark import store
from scripts.benchmark.backing_up import back_up
from scripts.benchmark.benchmark import RATE, SECONDS, Benchmark, Result, Sample, Target
from scripts.benchmark.changes import requests
from scripts.benchmark.context import Context
from scripts.benchmark.history import History
from scripts.benchmark.recovering import recover
from scripts.benchmark.worker import Stopwatch
from scripts.benchmark.workload import ACTOR, AT_ONCE, recorded

FLAT = 1.5
SIZES = (100, 10, 1)
"""The log's events, divided by these; with --large ten times as many too."""

OF_INCREMENTS = (("written_bytes", 4.0), ("objects", 8.0))
"""After a hundred times as many events. A run writes again what is less than twice as much as all that comes after it;
full segments hold 100,000 events, and the others are a logarithm of what is there."""

INCREMENTS = 4
WARM_UP = 50
SINGLES = 500
BATCHES = 3
READS = 2_000
MEANWHILE = 2_000
"""Changes that are recorded while a long read is open, before the clock runs: what they replace cannot be cleared."""

SEEDS = 1_000


def singles(stopwatch: Stopwatch, url: str, seed: int, reading: bool) -> None:
    """Record one change per commit."""
    with ExitStack() as stack:
        plane, changes = _opened(stack, url, seed, WARM_UP + SINGLES, reading)
        _record(plane, changes[:WARM_UP], 1)
        with stopwatch.measuring(0):
            stopwatch.events += _record(plane, changes[WARM_UP:], 1)


def batches(stopwatch: Stopwatch, url: str, seed: int, reading: bool) -> None:
    """Record 1,000 changes per commit."""
    with ExitStack() as stack:
        plane, changes = _opened(stack, url, seed, WARM_UP + BATCHES * AT_ONCE, reading)
        _record(plane, changes[:WARM_UP], WARM_UP)
        with stopwatch.measuring(0):
            stopwatch.events += _record(plane, changes[WARM_UP:], AT_ONCE)


def reads(stopwatch: Stopwatch, url: str, seed: int, reading: bool) -> None:
    """Read single resources, each as of a position at which it existed."""
    with ExitStack() as stack:
        plane, _ = _opened(stack, url, seed, 1, reading)
        moments = _moments(plane, seed)
        with plane.database.read() as session, stopwatch.measuring(len(moments)):
            for resource, position in moments:
                Snapshot(session, position).find(resource)


def _opened(stack: ExitStack, url: str, seed: int, count: int, reading: bool) -> tuple[ControlPlane, Sequence[Request]]:
    """Open a filled store, with one long read that stays open if that is asked for, and draw changes to it."""
    plane = ControlPlane(open_database(url), store.ROOT_KEY, cost=TEST_COST)
    stack.callback(plane.database.close)
    changes = requests(count, seed, History(store.SEED).installation)
    if reading:
        stack.enter_context(plane.read())
        _record(plane, requests(MEANWHILE, seed + SEEDS, History(store.SEED).installation), 1)
    return plane, changes


def _record(plane: ControlPlane, changes: Sequence[Request], at_once: int) -> int:
    groups = (changes[first : first + at_once] for first in range(0, len(changes), at_once))
    return sum(recorded(plane.execute_all(group, ACTOR)) for group in groups)


def _moments(plane: ControlPlane, seed: int) -> list[tuple[str, int]]:
    drawn = Random(seed)  # noqa: S311, repeatable
    positions = [drawn.randint(1, plane.head().position) for _ in range(READS)]
    with plane.database.read() as session:
        found = [session.execute("SELECT resource FROM versions WHERE valid_from = ?", (p,)) for p in positions]
    return [(rows[0][0], position) for rows, position in zip(found, positions, strict=True) if rows]


WORKS: dict[str, Callable[..., None]] = {"single changes": singles, "batches": batches, "one resource": reads}
UNITS = {"one resource": "reads"}
WITHOUT = "without it"


class _Size:
    """A store of one size, which grows by what is recorded into it, and its repository."""

    def __init__(self, context: Context, url: str, events: int) -> None:
        self._context = context
        self._url = url
        self._repository = context.folder / f"repository-{events}"
        self.events = events
        self._seed = 0
        store.fill(url, events)
        back_up(context, url, self._repository, events)

    def work(self, function: Callable[..., Any], *, reading: bool) -> Sample:
        """Time a function of this module, on changes that were not made yet."""
        self._seed += 1
        return self._context.work(function, url=self._url, seed=self._seed, reading=reading)

    def increment(self) -> Sample:
        """Record some changes, and time their backup, a few times: some take small segments up that came before."""
        back_up(self._context, self._url, self._repository, 0)  # of what was recorded for other measurements
        samples = []
        for _ in range(INCREMENTS):
            events = self.work(singles, reading=False).events
            samples.append(back_up(self._context, self._url, self._repository, events))
        written = sum(sample.extra["written_bytes"] for sample in samples)
        return replace(
            samples[-1],
            seconds=sum(sample.seconds for sample in samples),
            events=sum(sample.events for sample in samples),
            extra={**samples[-1].extra, "written_bytes": written},
        )

    def recover(self) -> Sample:
        """Time a recovery from the backup."""
        with self._context.server.schema() as url:
            return recover(self._context, self._repository, url, self.events)


def _growth(context: Context) -> Sequence[Result]:
    counts = [max(context.events // part, 500) for part in SIZES] + [context.events * 10] * context.is_large
    with ExitStack() as stack:
        sizes = [_Size(context, stack.enter_context(context.server.schema()), count) for count in counts]
        return [
            _compared(context, "recover", RATE, sizes, _Size.recover),
            *(
                _compared(context, name, SECONDS, sizes, partial(_Size.work, function=function, reading=False))
                for name, function in WORKS.items()
            ),
            _compared(context, "increment", SECONDS, sizes, _Size.increment, OF_INCREMENTS),
            *(_while_reading(context, name, sizes[-1], function) for name, function in WORKS.items()),
        ]


def _compared(
    context: Context,
    case: str,
    quantity: str,
    sizes: Sequence[_Size],
    timed: Callable[[_Size], Sample],
    also: Sequence[tuple[str, float]] = (),
) -> Result:
    """Time something at all sizes: the largest is ours, the smaller ones stand beside it."""
    *smaller, largest = sizes
    peers = {_name(size.events): partial(timed, size) for size in smaller}
    bound = {"at_least": 1 / FLAT} if quantity == RATE else {"at_most": FLAT}
    targets = [Target(quantity, name, **bound) for name in peers]
    targets += [Target(other, name, at_most=most) for other, most in also for name in peers]
    title = f"{case}, {_name(largest.events)}"
    return context.in_turn(partial(timed, largest), peers, case=title, targets=targets, unit=UNITS.get(case))


def _while_reading(context: Context, name: str, size: _Size, function: Callable[..., Any]) -> Result:
    """Time something while one long read is open, and beside it without."""
    return context.in_turn(
        partial(size.work, function, reading=True),
        {WITHOUT: partial(size.work, function, reading=False)},
        case=f"{name} while one long read is open, {_name(size.events)}",
        targets=[Target(SECONDS, WITHOUT, at_most=FLAT)],
        unit=UNITS.get(name),
    )


def _name(events: int) -> str:
    return f"at {events:,}"


BENCHMARKS = (Benchmark("growth", "the same work after few and after many events, PostgreSQL", [], _growth, 1_000_000),)
