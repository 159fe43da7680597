"""`resurgam backup prune`: what it says, by which rules, and with which exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.errors import Unavailable
from domain.instant import plus_days
from infra.backup.stores.directory import DirectoryStore
from infra.cli import backup_prune, backup_run, backup_shred_report
from infra.control_plane.clock import host_clock
from tests.infra.cli.command_line import CommandLine, user, user_id

PRUNE = ("backup", "prune", "--repository", "backups", "--json")
SetDay = Callable[[int], None]


@pytest.fixture
def set_day(monkeypatch: pytest.MonkeyPatch) -> SetDay:
    """Sets how many days ahead of the truth the host's clock is."""

    def set_clock(day: int) -> None:
        for module in (backup_run, backup_prune, backup_shred_report):
            monkeypatch.setattr(module, "host_clock", lambda: plus_days(host_clock(), day))

    return set_clock


@pytest.fixture
def aged(installed: CommandLine, set_day: SetDay) -> CommandLine:
    """A deployment with a backup of each of six days, 0 to 5."""
    recipient = installed.done("key", "generate", "--output", "identity.txt").out.strip()
    request = {"command": "AddBackupRecipient", "arguments": {"name": "safe", "recipient": recipient}}
    Path("recipient.jsonl").write_text(json.dumps(request))
    installed.done("record", "recipient.jsonl")
    for day in range(6):
        back_up(installed, set_day, day)
    return installed


def back_up(cli: CommandLine, set_day: SetDay, day: int) -> None:
    set_day(day)
    cli.record(user(day))
    cli.done("backup", "run", "--repository", "backups")


def test_a_prune_says_what_it_keeps_marks_and_deletes(aged: CommandLine, set_day: SetDay) -> None:
    told = aged.done(*PRUNE, "--keep-days", "2", "--dry-run").json
    first = aged.done(*PRUNE, "--keep-days", "2").json
    assert told | {"status": "pruned", "statement": 1} == first
    assert first["kept"] == {"backups": 2, "newest": 1, "days": 2}
    assert first["oldestKept"]["sequence"] == 5
    assert first["restorable"]["first"] == 1
    assert first["marked"]["manifests"] == 3
    assert first["marked"]["sizeBytes"] > 0
    assert len(first["markedNames"]) == 3 + first["marked"]["objects"]
    assert first["deleted"] == {"manifests": 0, "objects": 0, "sizeBytes": 0}
    again = aged.done(*PRUNE, "--keep-days", "2").json
    assert again["marked"]["manifests"] == 0
    assert again["waiting"] | {"until": ""} == first["marked"] | {"until": ""}
    back_up(aged, set_day, 6)
    second = aged.done(*PRUNE, "--keep-days", "2").json
    assert second["deletedNames"] == first["markedNames"]
    assert second["deleted"] == first["marked"]
    aged.done("backup", "verify", "--repository", "backups", "--identity", "identity.txt")
    aged.done("backup", "list", "--repository", "backups")


