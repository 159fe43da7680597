"""Tools: the programs of peers, and our own, as commands that can be timed."""

import shutil
import sys
from pathlib import Path

from scripts.benchmark.benchmark import Skipped

ROOT = Path(__file__).parents[2]
RESURGAM = (sys.executable, "-c", f"import sys; sys.path[0] = {str(ROOT)!r}; from infra.cli import main; main()")
"""What `resurgam` does that is installed from this checkout."""


def tool(name: str) -> str:
    """Return a program of the distribution, which scripts/bench installs if it can; Skipped if there is none."""
    found = shutil.which(name)
    if found is None:
        raise Skipped(f"there is no {name}: install it")
    return found


def size_bytes(folder: Path) -> int:
    """Return how much a folder holds."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def fresh(folder: Path) -> Path:
    """Return a folder that is not there, or no longer."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder
