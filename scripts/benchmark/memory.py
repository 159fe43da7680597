"""Benchmark of memory: the most that long work holds, with so many events and with three times as many."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scripts.benchmark import store
from scripts.benchmark.benchmark import PEAK_RSS, Benchmark, Result, Sample, Skipped, Target
from scripts.benchmark.context import ROOT, Context
from scripts.benchmark.recovering import identity_file
from scripts.benchmark.tools import RESURGAM

LIMIT_BYTES = 300_000_000
MORE = 3
LOOKS_PER_S = 50


def _memory(context: Context) -> Sequence[Result]:
    results = []
    for events in (context.events, MORE * context.events):
        targets = [Target(PEAK_RSS, None, at_most=LIMIT_BYTES)] if events == context.events else []
        for name, sample in _works(context, events, is_first=events == context.events):
            context.say(f"    {name:16} {events:>12,} events {sample.peak_rss_bytes / 1e6:8.0f} MB")
            results.append(Result([sample], case=f"{name}, {events:,} events", targets=targets))
    return results


def _works(context: Context, events: int, *, is_first: bool) -> Iterator[tuple[str, Sample]]:
    """Do one long work after the other, each of which needs nothing of a server; the second time the two that matter.

    A drill is a recovery, and the others hold no more than a verification of the same records does.
    """
    folder = context.folder / str(events)
    folder.mkdir()
    identity = ("--identity", str(identity_file(context)))
    repository, recovered = f"file://{folder / 'repository'}", f"sqlite:///{folder / 'recovered.db'}"
    new = ("--store", recovered, "--root-key-file", str(folder / "root-key"), "--trust-first-use", "--json")
    environment = {
        "RESURGAM_STORE": store.copied(events, context.cache, folder),
        "RESURGAM_REPOSITORY": repository,
        "TMPDIR": str(folder),
    }
    with_key = {**environment, "RESURGAM_ROOT_KEY": store.ROOT_KEY_LINE}
    yield "backup run", watched(("backup", "run", "--new-repository"), with_key, events)
    yield "recover", watched(("recover", repository, *identity, *new), environment, events)
    if not is_first:
        return
    yield "backup verify", watched(("backup", "verify", *identity), environment, events)
    yield "backup drill", watched(("backup", "drill", "--trust-first-use", *identity), environment, events)
    yield "log verify", watched(("log", "verify"), environment, events)
    yield "log export", watched(("log", "export"), environment, events)


def watched(words: Sequence[str], environment: Mapping[str, str], events: int) -> Sample:
    """Run `resurgam`, and return with its time the most that it and the processes it started held together."""
    if not Path("/proc/self/status").exists():
        raise Skipped("there is no /proc that tells how much memory processes hold")
    begin = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603, our own program
        [*RESURGAM, *words], stdout=subprocess.DEVNULL, env={**os.environ, **environment}, cwd=ROOT
    )
    peak_bytes = 0
    while process.poll() is None:
        # Of a process that has ended, the system's own figure would not do: it begins with what its parent held.
        held = [_held_bytes(one) for one in _family(process.pid)]
        peak_bytes = max(peak_bytes, sum(now for now, _ in held), *(most for _, most in held))
        time.sleep(1 / LOOKS_PER_S)
    seconds = time.perf_counter() - begin
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, words)
    return Sample(seconds, events, peak_bytes)


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that it started."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("ascii").split():
                yield from _family(int(child))


def _held_bytes(pid: int) -> tuple[int, int]:
    """Return how much a process holds, and the most that it ever held; zeros if it has ended."""
    sizes = {"VmRSS:": 0, "VmHWM:": 0}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, *rest = line.split()
            if name in sizes:
                sizes[name] = int(rest[0]) * 1024
    return sizes["VmRSS:"], sizes["VmHWM:"]


BENCHMARKS = (
    Benchmark("memory", "the most memory that long work holds, all its processes together; SQLite", [], _memory,
              1_000_000),
)  # fmt: skip
