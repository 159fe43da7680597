"""The document: results as JSON, and the page on performance whose table they are."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.benchmark import report
from scripts.benchmark.benchmark import Benchmark, Result, Sample, Target

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
KEPT = PAGE.with_suffix(".json")
BEGIN, END = "<!-- results: written by scripts/bench --write-docs -->", "<!-- end of results -->"

Entry = dict[str, Any]
"""What is kept of one benchmark."""


def entry(
    benchmark: Benchmark, machine: Mapping[str, Any], results: Sequence[Result] = (), skipped: str | None = None
) -> Entry:
    """Return one benchmark with all its samples, and the machine on which they were taken."""
    return {
        "title": benchmark.title,
        "unit": benchmark.unit,
        "targets": [asdict(target) for target in benchmark.targets],
        "machine": dict(machine),
        "skipped": skipped,
        "results": [{**asdict(result), "targets": _targets(result)} for result in results],
    }


def write(path: Path, entries: Mapping[str, Entry]) -> None:
    """Write entries by the names of their benchmarks."""
    path.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read(path: Path) -> dict[str, Entry]:
    """Return what `write` wrote; nothing if there is no such file."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def keep(entries: Mapping[str, Entry], order: Sequence[str]) -> None:
    """Put entries in the place of those that the page has of the same benchmarks, and write its table anew."""
    kept = {**read(KEPT), **{name: given for name, given in entries.items() if given["skipped"] is None}}
    kept = {name: kept[name] for name in order if name in kept}
    write(KEPT, kept)
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), kept), "utf-8")


def with_table(page: str, entries: Mapping[str, Entry]) -> str:
    """Return the page with the table of these entries between its marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{markdown(entries)}\n{END}{after}"


def markdown(entries: Mapping[str, Entry]) -> str:
    """Return a table for each machine and date."""
    machines = list(dict.fromkeys(_machine(given["machine"]) for given in entries.values()))
    lines: list[str] = []
    for machine in machines:
        here = {name: given for name, given in entries.items() if _machine(given["machine"]) == machine}
        lines += [machine, "", "| " + " | ".join(report.COLUMNS) + " |", "|---" * len(report.COLUMNS) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in table(here)]
        lines.append("")
    return "\n".join(lines)


def table(entries: Mapping[str, Entry]) -> Iterator[report.TableRow]:
    """Yield the rows of these entries."""
    for name, given in entries.items():
        benchmark = Benchmark(name, given["title"], [Target(**t) for t in given["targets"]], _nothing, 0, given["unit"])
        if given["skipped"] is None:
            yield from report.rows(benchmark, [_result(each) for each in given["results"]])
        else:
            yield report.skipped(benchmark, given["skipped"])


def _nothing(_: object) -> Sequence[Result]:
    return ()


def _targets(result: Result) -> list[dict[str, Any]] | None:
    return None if result.targets is None else [asdict(target) for target in result.targets]


def _result(given: Mapping[str, Any]) -> Result:
    return Result(
        ours=_samples(given["ours"]),
        peers={name: _samples(samples) for name, samples in given["peers"].items()},
        limit=None if given["limit"] is None else _samples(given["limit"]),
        case=given["case"],
        targets=None if given["targets"] is None else [Target(**target) for target in given["targets"]],
        unit=given["unit"],
    )


def _samples(given: Sequence[Mapping[str, Any]]) -> list[Sample]:
    return [Sample(**sample) for sample in given]


def _machine(facts: Mapping[str, Any]) -> str:
    server = facts["postgresql"]
    settings = ", ".join(f"{name} {value}" for name, value in server.items() if name != "version")
    programs = "".join(f", {shown.split(' compiled')[0]}" for shown in facts["programs"].values())
    return (
        f"**{facts['date']}**, release {facts['release']}{_commit(facts)}: {facts['cores']} × {facts['cpu']}, "  # noqa: RUF001, times
        f"{facts['memory_gib']} GiB, {facts['file_system']}, {facts['kernel']}, Python {facts['python']}, "
        f"SQLite {facts['sqlite']}, eventsourcing {facts['eventsourcing']}, psycopg {facts['psycopg']}"
        + (f", PostgreSQL {server['version']} ({settings})" if server else "")
        + programs
        + "."
    )


def _commit(facts: Mapping[str, Any]) -> str:
    return f" at {facts['commit']}" if facts["commit"] else ""
