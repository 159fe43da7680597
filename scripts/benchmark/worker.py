"""The worker: one side of a benchmark in a process of its own, so that its memory is its own too."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any


class Stopwatch:
    """Times what is done inside `measuring`, and nothing else."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.events = 0

    @contextmanager
    def measuring(self, events: int) -> Iterator[None]:
        """Count what is done inside, which is about so many events; may be entered again, and adds up."""
        if not self.seconds:
            _forget_peak()
        begin = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - begin
        self.events += events


def peak_rss_bytes() -> int:
    """Return the most memory that this process held since its peak was forgotten, or one of its children ever."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text("ascii").splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    else:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024


def _forget_peak() -> None:
    """Begin anew with what is held now: the peak of preparing is not that of the work."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        return  # the peak is that of the whole process then, which is more


def main() -> None:
    """Call what is named, with the arguments on standard input, and write its sample as the last line."""
    module, function = sys.argv[1].split(":")
    stopwatch = Stopwatch()
    arguments: dict[str, Any] = json.load(sys.stdin)
    extra = getattr(import_module(module), function)(stopwatch, **arguments)
    sample = {
        "seconds": stopwatch.seconds,
        "events": stopwatch.events,
        "peak_rss_bytes": peak_rss_bytes(),
        "extra": dict(extra or {}),
    }
    print("\n" + json.dumps(sample))


if __name__ == "__main__":
    main()
