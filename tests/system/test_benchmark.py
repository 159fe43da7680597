"""The benchmark: every one of them runs and says what it has to say, and the page shows what its JSON holds."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmark import document, report, workload
from scripts.benchmark.benchmark import LIMIT, PEAK_RSS, RATE, SECONDS, Benchmark, Result, Sample, Target
from scripts.benchmark.catalogue import BENCHMARKS
from scripts.benchmark.worker import Stopwatch

ROOT = Path(__file__).parents[2]
NAMES = [benchmark.name for benchmark in BENCHMARKS]
QUICK = ("sqlite-batch", "as-of-one")
"""One that fills a store, and one that needs a filled one; all others are slow."""

MACHINE: Mapping[str, Any] = {
    "date": "2026-01-01", "release": "1.0.0", "commit": None, "cpu": "CPU", "cores": 2, "memory_gib": 8,
    "kernel": "Linux 6", "file_system": "ext4", "python": "3.11", "sqlite": "3.40", "eventsourcing": "9.5",
    "psycopg": "3.3", "postgresql": {}, "programs": {},
}  # fmt: skip


def samples(*seconds: float, size: int = 10) -> list[Sample]:
    return [Sample(each, 1_000, 50_000_000, {"size_bytes": size}) for each in seconds]


def benchmark(*targets: Target) -> Benchmark:
    return Benchmark("one", "One", targets, lambda _: (), 1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Runs one with tiny numbers, and returns what it wrote."""
    folder = tmp_path_factory.mktemp("benchmark")

    def running(name: str) -> dict[str, Any]:
        file = folder / f"{name}.json"
        command = [sys.executable, "-m", "scripts.benchmark", name, "--events", "2000", "--pairs", "1"]
        done = subprocess.run([*command, "--json", str(file)], cwd=ROOT, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(file.read_text("utf-8"))  # type: ignore[no-any-return]

    yield running
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", QUICK)
def test_a_benchmark_runs(run: Any, name: str) -> None:
    assert_whole(run(name)[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in QUICK])
def test_every_other_benchmark_runs(run: Any, name: str) -> None:
    assert_whole(run(name)[name])


def assert_whole(entry: dict[str, Any]) -> None:
    """It has samples of every side and says whether its targets are met, or why it could not be run."""
    if entry["skipped"] is not None:
        assert len(entry["skipped"].split()) > 2
        return
    assert entry["machine"]["cores"] == os.cpu_count()
    assert entry["results"]
    for result in entry["results"]:
        for side in (result["ours"], *result["peers"].values(), result["limit"] or result["ours"]):
            assert len(side) == 1
            assert side[0]["seconds"] > 0
            assert side[0]["events"] > 0
            assert side[0]["peak_rss_bytes"] >= 0
    assert all(len(row) == len(report.COLUMNS) for row in document.table({"one": entry}))


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_the_page_shows_what_its_json_holds() -> None:
    page = document.PAGE.read_text("utf-8")
    assert document.with_table(page, document.read(document.KEPT)) == page


def test_the_page_knows_no_benchmark_that_is_gone() -> None:
    assert set(document.read(document.KEPT)) <= set(NAMES)


def test_a_ratio_is_that_of_each_round() -> None:
    spread = report.ratio(samples(1, 4, 9), samples(2, 4, 3), SECONDS)
    assert (spread.least, spread.middle, spread.most) == (0.5, 1, 3)
    spread = report.ratio(samples(1, 4, 9), samples(2, 4, 3), RATE)
    assert [spread.least, spread.middle, spread.most] == pytest.approx([1 / 3, 1, 2])


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(RATE, "peer", at_least=2.0), report.MET),
        (Target(RATE, "peer", at_least=2.1), report.MISSED),
        (Target(SECONDS, "peer", at_most=0.5), report.MET),
        (Target(SECONDS, "peer", at_most=0.4), report.MISSED),
        (Target(RATE, LIMIT, at_least=0.5), report.MET),
        (Target(RATE, LIMIT, at_least=0.6), report.MISSED),
        (Target("size_bytes", "peer", at_most=0.5), report.MET),
        (Target("size_bytes", "peer", at_most=0.4), report.MISSED),
        (Target(RATE, None, at_least=1_000), report.MET),
        (Target(RATE, None, at_least=1_001), report.MISSED),
        (Target(PEAK_RSS, None, at_most=50_000_000), report.MET),
        (Target(PEAK_RSS, None, at_most=49_000_000), report.MISSED),
    ],
)
def test_a_target_is_met_or_not(target: Target, met: str) -> None:
    result = Result(samples(1, size=10), {"peer": samples(2, size=20)}, samples(0.5))
    found = [row[-1] for row in report.rows(benchmark(target), [result]) if row[-1]]
    assert found == [met]


def test_targets_of_a_case_stand_for_those_of_its_benchmark() -> None:
    result = Result(samples(1), {"peer": samples(2)}, targets=[Target(RATE, "peer", at_least=3.0)], case="large")
    [row] = report.rows(benchmark(Target(RATE, "peer", at_least=1.0)), [result])
    assert row[0] == "one, large"
    assert row[-1] == report.MISSED


def test_what_was_written_reads_as_it_was(tmp_path: Path) -> None:
    targets = [Target(RATE, "peer", at_least=2.0), Target(SECONDS, None, at_most=9.0)]
    result = Result(samples(1, 2), {"peer": samples(3, 4)}, samples(5, 6), "large", targets, "reads")
    entries = {
        "one": document.entry(benchmark(), MACHINE, [result]),
        "two": document.entry(benchmark(), MACHINE, skipped="there is no peer: install one"),
    }
    document.write(tmp_path / "results.json", entries)
    read = document.read(tmp_path / "results.json")
    assert list(document.table(read))[:-1] == list(report.rows(benchmark(), [result]))
    assert list(document.table(read))[-1][1] == "skipped: there is no peer: install one"


def test_a_worker_counts_what_is_inside_the_clock() -> None:
    stopwatch = Stopwatch()
    with stopwatch.measuring(3):
        stopwatch.events += 4
    seconds = stopwatch.seconds
    assert (seconds > 0, stopwatch.events) == (True, 7)


def test_a_refused_change_spoils_the_figures() -> None:
    from domain.errors import Refused
    from infra.control_plane.job import Outcome

    assert workload.recorded([Outcome("recorded", "one", first=1, last=2)]) == 2
    with pytest.raises(Refused):
        workload.recorded([Refused("no")])
    with pytest.raises(AssertionError, match="unchanged"):
        workload.recorded([Outcome("unchanged", "one")])


def test_an_unknown_name_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmark", "no-such"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no such benchmark: no-such" in done.stderr
