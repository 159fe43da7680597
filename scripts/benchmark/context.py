"""The context of a benchmark: how much is asked for, where to work, and processes that time one side each."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.benchmark.benchmark import Result, Sample, Target
from scripts.benchmark.filled import Filled
from scripts.benchmark.server import Server

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".bench"

Side = Callable[[], Sample]


@dataclass(frozen=True)
class Context:
    """What `run` of a benchmark is given."""

    events: int
    pairs: int
    folder: Path
    """Empty, on the disk of the checkout, and removed when the benchmark is over."""
    cache: Path
    """Kept from run to run, for what takes long to make."""
    server: Server
    """PostgreSQL, started when its `url` is first asked for."""
    filled: Filled
    is_large: bool = False
    say: Callable[[str], None] = print

    def inside(self, name: str) -> "Context":
        """Return the same with a folder of its own."""
        folder = self.folder / name
        folder.mkdir()
        return replace(self, folder=folder)

    def in_turn(
        self,
        ours: Side,
        peers: Mapping[str, Side] | None = None,
        limit: Side | None = None,
        *,
        case: str = "",
        targets: Sequence[Target] | None = None,
        unit: str | None = None,
    ) -> Result:
        """Take a sample of every side, `pairs` times; each round turns the order around, so none is always first."""
        sides: dict[str, Side] = {"": ours, **(peers or {}), **({"limit": limit} if limit else {})}
        samples: dict[str, list[Sample]] = {name: [] for name in sides}
        for turn in range(self.pairs):
            for name in sides if turn % 2 == 0 else reversed(sides):
                samples[name].append(sides[name]())
                last = samples[name][-1]
                self.say(f"    {case or '':24} {name or 'ours':28} {last.seconds:9.3f} s")
        return Result(
            samples[""],
            {name: samples[name] for name in peers or {}},
            samples["limit"] if limit else None,
            case,
            targets,
            unit,
        )

    def work(self, function: Callable[..., Any], /, **arguments: Any) -> Sample:
        """Call a function of a module, `function(stopwatch, **arguments)`, in a process of its own.

        What it does inside `with stopwatch.measuring(events)` is the sample; what it returns, a mapping or None, is
        its `extra`. The arguments go through JSON.
        """
        name = f"{function.__module__}:{function.__qualname__}"
        command = [sys.executable, "-m", "scripts.benchmark.worker", name]
        done = subprocess.run(  # noqa: S603, this interpreter and our own module
            command, input=json.dumps(arguments), text=True, stdout=subprocess.PIPE, cwd=ROOT, check=True
        )
        return Sample(**json.loads(done.stdout.splitlines()[-1]))

    def program(
        self,
        command: Sequence[str | Path],
        *,
        events: int,
        environment: Mapping[str, str] | None = None,
        stdin: Path | None = None,
        stdout: Path | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Sample:
        """Run a program from its start to its end; for a pipe, ["bash", "-o", "pipefail", "-c", "A | B"]."""
        with open(stdin or os.devnull, "rb") as source, open(stdout or os.devnull, "wb") as sink:
            begin = time.perf_counter()
            process = subprocess.Popen(  # noqa: S603, the commands are ours
                [*map(str, command)], stdin=source, stdout=sink, env={**os.environ, **(environment or {})}, cwd=ROOT
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, process.args)
        return Sample(seconds, events, usage.ru_maxrss * 1024, extra or {})
