"""Benchmarks of committing: one change per transaction, from one client and from many."""

from collections.abc import Callable, Sequence
from typing import Any

from scripts.benchmark import bare, library, recording, rows
from scripts.benchmark.benchmark import LIMIT, RATE, Benchmark, Result, Sample, Target
from scripts.benchmark.context import Context

RECORDER = "eventsourcing recorder alone"
PROJECTION = "eventsourcing recorder + projection"
PEER_CLIENTS_MAX = 16
"""The recorder locks its table, so more clients only wait longer."""


def left_behind(context: Context, changes: int) -> str:
    """Record so many changes once, and return the file with the rows that they left."""
    path = str(context.folder / "rows.pickle")
    context.work(rows.leave, path=path, changes=changes)
    return path


def in_schema(context: Context, function: Callable[..., Any], /, **arguments: Any) -> Sample:
    """Let a function work in a new schema of PostgreSQL."""
    with context.server.schema() as url:
        return context.work(function, url=url, **arguments)


def in_file(context: Context, function: Callable[..., Any], /, **arguments: Any) -> Sample:
    """Let a function work in a new file of SQLite."""
    path = context.folder / "store.db"
    try:
        return context.work(function, url=f"sqlite:///{path}", **arguments)
    finally:
        for each in context.folder.glob("store.db*"):
            each.unlink()


def _commit(context: Context) -> Sequence[Result]:
    return [_by_clients(context, 1, lambda path: in_schema(context, bare.postgres, path=path))]


def _commit_16(context: Context) -> Sequence[Result]:
    return [_by_clients(context, 16)]


def _commit_64(context: Context) -> Sequence[Result]:
    return [_by_clients(context, 64)]


def _by_clients(context: Context, clients: int, limit: Callable[[str], Sample] | None = None) -> Result:
    """Time ours with so many clients; the peer has as many, but not more than help it."""
    path = left_behind(context, recording.WARM_UP + context.events)
    peers = min(clients, PEER_CLIENTS_MAX)
    return context.in_turn(
        lambda: in_schema(context, recording.by_clients, changes=context.events, clients=clients),
        {RECORDER: lambda: in_schema(context, library.postgres_recorder, path=path, clients=peers)},
        (lambda: limit(path)) if limit else None,
    )


def _processes(context: Context) -> Sequence[Result]:
    path = left_behind(context, recording.WARM_UP + context.events)
    return [
        context.in_turn(
            lambda: in_schema(context, recording.by_processes, changes=context.events, processes=4, clients=4),
            {RECORDER: lambda: in_schema(context, library.postgres_recorder, path=path, clients=PEER_CLIENTS_MAX)},
        )
    ]


def _sqlite(context: Context) -> Sequence[Result]:
    path = left_behind(context, recording.WARM_UP + context.events)
    return [
        context.in_turn(
            lambda: in_file(context, recording.by_clients, changes=context.events, clients=1),
            {
                RECORDER: lambda: in_file(context, library.sqlite_recorder, path=path, changes=1),
                PROJECTION: lambda: in_file(context, library.sqlite_projection, path=path, changes=1),
            },
            lambda: in_file(context, bare.sqlite, path=path, changes=1),
        )
    ]


BENCHMARKS = (
    Benchmark("commit", "one change per commit, one client, PostgreSQL", [Target(RATE, RECORDER, at_least=1.0)],
              _commit, 2_000),
    Benchmark("commit-16", "one change per commit, 16 threads, PostgreSQL", [Target(RATE, RECORDER, at_least=3.0)],
              _commit_16, 8_000),
    Benchmark("commit-64", "one change per commit, 64 threads, PostgreSQL; the peer has 16",
              [Target(RATE, RECORDER, at_least=6.0)], _commit_64, 16_000),
    Benchmark("commit-4x4", "one change per commit, 4 processes of 4 threads, PostgreSQL; the peer has 16 threads",
              [Target(RATE, RECORDER, at_least=2.0)], _processes, 4_000),
    Benchmark("sqlite-commit", "one change per commit, one client, SQLite", [Target(RATE, LIMIT, at_least=0.7)],
              _sqlite, 4_000),
)  # fmt: skip
