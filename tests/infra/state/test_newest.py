"""The newest versions: whatever leaves memory comes back as it was, and nothing of it outlives the process."""

import errno
import gc
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Unavailable
from domain.event import Event
from domain.resource_id import fold
from infra.state import newest
from infra.state.newest import NewestVersions
from projections.fold import change
from projections.version import Version
from tests.domain.scenario import encode
from tests.projections.histories import histories


@given(histories(), st.sampled_from([1, 2, 5, newest.RECENT_MAX]))
def test_every_resource_has_its_newest_version_however_few_are_held_in_memory(
    happened: list[Event], recent_max: int
) -> None:
    expected: dict[str, Version] = {}
    before = newest.RECENT_MAX
    newest.RECENT_MAX = recent_max
    try:
        with NewestVersions() as versions:
            for position, event in enumerate(happened, 1):
                found = versions.take(fold(event.resource))
                assert found == expected.get(fold(event.resource))
                after = change(found, position, [event], encode).after
                versions.put(after)
                expected[after.resource] = after
            assert {version.resource: version for version in versions} == expected
            assert len(versions) == len(expected)
    finally:
        newest.RECENT_MAX = before


def test_the_file_has_no_name_that_a_crash_could_leave_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(newest, "RECENT_MAX", 1)
    with NewestVersions() as versions:
        for number in range(10):
            versions.put(Version(f"/users/{number}", "user", 1, number + 1, {"id": "x"}, b'{"id":"x"}'))
        assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest, "RECENT_MAX", 1)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: io.FileIO("/dev/full", "wb"))
    full = f"TMPDIR names another place: {os.strerror(errno.ENOSPC)}"
    with NewestVersions() as versions, pytest.raises(Unavailable, match=full):
        for number in range(3):
            versions.put(Version(f"/users/{number}", "user", 1, number + 1, None, b""))


def test_a_missing_temporary_folder_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(Unavailable, match="TMPDIR names another place"):
        NewestVersions()


def test_the_cyclic_collector_rests_while_it_is_open() -> None:
    assert gc.isenabled()
    with NewestVersions():
        assert not gc.isenabled()
    assert gc.isenabled()
