"""A disk that is full from any file call on: one clear error, nothing is lost, and with room again all goes on."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from domain.errors import Unavailable
from infra.cli.errors import exit_code
from infra.database.url import open_database
from tests.backup_acts import Act, again, as_it_is, check_target, go_on, recover_with, until_done
from tests.backup_estate import Estate
from tests.file_calls import FileCalls, Full

UNREACHABLE = 8


def is_told(full: Full, spare: Path, perform: Callable[[], None]) -> bool:
    """Whether the disk was full for this; then one error said so."""
    calls = FileCalls(full, spare)
    told: Unavailable | None = None
    try:
        with calls:
            perform()
    except Unavailable as error:
        told = error
    finally:
        calls.close()
    if told is None:
        assert not full.was_reached
        return False
    assert (exit_code(told), os.strerror(full.error) in str(told)) == (UNREACHABLE, True), told
    return True


def test_a_full_disk_at_any_file_call_is_told_once_and_leaves_nothing_behind(
    act: Act, before: Path, tmp_path: Path, temporary: Path
) -> None:
    def attempt(call: int) -> bool:
        folder = again(before)
        if not is_told(Full(call, errno.ENOSPC), tmp_path / "spare", lambda: act.perform(folder, as_it_is)):
            return True
        assert list(temporary.iterdir()) == list((folder / "repository").rglob(".tmp-*")) == []
        go_on(act, folder, call)
        return False

    until_done(attempt, calls_min=10)


def test_a_recovery_to_a_full_disk_leaves_the_store_empty_and_runs_again(backed_up: Estate, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()

    def attempt(call: int) -> bool:
        folder = again(tmp_path / "target")
        open_database(f"sqlite:///{folder}/target.db", create=True).close()
        is_full = is_told(
            Full(call, errno.ENOSPC), tmp_path / "spare", lambda: recover_with(backed_up, folder, as_it_is)
        )
        if is_full:
            assert not check_target(backed_up, folder)
            recover_with(backed_up, folder, as_it_is)
        assert check_target(backed_up, folder)
        return not is_full

    until_done(attempt, calls_min=3)
