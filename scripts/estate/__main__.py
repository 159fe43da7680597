"""Writes one part of an estate to standard output: python -m scripts.estate --seed 7 --events 10000 --part base."""

import argparse
import json
import sys
from pathlib import Path

from scripts.estate.composition import write_base, write_lost, write_more
from scripts.estate.deployment import inputs
from scripts.estate.draft import Draft, Outcomes


def main() -> None:
    """Write the part that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m scripts.estate", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--events", type=int, default=10_000, help="about how many events the estate has")
    parser.add_argument("--roles", type=Path, help="a JSON file of built-in role definitions, which are defined too")
    parser.add_argument("--outcomes", type=Path, help="what `resurgam record --json` answered to the base, for `more`")
    parser.add_argument("--part", choices=["inputs", "base", "more", "lost"], default="base")
    asked = parser.parse_args()
    draft = Draft(asked.seed, asked.events, read_outcomes(asked.outcomes) if asked.outcomes else None)
    if asked.part == "inputs":
        sys.stdout.write(inputs(draft))
        return
    write_base(draft, asked.roles)
    write_more(draft)
    write_lost(draft)
    sys.stdout.write(draft.lines(asked.part))


def read_outcomes(path: Path) -> Outcomes:
    """Return which resources each command of a recorded part changed."""
    answers = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    return {answer["commandId"]: answer["resources"] for answer in answers}


main()
