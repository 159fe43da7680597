"""What tests need from outside the project: installed once into a cached temporary folder, or missed with the reason.

What cannot be installed skips the test with its reason, or fails it where RESURGAM_REQUIRE_ALL=1.
"""

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip for want of something outside the project; a failure where everything is required."""
    if os.environ.get("RESURGAM_REQUIRE_ALL") == "1":
        pytest.fail(f"RESURGAM_REQUIRE_ALL=1, but {reason}")
    pytest.skip(reason)


@functools.cache
def installed(name: str, install: Callable[[Path], None]) -> Path | None:
    """The folder of an installation, made now if it is not there; None if it cannot be made."""
    cache = Path(tempfile.gettempdir()) / f"resurgam-foreign-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    folder = cache / name
    if folder.is_dir():
        return folder
    staging = Path(tempfile.mkdtemp(dir=cache))
    try:
        install(staging)
        staging.rename(folder)
    except (OSError, subprocess.SubprocessError):
        # Another test process may have been first.
        shutil.rmtree(staging, ignore_errors=True)
    return folder if folder.is_dir() else None
