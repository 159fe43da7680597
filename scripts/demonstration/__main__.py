"""Plays the story and exits with 0 only if every proof is true."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from scripts.demonstration.stage import StepFailed, chapter, say
from scripts.demonstration.stores import Stores
from scripts.demonstration.story import Story
from scripts.estate.draft import Draft
from scripts.sabotage import SABOTAGES

NOT_PROVEN = 1


def main() -> int:
    """Play it in a folder of its own."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="Record a cloud, back it up, destroy it, recover it, and prove it."
    )
    parser.add_argument("--events", type=int, default=10_000, help="about how many events the cloud has")
    parser.add_argument("--seed", type=int, default=7, help="another seed makes another cloud")
    parser.add_argument(
        "--roles", type=Path, metavar="FILE", help="built-in role definitions as JSON, which are defined too"
    )
    parser.add_argument("--postgres", metavar="URL", help="keep the stores in schemas of this database, not in SQLite")
    parser.add_argument(
        "--sabotage", choices=sorted(SABOTAGES), help="tamper with the backup: the demo must find it and fail"
    )
    parser.add_argument("--keep", action="store_true", help="leave the folder when it is over")
    asked = parser.parse_args()
    begin = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="resurgam-demo-"))
    stores = Stores(asked.postgres)
    try:
        story = Story(folder, stores, Draft(asked.seed, asked.events), asked.roles, asked.sabotage)
        proofs = story.play()
    except StepFailed as failure:
        print(f"  failed with exit code {failure.exit_code}: {failure}", file=sys.stderr)
        return failure.exit_code
    finally:
        if asked.keep:
            say(f"everything is left in {folder}")
        else:
            stores.drop_all()
            shutil.rmtree(folder)
    false = [proof.name for proof in proofs if not proof.is_true]
    chapter(f"{len(proofs) - len(false)} of {len(proofs)} proofs are true, after {time.monotonic() - begin:.0f} s")
    if false:
        say(f"not proven: {', '.join(false)}")
    return NOT_PROVEN if false else 0


sys.exit(main())
