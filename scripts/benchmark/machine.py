"""The machine of a run, and the versions of what ran on it."""

import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from domain.release import RELEASE
from scripts.benchmark.server import FOLDER, Server

ROOT = Path(__file__).parents[2]
PROGRAMS = {"restic": ["restic", "version"], "age": ["age", "--version"], "sqlite3": ["sqlite3", "--version"]}


def facts(server: Server) -> dict[str, Any]:
    """Return everything that explains the figures of a run."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "release": RELEASE,
        "commit": _output(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]),
        "cpu": _first(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo")) or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(_first(r"MemTotal:\s*(\d+)", Path("/proc/meminfo")) or 0) / 2**20),
        "kernel": f"{platform.system()} {platform.release()}",
        "file_system": _output(["stat", "-f", "-c", "%T", FOLDER]),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "eventsourcing": version("eventsourcing"),
        "psycopg": version("psycopg"),
        "postgresql": server.facts,
        "programs": {name: shown for name, command in PROGRAMS.items() if (shown := _output(command))},
    }


def _first(pattern: str, path: Path) -> str | None:
    found = re.search(pattern, path.read_text("utf-8")) if path.exists() else None
    return found[1].strip() if found else None


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603, the commands are ours
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None