def test_rules_come_from_the_settings_too(aged: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("resurgam.toml").write_text("keep_days = 2\nkeep_daily = 3\n")
    assert aged.done(*PRUNE, "--dry-run").json["kept"] == {"backups": 3, "newest": 1, "days": 2, "daily": 3}
    monkeypatch.setenv("RESURGAM_KEEP_DAILY", "0")
    monkeypatch.setenv("RESURGAM_KEEP_LAST", "4")
    assert aged.done(*PRUNE, "--dry-run").json["kept"] == {"backups": 4, "newest": 1, "days": 2, "last": 4}
    assert aged.done(*PRUNE, "--dry-run", "--keep-last", "0", "--keep-monthly", "1").json["kept"]["backups"] == 2


def test_the_grace_is_an_age(aged: CommandLine, set_day: SetDay) -> None:
    aged.done(*PRUNE, "--keep-days", "2")
    back_up(aged, set_day, 6)
    assert aged.done(*PRUNE, "--keep-days", "2", "--grace", "2d").json["deletedNames"] == []
    assert aged.done(*PRUNE, "--keep-days", "2", "--grace", "23h").json["deletedNames"] != []


def test_keyrings_that_were_replaced_go_after_a_grace_of_their_own(aged: CommandLine, set_day: SetDay) -> None:
    aged.record({"command": "DeleteUser", "arguments": {"objectId": user_id(1)}})
    aged.done("backup", "run", "--repository", "backups")
    first = aged.done(*PRUNE, "--keep-days", "60").json
    assert first["supersededKeyrings"]["objects"] == first["marked"]["objects"] == 6
    back_up(aged, set_day, 18)
    assert aged.done(*PRUNE, "--keep-days", "60").json["deleted"]["objects"] == 0
    done = aged.done(*PRUNE, "--keep-days", "60", "--keyring-grace", "13d").json
    assert (done["deleted"]["objects"], done["deleted"]["manifests"]) == (6, 0)
    assert done["supersededKeyrings"] == {"objects": 0, "sizeBytes": 0, "until": None}
    assert done["sweptTemporaryFiles"] == 0
    aged.done("backup", "verify", "--repository", "backups", "--identity", "identity.txt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--keep-days", "1"), "keep_days"),
        (("--keep-last", "-1"), "keep_last"),
        (("--keep-days", "1000000000000"), "a century"),
        (("--grace", "40000d"), "longer than a century"),
        (("--grace", "soon"), "write a number and a unit"),
        (("--grace", "999999999999d"), "write a number and a unit"),
    ],
)
def test_rules_that_promise_too_little_or_make_no_sense_are_refused(
    aged: CommandLine, options: tuple[str, ...], message: str
) -> None:
    refused = aged(*PRUNE, *options)
    assert refused.code == 2
    assert message in refused.error["message"]


def test_a_clock_that_is_wrong_is_refused(aged: CommandLine, set_day: SetDay) -> None:
    set_day(4)
    refused = aged(*PRUNE)
    assert (refused.code, refused.error["rule"]) == (3, "clock-is-plausible")
    set_day(30)
    assert aged(*PRUNE).code == 3


def test_a_writer_that_may_not_delete_lists_what_is_to_be_deleted(
    aged: CommandLine, set_day: SetDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(store: DirectoryStore, name: str) -> None:
        raise Unavailable(f"cannot delete {name}: Permission denied")

    marked = aged.done(*PRUNE, "--keep-days", "2").json["markedNames"]
    back_up(aged, set_day, 6)
    monkeypatch.setattr(DirectoryStore, "delete", refuse)
    listed = aged.done(*PRUNE, "--keep-days", "2")
    assert [failure["name"] for failure in listed.json["notDeleted"]] == marked
    assert f"{len(marked)} objects were not deleted, the first because: cannot delete" in listed.err
    shown = aged.done(*(part for part in PRUNE if part != "--json"), "--keep-days", "2")
    assert f"not deleted: {marked[0]}: cannot delete {marked[0]}: Permission denied" in shown.out


def test_the_shred_report_says_where_copies_are_and_when_nothing_is_left(aged: CommandLine, set_day: SetDay) -> None:
    report = ("backup", "shred-report", "--repository", "backups")
    assert aged.done(*report).out.startswith("nothing left: ")
    aged.record({"command": "DeleteUser", "arguments": {"objectId": user_id(1)}})
    before = aged.done(*report, "--json").json
    assert (before["nothingLeft"], before["until"], before["recoverableKeys"]) == (False, None, 1)
    assert user_id(1) in before["keys"][0]["resource"]
    assert "make one, which begins a new keyring" in aged.done(*report).out
    aged.done("backup", "run", "--repository", "backups")
    assert "until a prune after" in aged.done(*report).out.splitlines()[0]
    aged.done(*PRUNE, "--keep-days", "60")
    back_up(aged, set_day, 20)
    aged.done(*PRUNE, "--keep-days", "60")
    assert "until the root key is rotated" in aged.done(*report).out.splitlines()[0]
    aged.done("key", "rotate-root")
    assert aged.done(*report, "--json").json["nothingLeft"]
    assert aged.done(*report).out.startswith("nothing left: ")
