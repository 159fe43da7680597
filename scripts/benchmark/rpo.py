"""Benchmark of loss: a writer at a steady rate and a watch are killed with their store; what is then missing."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread

from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from scripts.benchmark import store
from scripts.benchmark.benchmark import SECONDS, Benchmark, Result, Sample, Target
from scripts.benchmark.changes import requests
from scripts.benchmark.context import ROOT, Context
from scripts.benchmark.history import History
from scripts.benchmark.recovering import identity_file
from scripts.benchmark.tools import RESURGAM
from scripts.benchmark.workload import ACTOR, recorded

RATE_PER_S = 20
EVERY_S = 2
LOST_S_MAX = 10.0
CHANGES_MAX = 300
SEED = 77


def main() -> None:
    """Record at a steady rate until killed; one line for each change, with its position and when it was committed."""
    url, rate, count = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    plane = ControlPlane(open_database(url), store.ROOT_KEY, cost=TEST_COST)
    began = time.monotonic()
    for number, change in enumerate(requests(count, SEED, History(store.SEED).installation)):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        recorded([plane.execute(change, ACTOR)])
        print(plane.head().position, time.monotonic(), flush=True)


class _Told:
    """The lines that a process writes, as they come."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(  # noqa: S603, the commands are ours
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def kill(self) -> None:
        """Kill it, and read what it had written."""
        self.process.kill()
        self.process.wait()
        self._reader.join()


def _lose(context: Context) -> Sample:
    """Let both run until enough is recorded, kill them, delete the store, and recover."""
    folder = context.folder / f"machine-{time.monotonic_ns()}"
    folder.mkdir()
    url, repository = f"sqlite:///{folder}/store.db", context.folder / f"repository-{folder.name}"
    store.fill(url, 1_000)
    environment = {
        "RESURGAM_STORE": url,
        "RESURGAM_REPOSITORY": f"file://{repository}",
        "RESURGAM_ROOT_KEY": store.ROOT_KEY_LINE,
        "PYTHONPATH": str(ROOT),
    }
    every = ("--every", f"{EVERY_S}s", "--new-repository", "--json")
    watch = _Told([*map(str, RESURGAM), "backup", "watch", *every], environment)
    count = min(context.events, CHANGES_MAX)
    shown = [url, str(RATE_PER_S), str(2 * count)]
    writer = _Told([sys.executable, "-m", "scripts.benchmark.rpo", *shown], environment)
    while len(writer.lines) < count and writer.process.poll() is None:
        time.sleep(0.05)
    writer.process.kill()
    killed = time.monotonic()
    watch.kill()
    writer.kill()
    shutil.rmtree(folder)

    whole = (line.split() for line in writer.lines if line.endswith("\n"))
    written = {int(position): float(at) for position, at in whole}
    last = max(json.loads(line)["position"] for line in watch.lines if json.loads(line)["event"] == "shipped")
    position = _recovered_position(context, repository)
    if position < last:
        raise RuntimeError(f"position {last} was reported as shipped, and only {position} came back")
    lost = [when for at, when in written.items() if at > position]
    return Sample(killed - min(lost, default=killed - 0.001), len(written), 0, {"lost_changes": len(lost)})


def _recovered_position(context: Context, repository: Path) -> int:
    """Recover all of a repository, and return up to where it came back."""
    folder, told = repository.with_suffix(".recovered"), repository.with_suffix(".json")
    folder.mkdir()
    flags = ("--identity", str(identity_file(context)), "--trust-first-use", "--json")
    target = ("--store", f"sqlite:///{folder}/store.db", "--root-key-file", str(folder / "root-key"))
    context.program([*RESURGAM, "recover", f"file://{repository}", *flags, *target], events=0, stdout=told)
    return int(json.loads(told.read_bytes())["recoveredPosition"])


def _rpo(context: Context) -> Sequence[Result]:
    return [context.in_turn(lambda: _lose(context))]


BENCHMARKS = (
    Benchmark("rpo", f"what is lost, in seconds before the end, of {RATE_PER_S} changes/s watched every {EVERY_S} s",
              [Target(SECONDS, None, at_most=LOST_S_MAX),
               Target("lost_changes", None, at_most=LOST_S_MAX * RATE_PER_S)],
              _rpo, CHANGES_MAX, "changes"),
)  # fmt: skip

if __name__ == "__main__":
    main()
