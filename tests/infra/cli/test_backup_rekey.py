"""`resurgam backup rekey`, and what lists say of recipients that open less, or more, than one would think."""

import re
from pathlib import Path

import pytest

from tests.infra.cli.command_line import CommandLine, request, user

HERE = ("--repository", "backups")


@pytest.fixture
def backed_up(installed: CommandLine) -> CommandLine:
    """A deployment with a backup for the recipient `first`, and the identity of another."""
    for name in ("first", "second"):
        recipient = installed.done("key", "generate", "--output", f"{name}.txt").out.strip()
        Path(f"{name}.recipient").write_text(recipient)
    add(installed, "first")
    installed.record(user(1))
    installed.done("backup", "run", *HERE)
    return installed


def add(cli: CommandLine, name: str) -> None:
    recipient = Path(f"{name}.recipient").read_text()
    assert cli.record(request("AddBackupRecipient", name=name, recipient=recipient, label=f"{name} safe")).code == 0


def retire(cli: CommandLine, name: str) -> None:
    assert cli.record(request("RetireBackupRecipient", name=name)).code == 0


def recipients_of(cli: CommandLine) -> dict[str, dict[str, object]]:
    [deployment] = cli.done("backup", "list", *HERE, "--json").json["deployments"]
    return {one["fingerprint"]: one for one in deployment["recipients"]}


def fingerprint(cli: CommandLine, name: str) -> str:
    [one] = cli.done("key", "inspect", "--identity", f"{name}.txt", "--json").json["identities"]
    return str(one["fingerprint"])


def test_a_recipient_that_was_added_is_told_to_open_a_part_until_everything_is_rekeyed(backed_up: CommandLine) -> None:
    add(backed_up, "second")
    backed_up.record(user(2))
    backed_up.done("backup", "run", *HERE)
    second = fingerprint(backed_up, "second")
    assert recipients_of(backed_up)[second]["opensOfNewest"] != "all"
    listed = backed_up.done("backup", "list", *HERE).out
    assert f"{second} (mlkem768x25519) is a recipient, and opens" in listed
    assert "run `resurgam backup rekey`" in listed
    status = backed_up.done("backup", "status", *HERE, "--json").json["newest"]
    assert status["staleObjects"] > 0
    assert "rekey due" in backed_up.done("backup", "status", *HERE).out
    early = backed_up("backup", "drill", *HERE, "--identity", "second.txt", "--trust-first-use")
    assert (early.code, "backup rekey" in early.err) == (7, True)

    done = backed_up.done("backup", "rekey", *HERE, "--json").json
    assert (done["status"], done["newBackups"] > 0, done["writtenBytes"] > 0) == ("rekeyed", True, True)
    assert {one["label"]: one["opensOfNewest"] for one in done["recipients"]} == {
        "first safe": "all",
        "second safe": "all",
    }
    backed_up.done("backup", "drill", *HERE, "--identity", "second.txt", "--trust-first-use")
    assert backed_up.done("backup", "status", *HERE, "--json").json["newest"]["staleObjects"] == 0
    metrics = backed_up.done("backup", "status", *HERE, "--prometheus").out
    assert re.search(r"^resurgam_backup_stale_objects\{.*\} 0$", metrics, re.MULTILINE)
    assert "is a recipient, and opens" not in backed_up.done("backup", "list", *HERE).out
    assert backed_up.done("backup", "rekey", *HERE, "--json").json["status"] == "unchanged"


def test_what_a_retired_recipient_still_opens_is_told_until_it_is_pruned(backed_up: CommandLine) -> None:
    add(backed_up, "second")
    retire(backed_up, "first")
    backed_up.record(user(2))
    backed_up.done("backup", "run", *HERE)
    first = fingerprint(backed_up, "first")
    assert f"{first} (mlkem768x25519) is retired, and still opens" in backed_up.done("backup", "list", *HERE).out

    shown = backed_up.done("backup", "rekey", *HERE).out
    assert "/providers/Resurgam.Backup/recipients/first" in shown
    assert "all before it are pruned" in shown
    known = recipients_of(backed_up)[first]
    assert (known["state"], known["opensOfNewest"]) == ("retired", "nothing")
    assert known["objects"] != 0
    named = {one["fingerprint"]: one for one in backed_up.done("backup", "rekey", *HERE, "--json").json["recipients"]}
    assert named[first]["retiredAt"]
    assert backed_up("backup", "drill", *HERE, "--identity", "first.txt", "--trust-first-use").code == 7


def test_rekeying_where_backups_were_lost_is_refused(backed_up: CommandLine) -> None:
    Path("empty").mkdir()
    assert backed_up("backup", "rekey", "--repository", "empty").code == 3
