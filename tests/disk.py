"""A disk that is soon full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.installed import missing


@contextmanager
def small_disk(mount: Path) -> Iterator[None]:
    """Mount 1 MiB on a folder, or skip the test where that is not allowed."""
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mount)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        missing(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)
