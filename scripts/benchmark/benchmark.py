"""Benchmarks: what is measured, beside what, and what it has to reach.

A module of benchmarks is named in scripts/benchmark/catalogue.py and holds `BENCHMARKS`. What `run` times it
lets the context time, in a process of its own, in turn with the others; see scripts/benchmark/context.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.benchmark.context import Context

RATE, SECONDS, PEAK_RSS = "events_per_second", "seconds", "peak_rss_bytes"
"""Quantities that every sample has; what a sample has in `extra` (such as `size_bytes`) is one too."""

LIMIT = "limit"
"""The name under which the bare SQL, or the raw bytes, of the same rows stands in a target."""


class Skipped(Exception):
    """A benchmark cannot be run here; the message says why, and what would have to be there."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one side: how long it took for how many events, and the most memory that it held (0: unknown)."""

    seconds: float
    events: int
    peak_rss_bytes: int
    extra: Mapping[str, Any] = field(default_factory=dict)

    def quantity(self, name: str) -> float:
        """Return a quantity by its name."""
        if name == RATE:
            return self.events / self.seconds
        if name in (SECONDS, PEAK_RSS):
            return float(getattr(self, name))
        return float(self.extra[name])


@dataclass(frozen=True, slots=True)
class Target:
    """What has to be reached: a quantity of ours, divided by that of what it is `against`, unless that is None."""

    quantity: str
    against: str | None
    at_least: float | None = None
    at_most: float | None = None

    def is_met(self, value: float) -> bool:
        """Whether a value reaches it."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True)
class Result:
    """The samples of all sides; sample i of each is of the same round. `case` tells apart several of one benchmark."""

    ours: Sequence[Sample]
    peers: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    limit: Sequence[Sample] | None = None
    case: str = ""
    targets: Sequence[Target] | None = None
    """Of this case; None for those of the benchmark."""
    unit: str | None = None
    """What the samples of this case count; None for what those of the benchmark do."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark; `run` measures it, with about `events` events unless others are asked for."""

    name: str
    title: str
    targets: Sequence[Target]
    run: "Callable[[Context], Sequence[Result]]"
    events: int
    unit: str = "events"
    """What its samples count."""
