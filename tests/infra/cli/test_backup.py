"""`resurgam backup run` and `recover`: what is said of places that are not what they were."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.disk import small_disk
from tests.infra.cli.command_line import CommandLine, user


@pytest.fixture
def backed_up(installed: CommandLine) -> CommandLine:
    """A deployment whose first backup lies in the folder `backups`."""
    recipient = installed.done("key", "generate", "--output", "identity.txt").out.strip()
    request = {"command": "AddBackupRecipient", "arguments": {"name": "safe", "recipient": recipient}}
    Path("recipient.jsonl").write_text(json.dumps(request))
    installed.done("record", "recipient.jsonl")
    installed.done("backup", "run", "--repository", "backups")
    return installed


def test_an_empty_folder_where_backups_were_is_refused_as_a_lost_mount(backed_up: CommandLine) -> None:
    shutil.move("backups", "away")
    Path("backups").mkdir()
    refused = backed_up("backup", "run", "--repository", "backups")
    assert refused.code == 3
    assert "--new-repository" in refused.err
    assert list(Path("backups").iterdir()) == []


def test_a_folder_that_vanished_is_unreachable_and_not_made_again(backed_up: CommandLine) -> None:
    shutil.move("backups", "away")
    assert backed_up("backup", "run", "--repository", "backups").code == 8
    assert not Path("backups").exists()


def test_a_new_repository_begins_with_a_full_copy_if_it_is_asked_for(backed_up: CommandLine) -> None:
    backed_up.done("backup", "run", "--repository", "second", "--new-repository")
    verified = backed_up.done("backup", "verify", "--repository", "second", "--identity", "identity.txt", "--json").json
    assert verified["deployments"][0]["restorable"]["first"] == 1


def test_a_disk_that_fills_up_is_told_and_what_was_backed_up_before_stays(backed_up: CommandLine) -> None:
    disk = Path("disk")
    disk.mkdir()
    with small_disk(disk):
        backed_up.done("backup", "run", "--repository", "disk/backups", "--new-repository")
        (disk / "other").write_bytes(bytes(900_000))
        for number in range(100):
            backed_up.record(user(number))
            full = backed_up("backup", "run", "--repository", "disk/backups", "--json")
            if full.code:
                break
        assert (full.code, full.error["class"]) == (8, "Unavailable")
        assert "No space left on device" in full.error["message"]
        verify = ("backup", "verify", "--repository", "disk/backups", "--identity", "identity.txt", "--json")
        [before] = backed_up.done(*verify).json["deployments"]
        (disk / "other").unlink()
        backed_up.done("backup", "run", "--repository", "disk/backups")
        [after] = backed_up.done(*verify).json["deployments"]
        assert after["restorable"]["last"] == before["restorable"]["last"] + 1


@pytest.mark.parametrize("old", [True, False], ids=["backed up before", "new"])
def test_a_record_that_is_not_stored_as_bytes_is_corrupt_and_nothing_is_written(
    backed_up: CommandLine, old: bool
) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in Path("backups").rglob("*") if path.is_file()}

    repository = ("--repository", "backups")
    backed_up.record(user(1))
    if old:  # a second manifest, whose records a small increment writes again
        backed_up.done("backup", "run", *repository)
        backed_up.record(user(2))
    before = files()
    with closing(sqlite3.connect("resurgam.db")) as connection, connection:
        [(last,)] = connection.execute("SELECT max(position) FROM events")
        at = last - 1 if old else last
        connection.execute("UPDATE events SET record = CAST(record AS TEXT) WHERE position = ?", (at,))
    result = backed_up("backup", "run", *repository, "--json")
    assert (result.code, result.out) == (6, "")
    assert f"position {at}: the record is not stored as bytes" in result.error["message"]
    assert files() == before


def test_a_recovery_says_when_it_takes_a_root_key_that_is_there(backed_up: CommandLine) -> None:
    recover = ("recover", "backups", "--identity", "identity.txt", "--trust-first-use", "--store")
    fresh = backed_up.done(*recover, "sqlite:///one.db", "--root-key-file", "fresh.root-key")
    assert "is there already" not in fresh.err
    taken = backed_up.done(*recover, "sqlite:///two.db", "--root-key-file", "fresh.root-key")
    assert "fresh.root-key is there already" in taken.err


def test_a_postgresql_password_with_a_bare_at_sign_is_named_and_not_shown(cli: CommandLine) -> None:
    refused = cli("get", "subscription", "--store", "postgresql://bob:S3cr@tPass@127.0.0.1:1/x")
    assert refused.code == 2
    assert "percent-encode" in refused.err
    assert "tPass" not in refused.err
