"""The catalogue: every benchmark, in the order of the table."""

from scripts.benchmark import backing_up, batch, commit, growth, memory, reading, recovering, replay, rpo
from scripts.benchmark.benchmark import Benchmark

BENCHMARKS: tuple[Benchmark, ...] = (
    *commit.BENCHMARKS,
    *batch.BENCHMARKS,
    *backing_up.BENCHMARKS,
    *recovering.BENCHMARKS,
    *replay.BENCHMARKS,
    *reading.BENCHMARKS,
    *growth.BENCHMARKS,
    *memory.BENCHMARKS,
    *rpo.BENCHMARKS,
)
