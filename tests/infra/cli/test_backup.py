"""`resurgam backup run` and `recover`: what is said of places that are not what they were."""

import json
import shutil
from pathlib import Path

import pytest

from tests.infra.cli.command_line import CommandLine


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
