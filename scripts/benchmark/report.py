"""The report: what the samples say, as rows of a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from scripts.benchmark.benchmark import LIMIT, PEAK_RSS, RATE, SECONDS, Benchmark, Result, Sample, Target

COLUMNS = ("benchmark", "ours", "peak memory", "beside", "theirs", "ratio", "target", "met")
WORDS = {RATE: "rate", SECONDS: "time", PEAK_RSS: "peak memory", "size_bytes": "size"}
MET, MISSED = "yes", "**no**"

TableRow = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and how far they reach."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return that of these values."""
        return cls(median(values), min(values), max(values))


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample], quantity: str) -> Spread:
    """Return a quantity of ours divided by theirs, round by round."""
    pairs = zip(ours, theirs, strict=True)
    return Spread.of([own.quantity(quantity) / other.quantity(quantity) for own, other in pairs])


def value(result: Result, target: Target) -> Spread:
    """Return what a target is about."""
    if target.against is None:
        return Spread.of([sample.quantity(target.quantity) for sample in result.ours])
    theirs = (result.limit or ()) if target.against == LIMIT else result.peers[target.against]
    return ratio(result.ours, theirs, target.quantity)


def rows(benchmark: Benchmark, results: Sequence[Result]) -> Iterator[TableRow]:
    """Yield a row for each thing that stands beside ours, and for each target that stands alone."""
    for result in results:
        unit = result.unit or benchmark.unit
        targets = benchmark.targets if result.targets is None else result.targets
        name = f"{benchmark.name}, {result.case}" if result.case else benchmark.name
        ours, memory = _shown(result.ours, unit), _bytes(max(s.peak_rss_bytes for s in result.ours))
        beside = {**result.peers, **({LIMIT: result.limit} if result.limit else {})}
        alone = [target for target in targets if target.against is None]
        for target in alone:
            yield (name, ours, memory, "", "", "", *_held(result, target))
        for other, samples in beside.items():
            own = [target for target in targets if target.against == other]
            theirs = _shown(samples, unit)
            for target in own:
                spread = ratio(result.ours, samples, target.quantity)
                yield (name, ours, memory, other, theirs, _times(spread), *_held(result, target))
            if not own:
                yield (name, ours, memory, other, theirs, _times(ratio(result.ours, samples, RATE)), "", "")
        if not alone and not beside:
            yield (name, ours, memory, "", "", "", "", "")


def skipped(benchmark: Benchmark, why: str) -> TableRow:
    """Return the row of one that could not be run."""
    return (benchmark.name, f"skipped: {why}", "", "", "", "", "", "")


def _held(result: Result, target: Target) -> tuple[str, str]:
    spread = value(result, target)
    shown = _bytes if target.quantity.endswith("_bytes") and target.against is None else _number
    sign, bound = ("≥", target.at_least) if target.at_least is not None else ("≤", target.at_most)
    assert bound is not None
    what = WORDS.get(target.quantity, target.quantity.replace("_", " "))
    aim = f"{sign} {bound:.3g}× {what}" if target.against else f"{what} {sign} {shown(bound)}"  # noqa: RUF001, times
    return aim, MET if target.is_met(spread.middle) else MISSED


def _shown(samples: Sequence[Sample], unit: str) -> str:
    rate = Spread.of([sample.quantity(RATE) for sample in samples])
    seconds = Spread.of([sample.seconds for sample in samples])
    return f"{_number(rate.middle)} {unit}/s ({_number(rate.least)}–{_number(rate.most)}), {_number(seconds.middle)} s"  # noqa: RUF001, a range


def _times(spread: Spread) -> str:
    return f"{spread.middle:.3g}× ({spread.least:.3g}–{spread.most:.3g})"  # noqa: RUF001, times and a range


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _bytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size else ""
