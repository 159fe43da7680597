"""Runs benchmarks, shows their table, and keeps it."""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree

from scripts.benchmark import document, machine, report
from scripts.benchmark.benchmark import Benchmark, Skipped
from scripts.benchmark.catalogue import BENCHMARKS
from scripts.benchmark.context import CACHE, Context
from scripts.benchmark.document import Entry
from scripts.benchmark.filled import Filled
from scripts.benchmark.server import FOLDER, Server

FAILED = 1


def main() -> int:
    """Run what is asked for; the exit code says whether all could be run, not whether the targets were met."""
    known = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    asked = _parser().parse_args()
    if unknown := set(asked.names) - known.keys():
        print(f"no such benchmark: {', '.join(sorted(unknown))}; --list shows all", file=sys.stderr)
        return 2
    chosen = [known[name] for name in known if name in (asked.names or known)]
    if asked.list:
        for benchmark in chosen:
            print(f"{benchmark.name:20} {benchmark.title}")
        return 0
    entries, failed = ({}, 0) if asked.taken_from else _run(chosen, asked)
    for path in asked.taken_from:
        entries.update(document.read(path))
    _show(entries)
    if asked.json:
        document.write(asked.json, entries)
    if asked.write_docs:
        document.keep(entries, list(known))
    return FAILED if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Time Resurgam beside its peers, in turn, in the same run."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks; all if none is named")
    parser.add_argument("--events", type=int, metavar="N", help="how many events, instead of each benchmark's own")
    parser.add_argument("--pairs", type=int, default=3, help="how often each side runs, in turn (3)")
    parser.add_argument("--large", action="store_true", help="also what takes an hour: growth to 10 million events")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples")
    parser.add_argument("--from", dest="taken_from", type=Path, nargs="+", default=[], metavar="FILE",
                        help="run nothing, and take what --json wrote")  # fmt: skip
    parser.add_argument(
        "--write-docs", action="store_true", help="put the results on the page docs/explanation/performance.md"
    )
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    return parser


def _run(chosen: Sequence[Benchmark], asked: argparse.Namespace) -> tuple[dict[str, Entry], int]:
    entries: dict[str, Entry] = {}
    failed = 0
    server = Server()
    filled = Filled(server)
    CACHE.mkdir(exist_ok=True)
    try:
        for benchmark in chosen:
            print(f"{benchmark.name}: {benchmark.title}", flush=True)
            folder = Path(tempfile.mkdtemp(prefix="resurgam-bench-", dir=FOLDER))
            events = asked.events or benchmark.events
            context = Context(events, asked.pairs, folder, CACHE, server, filled, asked.large, _say)
            try:
                results = benchmark.run(context)
                entries[benchmark.name] = document.entry(benchmark, machine.facts(server), results)
            except Skipped as reason:
                print(f"    skipped: {reason}", flush=True)
                entries[benchmark.name] = document.entry(benchmark, machine.facts(server), skipped=str(reason))
            except Exception:  # noqa: BLE001, shown, and the others can still run
                traceback.print_exc()
                failed += 1
            finally:
                rmtree(folder)
    finally:
        filled.drop()
        server.stop()
    return entries, failed


def _show(entries: Mapping[str, Entry]) -> None:
    shown = [report.COLUMNS, *document.table(entries)]
    widths = [max(len(row[column]) for row in shown if not row[1].startswith("skipped")) for column in range(8)]
    for row in shown:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def _say(text: str) -> None:
    print(text, flush=True)


sys.exit(main())
