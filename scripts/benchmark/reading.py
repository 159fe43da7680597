"""Benchmarks of reading: the state as of a position, and what changed between two, beside the same in bare SQL."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

from infra.database.url import open_database
from infra.state.snapshot import Snapshot
from scripts.benchmark import store, temporal
from scripts.benchmark.benchmark import SECONDS, Benchmark, Result, Sample, Target
from scripts.benchmark.context import Context
from scripts.benchmark.temporal import Table
from scripts.benchmark.worker import Stopwatch

BARE = "bare temporal table"
TIMES = (0.1, 0.5, 0.9, 1.0)
"""Where in the history is asked."""

RESOURCES = 2_000
SEED = 1

Window = tuple[int, int]
Moment = tuple[str, int]
Answer = dict[str, int]
"""How many rows all answers had, which must be as many on both sides."""


def count(stopwatch: Stopwatch, url: str, positions: list[int]) -> Answer:
    """Count the resources of each kind."""
    return _ask(stopwatch, url, positions, lambda snapshot: len(snapshot.counts()))


def rows(stopwatch: Stopwatch, url: str, positions: list[int]) -> Answer:
    """Read every resource."""
    return _ask(stopwatch, url, positions, lambda snapshot: sum(1 for _ in snapshot.all()))


def one(stopwatch: Stopwatch, url: str, moments: list[Moment]) -> Answer:
    """Read one resource at a time."""
    database = open_database(url)
    with database.read() as session:
        Snapshot(session, moments[0][1]).find(moments[0][0])
        with stopwatch.measuring(len(moments)):
            found = sum(Snapshot(session, position).find(resource) is not None for resource, position in moments)
    database.close()
    return {"rows": found}


def diff(stopwatch: Stopwatch, url: str, windows: list[Window]) -> Answer:
    """List what changed between two positions."""
    database = open_database(url)
    changed = 0
    with database.read() as session:
        list(Snapshot(session, windows[0][1]).changed_since(windows[0][0]))
        with stopwatch.measuring(len(windows)):
            for before, after in windows:
                changed += sum(1 for _ in Snapshot(session, after).changed_since(before))
    database.close()
    return {"rows": changed}


def bare_count(stopwatch: Stopwatch, place: str, positions: list[int]) -> Answer:
    """Count in SQL."""
    return _ask_bare(stopwatch, place, positions, temporal.count)


def bare_rows(stopwatch: Stopwatch, place: str, positions: list[int]) -> Answer:
    """Read all rows as they are, with their states undecoded."""
    return _ask_bare(stopwatch, place, positions, temporal.rows)


def bare_one(stopwatch: Stopwatch, place: str, moments: list[Moment]) -> Answer:
    """Read one row at a time, undecoded."""
    with temporal.opened(place) as table:
        temporal.one(table, *moments[0])
        with stopwatch.measuring(len(moments)):
            found = sum(temporal.one(table, *moment) for moment in moments)
    return {"rows": found}


def bare_diff(stopwatch: Stopwatch, place: str, windows: list[Window]) -> Answer:
    """Join the state at both positions."""
    with temporal.opened(place) as table:
        temporal.diff(table, *windows[0])
        with stopwatch.measuring(len(windows)):
            changed = sum(temporal.diff(table, *window) for window in windows)
    return {"rows": changed}


def _ask(stopwatch: Stopwatch, url: str, positions: list[int], question: Callable[[Snapshot], int]) -> Answer:
    database = open_database(url)
    with database.read() as session:
        question(Snapshot(session, positions[-1]))
        with stopwatch.measuring(len(positions)):
            answered = sum(question(Snapshot(session, position)) for position in positions)
    database.close()
    return {"rows": answered}


def _ask_bare(stopwatch: Stopwatch, place: str, positions: list[int], question: Callable[[Table, int], int]) -> Answer:
    with temporal.opened(place) as table:
        question(table, positions[-1])
        with stopwatch.measuring(len(positions)):
            answered = sum(question(table, position) for position in positions)
    return {"rows": answered}


def _stores(context: Context) -> Iterator[tuple[str, str, str]]:
    """Yield engine, URL of a store with the history, and the place of the bare table of the same rows."""
    file = store.sqlite(context.events, context.cache)
    path = context.folder / "bare.db"
    temporal.make_sqlite(file, path)
    yield "SQLite", f"sqlite:///{file}", str(path)
    url = context.filled.postgres(context.events)
    temporal.make_postgres(url)
    yield "PostgreSQL", url, url


def _positions(context: Context, url: str) -> dict[str, Any]:
    return {"positions": [round(context.events * time) for time in TIMES]}


def _moments(context: Context, url: str) -> dict[str, Any]:
    """Draw resources that existed, each with a position at which it did."""
    database = open_database(url)
    with database.read() as session:
        found = session.execute("SELECT resource, valid_from FROM versions WHERE length(state) > 0")
    database.close()
    drawn = Random(SEED).sample(sorted(found), min(RESOURCES, len(found)))  # noqa: S311, repeatable
    return {"moments": drawn}


def _windows(width: int) -> Callable[[Context, str], dict[str, Any]]:
    def drawn(context: Context, url: str) -> dict[str, Any]:
        wide = min(width, context.events // 10)
        return {"windows": [(round(context.events * time) - wide, round(context.events * time)) for time in TIMES]}

    return drawn


def _run(
    ours: Callable[..., Any],
    bare: Callable[..., Any],
    asked: Callable[[Context, str], dict[str, Any]],
    context: Context,
) -> Sequence[Result]:
    results = []
    for engine, url, place in _stores(context):
        question = asked(context, url)
        result = context.in_turn(
            partial(context.work, ours, url=url, **question),
            {BARE: partial(context.work, bare, place=place, **question)},
            case=engine,
        )
        _check_same(result.ours, result.peers[BARE])
        results.append(result)
    return results


def _check_same(ours: Sequence[Sample], theirs: Sequence[Sample]) -> None:
    """Refuse figures of answers that are not the same."""
    if {str(sample.extra) for sample in ours} != {str(sample.extra) for sample in theirs}:
        raise AssertionError(f"ours answered {ours[0].extra}, the bare table {theirs[0].extra}")


AS_OF = [Target(SECONDS, BARE, at_most=1.5)]
DIFF = [Target(SECONDS, BARE, at_most=0.1)]
EVENTS = 1_000_000

BENCHMARKS = (
    Benchmark("as-of-count", "resources of each kind, as of 4 positions", AS_OF,
              partial(_run, count, bare_count, _positions), EVENTS, "reads"),
    Benchmark("as-of-rows", "every resource, as of 4 positions", AS_OF,
              partial(_run, rows, bare_rows, _positions), EVENTS, "reads"),
    Benchmark("as-of-one", "2,000 single resources, each as of another position", AS_OF,
              partial(_run, one, bare_one, _moments), EVENTS, "reads"),
    Benchmark("diff-1000", "what changed in 1,000 events, at 4 places", DIFF,
              partial(_run, diff, bare_diff, _windows(1_000)), EVENTS, "reads"),
    Benchmark("diff-10000", "what changed in 10,000 events, at 4 places", DIFF,
              partial(_run, diff, bare_diff, _windows(10_000)), EVENTS, "reads"),
)  # fmt: skip
