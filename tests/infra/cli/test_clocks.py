"""A host's clock that is years off, either way: backups go on, order is by sequence, and nothing is pruned by it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.control_plane import clock
from infra.database import sqlite
from infra.database.url import open_database
from infra.log import event_table
from infra.log.record import decode_record
from tests.infra.cli import command_line
from tests.infra.cli.command_line import CommandLine, request, user
from tests.infra.cli.watching import Watching, head_of, restorable

YEARS = [-25, 30]
SetClock = Callable[[int], None]
RUN = ("backup", "run", "--repository", "backups", "--json")
PRUNE = ("backup", "prune", "--repository", "backups", "--keep-days", "2", "--json")
STATUS = ("backup", "status", "--repository", "backups", "--json")
RECOVER = ("recover", "backups", "--identity", "identity.txt", "--trust-first-use", "--json")
SKEWED = """
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
import time
from infra.control_plane import clock
from infra.database import sqlite
off = timedelta(days={days})
clock.datetime = SimpleNamespace(now=lambda zone: datetime.now(zone) + off)
sqlite.time = SimpleNamespace(time_ns=lambda: time.time_ns() + int(off.total_seconds()) * 10**9,
                              monotonic=time.monotonic, sleep=time.sleep)
"""


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets by how many days the clock is wrong, for the host and for its store."""

    def set_to(days: int) -> None:
        off = timedelta(days=days)
        shifted = SimpleNamespace(now=lambda zone=UTC: datetime.now(zone) + off)
        ns = int(off.total_seconds()) * 10**9
        times = {"monotonic": time.monotonic, "sleep": time.sleep}
        monkeypatch.setattr(clock, "datetime", shifted)
        monkeypatch.setattr(sqlite, "time", SimpleNamespace(time_ns=lambda: time.time_ns() + ns, **times))

    return set_to


@pytest.fixture
def verified(installed: CommandLine) -> CommandLine:
    """A deployment with a backup, which is manifest 1, and a verified one, which is 2."""
    recipient = installed.done("key", "generate", "--classical", "--output", "identity.txt").out.strip()
    installed.record(request("AddBackupRecipient", name="safe", recipient=recipient), user(1))
    installed.done(*RUN)
    installed.done(*RUN, "--verified")
    return installed


def times_of(cli: CommandLine) -> list[str]:
    listed = cli.done("backup", "list", "--repository", "backups", "--json").json
    return [one["createdAt"] for one in listed["deployments"][0]["backups"]]


def objects() -> set[Path]:
    return set(Path("backups").rglob("*"))


@pytest.mark.parametrize("years", YEARS)
def test_a_run_by_a_wrong_clock_is_the_newest_backup_and_all_of_it_comes_back(
    verified: CommandLine, set_clock: SetClock, years: int
) -> None:
    set_clock(365 * years)
    verified.record(user(2))
    first = verified.done(*RUN).json
    set_clock(0)
    verified.record(user(3))
    second = verified.done(*RUN).json
    assert (first["sequence"], second["sequence"]) == (3, 4)
    assert restorable(verified)["restorable"]["last"] == head_of(verified)
    times = times_of(verified)
    assert sorted(times) != times, "they are listed by their numbers, whatever they say of the time"
    recovered = verified.done(*RECOVER, "--store", "sqlite:///new.db", "--root-key-file", "new.root-key").json
    assert recovered["recoveredPosition"] == head_of(verified)


@pytest.mark.parametrize("years", YEARS)
def test_status_is_not_fresh_by_a_wrong_clock(verified: CommandLine, set_clock: SetClock, years: int) -> None:
    assert verified(*STATUS, "--max-age", "13h").code == 0
    set_clock(365 * years)
    assert verified(*STATUS, "--max-age", "13h").code == 3
    set_clock(0)
    assert verified(*STATUS, "--max-age", "13h").code == 0


@pytest.mark.parametrize("years", YEARS)
def test_nothing_is_pruned_by_a_wrong_clock(verified: CommandLine, set_clock: SetClock, years: int) -> None:
    set_clock(365 * years)
    before = objects()
    refused = verified(*PRUNE)
    assert (refused.code, refused.error["rule"]) == (3, "clock-is-plausible")
    assert objects() == before


@pytest.mark.parametrize("years", YEARS)
def test_what_was_backed_up_by_a_wrong_clock_makes_no_other_backup_look_old(
    verified: CommandLine, set_clock: SetClock, years: int
) -> None:
    set_clock(365 * years)
    verified.record(user(2))
    verified.done(*RUN)
    set_clock(0)
    if years > 0:
        assert verified(*PRUNE).error["rule"] == "clock-is-plausible", "the newest backup lies in the future"
    verified.record(user(3))
    verified.done(*RUN)
    pruned = verified.done(*PRUNE).json
    assert (pruned["kept"]["backups"], pruned["marked"]["manifests"]) == (4, 0)


@pytest.mark.parametrize("years", YEARS)
def test_a_moment_is_found_by_what_was_recorded_and_time_never_runs_back(
    verified: CommandLine, set_clock: SetClock, years: int
) -> None:
    position = head_of(verified)
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    set_clock(365 * years)
    verified.record(user(2))
    set_clock(0)
    verified.record(user(3))
    verified.done(*RUN)
    at = str(position) if years < 0 else before  # by a clock that is behind it is recorded at the same instant
    fresh = ("--store", "sqlite:///new.db", "--root-key-file", "new.root-key")
    assert verified.done(*RECOVER, "--at", at, *fresh).json["recoveredPosition"] == position
    database = open_database("sqlite:///resurgam.db")
    with database.read() as session:
        recorded = [decode_record(record).recorded_at for record in event_table.records(session)]
    database.close()
    assert recorded == sorted(recorded)


@pytest.mark.parametrize("years", YEARS)
def test_a_watch_by_a_wrong_clock_ships_as_ever(
    verified: CommandLine, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    program = SKEWED.format(days=365 * years) + command_line.PROGRAM
    monkeypatch.setattr(command_line, "PROGRAM", program)
    running = Watching(folder=verified.folder)
    running.until_shipped()
    verified.record(user(2))
    position = head_of(verified)
    running.until(lambda event: event.get("position", 0) >= position)  # a verified backup ships too
    assert running.end() == 0
    assert "failing" not in running.told()
    for stream in (running.process.stdin, running.process.stdout, running.process.stderr):
        assert stream is not None
        stream.close()
    assert restorable(verified)["restorable"]["last"] == head_of(verified)
