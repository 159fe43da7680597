"""Runs simulations one after another: `scripts/simulate --minutes 10`."""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.simulation.life import Failure, live

STEPS = 150


def main() -> int:
    """Simulate until the time is over; 1 at the first failure, with the seed that shows it again."""
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, metavar="M", help="for how long (1)")
    parser.add_argument("--seed", type=int, metavar="S", help="the seed of the first simulation; the next has the next")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"how many steps each ({STEPS})")
    parser.add_argument("--once", action="store_true", help="only one simulation, whose steps are shown")
    asked = parser.parse_args()
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    until = time.monotonic() + asked.minutes * 60
    done = steps = 0
    while True:
        with tempfile.TemporaryDirectory(prefix="resurgam-simulation-") as folder:
            try:
                trace = live(seed + done, asked.steps, Path(folder))
            except Failure as failure:
                print(failure)
                return 1
        done, steps = done + 1, steps + len(trace)
        if asked.once:
            print("\n".join(trace))
        if asked.once or time.monotonic() >= until:
            break
    print(f"{done} simulations, seeds {seed} to {seed + done - 1}, {steps} steps: every promise was kept")
    return 0


sys.exit(main())
