"""Benchmarks of batches: 1,000 changes are decided and recorded in one transaction."""

from collections.abc import Sequence

from scripts.benchmark import bare, library, recording
from scripts.benchmark.benchmark import LIMIT, RATE, Benchmark, Result, Target
from scripts.benchmark.commit import PROJECTION, RECORDER, in_file, in_schema, left_behind
from scripts.benchmark.context import Context
from scripts.benchmark.workload import AT_ONCE

PEER_CHANGES_MAX = 5_000
"""A projection that takes a transaction for each event would take minutes for more, at the same rate."""


def _postgres(context: Context) -> Sequence[Result]:
    path = left_behind(context, context.events)
    few = context.inside("few")
    short = left_behind(few, min(context.events, PEER_CHANGES_MAX))
    return [
        context.in_turn(
            lambda: in_schema(context, recording.in_batches, changes=context.events),
            {
                PROJECTION: lambda: in_schema(context, library.postgres_projection, path=short, changes=AT_ONCE),
                RECORDER: lambda: in_schema(context, library.postgres_recorder_batches, path=path, changes=AT_ONCE),
            },
            lambda: in_schema(context, bare.postgres_copy, path=path, changes=AT_ONCE),
        )
    ]


def _sqlite(context: Context) -> Sequence[Result]:
    path = left_behind(context, context.events)
    few = context.inside("few")
    short = left_behind(few, min(context.events, PEER_CHANGES_MAX))
    return [
        context.in_turn(
            lambda: in_file(context, recording.in_batches, changes=context.events),
            {
                PROJECTION: lambda: in_file(context, library.sqlite_projection, path=short, changes=AT_ONCE),
                RECORDER: lambda: in_file(context, library.sqlite_recorder, path=path, changes=AT_ONCE),
            },
            lambda: in_file(context, bare.sqlite, path=path, changes=AT_ONCE),
        )
    ]


BENCHMARKS = (
    Benchmark("batch", "batches of 1,000 changes, decided and recorded, PostgreSQL",
              [Target(RATE, PROJECTION, at_least=10.0), Target(RATE, LIMIT, at_least=0.6)], _postgres, 50_000),
    Benchmark("sqlite-batch", "batches of 1,000 changes, decided and recorded, SQLite",
              [Target(RATE, LIMIT, at_least=0.6)], _sqlite, 50_000),
)  # fmt: skip
