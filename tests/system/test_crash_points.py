"""A crash at every store call and every file call of backup, compaction, verified backup, prune and recovery in turn.

At file calls also a loss of power, in which everything is lost that was not synced. What SQLite does with its own files
is not among these calls: `test_interruption.py` kills processes at any moment.
"""

import os
from pathlib import Path

import pytest

from infra.database.url import open_database
from tests.backup_acts import Act, again, as_it_is, check_recovered, check_target, go_on, recover_with, until_done
from tests.backup_estate import Estate
from tests.file_calls import FileCalls
from tests.observed_store import Crash, CrashAt, ObservedStore

pytestmark = pytest.mark.usefixtures("temporary")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_at_any_store_call_tells_no_lie_and_the_next_attempt_succeeds(
    act: Act, before: Path, moment: str
) -> None:
    def attempt(call: int) -> bool:
        folder = again(before)
        try:
            act.perform(folder, lambda store: ObservedStore(store, **{moment: CrashAt(call)}))
        except Crash:
            go_on(act, folder, call)
            return False
        check_recovered(folder)
        return True

    until_done(attempt, calls_min=10)


@pytest.mark.parametrize("end", ["crash", "power lost"])
def test_a_crash_at_any_file_call_tells_no_lie_and_the_next_attempt_succeeds(
    act: Act, before: Path, end: str, tmp_path: Path
) -> None:
    def attempt(call: int) -> bool:
        folder = again(before)
        calls = FileCalls(CrashAt(call), tmp_path / "spare")
        try:
            with calls:
                act.perform(folder, as_it_is)
        except Crash:
            calls.lose_unsynced() if end == "power lost" else calls.close()
            go_on(act, folder, call)
            return False
        calls.lose_unsynced() if end == "power lost" else calls.close()
        act.check(folder)
        check_recovered(folder)
        return True

    until_done(attempt, calls_min=10)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_recovery_that_crashes_at_any_store_call_leaves_an_empty_store_and_runs_again(
    backed_up: Estate, tmp_path: Path, moment: str
) -> None:
    (tmp_path / "target").mkdir()

    def attempt(call: int) -> bool:
        folder = again(tmp_path / "target")
        try:
            recover_with(backed_up, folder, lambda store: ObservedStore(store, **{moment: CrashAt(call)}))
        except Crash:
            assert not check_target(backed_up, folder)
            recover_with(backed_up, folder, as_it_is)
            assert check_target(backed_up, folder)
            return False
        return check_target(backed_up, folder)

    until_done(attempt, calls_min=10)
    backed_up.verify()


@pytest.mark.parametrize("end", ["crash", "power lost"])
def test_a_recovery_that_crashes_at_any_file_call_leaves_an_empty_store_or_a_whole_one(
    backed_up: Estate, tmp_path: Path, end: str
) -> None:
    (tmp_path / "target").mkdir()

    def attempt(call: int) -> bool:
        folder = again(tmp_path / "target")
        open_database(f"sqlite:///{folder}/target.db", create=True).close()
        calls = FileCalls(CrashAt(call), tmp_path / "spare")
        is_done = False
        try:
            with calls:
                recover_with(backed_up, folder, as_it_is)
            is_done = True
        except Crash:
            pass
        calls.lose_unsynced() if end == "power lost" else calls.close()
        if not check_target(backed_up, folder):
            assert not is_done
            recover_with(backed_up, folder, as_it_is)
            assert check_target(backed_up, folder)
        return is_done

    until_done(attempt, calls_min=6)


def test_what_was_not_synced_is_lost_in_these_tests(tmp_path: Path) -> None:
    """The loss of power is no empty gesture: a name or a content without a sync is gone, what was removed is back."""
    (tmp_path / "removed").write_bytes(b"content")
    calls = FileCalls(lambda *_: None, tmp_path / "spare")
    with calls:
        for name in ("nothing", "content"):
            with (tmp_path / name).open("xb") as file:
                file.write(b"content")
                if name != "nothing":
                    file.flush()
                    os.fsync(file.fileno())
        folder = os.open(tmp_path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        (tmp_path / "unnamed").write_bytes(b"content")
        (tmp_path / "removed").unlink()
    calls.lose_unsynced()
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert found == {"nothing": b"", "content": b"content", "removed": b"content"}
