"""Long work shows progress with rate and time left on a terminal, and none in a pipe or beside JSON."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from infra.cli.progress import pace
from tests.infra.cli.command_line import PROGRAM, ROOT, CommandLine

BACKUPS = ("--repository", "backups")
IDENTITY = ("--identity", "identity.txt")
RECOVERED = ("--store", "sqlite:///recovered.db", "--root-key-file", "recovered.root-key")
LONG_WORK = [
    ("verifying records", ("log", "verify")),
    ("exporting records", ("log", "export")),
    ("backing up records", ("backup", "run", "--repository", "others", "--new-repository")),
    ("verifying records", ("backup", "verify", *BACKUPS, *IDENTITY)),
    ("replaying records", ("backup", "drill", *BACKUPS, *IDENTITY, "--trust-first-use")),
    ("replaying records", ("recover", "backups", *IDENTITY, "--trust-first-use", *RECOVERED)),
]


@pytest.fixture
def region(installed: CommandLine) -> CommandLine:
    """A deployment with a recipient and a backup."""
    recipient = installed.done("key", "generate", "--output", "identity.txt").out.strip()
    installed.record({"command": "AddBackupRecipient", "arguments": {"name": "safe", "recipient": recipient}})
    installed.done("backup", "run", *BACKUPS)
    return installed


def on_a_terminal(folder: Path, *arguments: str) -> tuple[str, str]:
    """Run a command whose standard error is a terminal; return its standard output and what the terminal got."""
    master, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 120))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    shown = bytearray()
    try:
        while piece := os.read(master, 1 << 16):
            shown += piece
    except OSError:  # so Linux says that nobody writes to the terminal any more
        pass
    finally:
        os.close(master)
    answer = process.communicate()[0].decode()
    assert process.returncode == 0, shown.decode()
    return answer, shown.decode()


def test_a_terminal_shows_what_is_done_how_fast_and_how_long_it_takes(region: CommandLine) -> None:
    for title, command in LONG_WORK:
        answer, shown = on_a_terminal(region.folder, *command)
        assert title in shown
        assert "/s, 0:00:00 left" in shown
        assert "\x1b" not in answer


def test_a_pipe_stays_clean(region: CommandLine) -> None:
    for _, command in LONG_WORK:
        assert "records " not in region.done(*command).err


def test_json_on_a_terminal_stays_clean(region: CommandLine) -> None:
    answer, shown = on_a_terminal(region.folder, "log", "verify", "--json")
    assert answer.startswith("{")
    assert shown == ""


def test_the_time_left_follows_from_the_rate() -> None:
    assert pace(250_000, 1_000_000, 2.0) == "125,000/s, 0:00:06 left"
    assert pace(0, 1_000_000, 2.0) == ""
    assert pace(1, 1, 2.0) == ""
