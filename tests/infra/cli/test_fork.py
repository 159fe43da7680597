"""`resurgam fork`: a store that was set back goes on as a deployment of its own, and nothing of either side is lost."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.database.url import open_database
from tests.infra.cli import estate as small
from tests.infra.cli.command_line import PROGRAM, ROOT, CommandLine, Result, request, user, user_id
from tests.infra.cli.watching import Watching, close
from tests.store_copy import copied

IDENTITY = ("--identity", "identity.txt", "--trust-first-use")
ELSEWHERE = ("--store", "sqlite:///elsewhere.db", "--root-key-file", "elsewhere.root-key")
LOST = [{**user(10), "commandId": "ticket-10"}, {**user(11), "commandId": "ticket-11"}]


@dataclass
class Region:
    """A region whose database was restored: `cli` works on the older copy; `lost` is in the backup alone."""

    cli: CommandLine
    deployment: str
    position: int
    backups: Path

    def __call__(self, *arguments: str) -> Result:
        return self.cli(*arguments)

    def done(self, *arguments: str) -> Result:
        return self.cli.done(*arguments)

    def users(self, *options: str) -> set[str]:
        found = self.done("get", "user", "--json", *options).json["resources"]
        return {one["id"].rpartition("/")[2] for one in found}

    def newest(self) -> dict[str, Any]:
        """The newest backup of each deployment."""
        listed = self.done("backup", "list", "--json").json["deployments"]
        return {one["deployment"]: one["backups"][-1] for one in listed}


@pytest.fixture
def region(
    estate_anywhere: CommandLine, store_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Region]:
    """Two users were created and backed up after the copy was made that is in use now."""
    cli, backups = estate_anywhere, tmp_path / "backups"
    monkeypatch.setenv("RESURGAM_REPOSITORY", backups.as_uri())
    recipient = cli.done("key", "generate", "--output", "identity.txt").out.strip()
    cli.record(request("AddBackupRecipient", name="safe", recipient=recipient))
    first = cli.done("backup", "run", "--json").json
    with copied(store_url, tmp_path) as older:
        assert cli.record(*LOST).code == 0
        cli.done("backup", "run")
        monkeypatch.setenv("RESURGAM_STORE", older)
        yield Region(cli, first["deployment"], first["last"], backups)


def test_a_database_that_was_restored_is_named_with_both_ways_out_and_nothing_is_written(region: Region) -> None:
    before = sorted(region.backups.rglob("*"))
    result = region("backup", "run")
    assert (result.code, result.out) == (6, "")
    first, parting, of_backup, of_log, *exits = result.err.splitlines()
    assert first.startswith(f"resurgam: the log ends at position {region.position}, its own backup {region.deployment}")
    assert first.endswith(
        f"at position {region.position + 2}: the store was set back, or took over without the last records"
    )
    assert re.fullmatch(rf"  both hold the same records up to position {region.position}, recorded at \S+Z", parting)
    assert f"only the backup has positions {region.position + 1} to {region.position + 2} (2 records)" in of_backup
    assert of_log == "  the log has nothing that the backup has not"
    assert [line.split()[1] for line in exits if line.split()[0] == "resurgam"] == ["recover", "fork"]
    assert region("backup", "run", "--json").error["class"] == "Corrupt"
    assert "the ways out" in region("backup", "status").err
    assert sorted(region.backups.rglob("*")) == before


def test_the_whole_story_of_a_database_that_was_restored(region: Region) -> None:
    region.cli.record({**user(12), "commandId": "ticket-12"})
    assert region("backup", "run").code == 6

    forked = region.done("fork", "--yes", "--reason", "incident 4711", "--json").json
    assert forked["ancestor"] == region.deployment != forked["deployment"]
    assert (forked["agreedPosition"], forked["isExact"]) == (region.position, False), "one manifest covers both"
    assert forked["onlyBackup"]["records"] == 2
    assert forked["onlyLog"]["records"] == 1

    written = region.done("backup", "run", "--json").json
    assert (written["deployment"], written["sequence"], written["last"]) == (
        forked["deployment"],
        1,
        region.position + 2,
    )
    assert written["newRecords"] == written["last"], "a full copy"
    assert (written["ancestor"], written["ancestry"]) == (region.deployment, f"forked from {region.deployment}")
    drilled = region.done("backup", "drill", *IDENTITY, "--deployment", forked["deployment"], "--json").json
    assert {one["result"] for one in drilled["comparisons"]} == {"equal"}
    region.done("log", "verify")

    assert {user_id(10), user_id(11)}.isdisjoint(region.users())
    lost = region.cli.record(*LOST, {**user(12), "commandId": "ticket-12"})
    assert [line["status"] for line in lost.lines] == ["recorded", "recorded", "repeated"]
    assert {user_id(10), user_id(11), user_id(12)} <= region.users()
    assert region.done("backup", "run", "--verified", "--json").json["comparisons"]["state digest"] == "equal"

    url = region.backups.as_uri()
    region.done("recover", url, *IDENTITY, "--deployment", region.deployment, *ELSEWHERE)
    there = region.users(*ELSEWHERE[:2])
    assert {user_id(10), user_id(11)} <= there
    assert user_id(12) not in there
    assert len(region.done("backup", "verify", "--json").json["deployments"]) == 2


def test_the_fork_is_recorded_with_both_checkpoints(region: Region) -> None:
    before = region.newest()[region.deployment]
    log = region.done("log", "checkpoint", "--json").json
    forked = region.done("fork", "--yes", "--reason", "incident 4711", "--json").json
    [*_, last] = region.done("history", "/providers/Resurgam.Admin/deployments/default", "--json").json["versions"]
    assert (last["event"], last["reason"]) == ("deployment.forked", "incident 4711")
    [deployment] = region.done("get", "deployment", "--json").json["resources"]
    state = deployment["state"]
    assert (state["deploymentId"], state["epoch"]) == (forked["deployment"], forked["epoch"])
    fork = state["lastFork"]
    assert f"{fork['backupPosition']}:{fork['backupRoot']}" == before["checkpoint"]
    assert (fork["logPosition"], fork["parentEpoch"]) == (log["size"], log["epoch"])
    assert f"\n{fork['logRoot']}\n" in log["checkpoint"]
    assert (fork["manifestSequence"], fork["agreedPosition"]) == (before["sequence"], region.position)


def test_it_has_a_new_signer_and_nothing_of_the_old_chain(region: Region) -> None:
    before = region.done("key", "inspect", "--json").json
    endorsed = region.done("key", "endorse", before["verifier"], "--identity", "identity.txt").out.strip()
    region.done("key", "endorse", "--accept", endorsed)
    region.done("fork", "--yes")
    after = region.done("key", "inspect", "--json").json
    assert after["rootKey"] == before["rootKey"]
    assert {after[name] != before[name] for name in ("deployment", "epoch", "verifier", "fingerprint")} == {True}
    assert after["endorsedBy"] == [], "that was the word for another signer"
    assert region.done("secret", "read", small.SECRET).out == small.CANARY
    status = region("backup", "status", "--deployment", after["deployment"])
    assert (status.code, "holds no backup" in status.err) == (4, True)


def test_it_is_a_candidate_of_its_own_with_its_descent(region: Region) -> None:
    forked = region.done("fork", "--yes", "--json").json
    region.done("backup", "run")
    result = region("recover", region.backups.as_uri(), *IDENTITY, *ELSEWHERE)
    assert result.code == 3
    assert f"--deployment {forked['deployment']} newest backup" in result.err
    assert f"forked from {region.deployment}" in result.err
    assert f", forked from {region.deployment}:" in region.done("backup", "list").out


def test_without_a_word_of_confirmation_it_says_what_it_would_do_and_refuses(region: Region) -> None:
    result = region("fork")
    assert (result.code, result.out) == (3, "")
    assert "only the backup has positions" in result.err
    assert "add --yes" in result.err
    assert region("fork", "--json").error["rule"] == "fork-is-confirmed"
    assert region("backup", "run").code == 6, "nothing was changed"


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 3)])
def test_at_a_terminal_it_asks(region: Region, answer: bytes, code: int) -> None:
    terminal, theirs = pty.openpty()
    os.write(terminal, answer)
    command = [sys.executable, "-c", PROGRAM, "fork"]
    done = subprocess.run(
        command, cwd=region.cli.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=theirs, capture_output=True
    )
    os.close(terminal)
    os.close(theirs)
    assert done.returncode == code, done
    assert b"this makes a new deployment of the log, for ever" in done.stderr
    assert b"only the backup has positions" in done.stderr
    assert (region("backup", "run").code == 0) is (code == 0)


def test_the_next_steps_are_commands_that_run(region: Region) -> None:
    shutil.copy2("identity.txt", "FILE")
    steps = region.done("fork", "--yes", "--json").json["next"]
    commands = [step.partition("   #")[0] for step in steps if step.startswith("resurgam ")]
    assert [command.split()[1] for command in commands] == ["backup", "key", "backup", "recover", "log", "record"]
    for command in commands[:4]:
        arguments = command.split()[1:]
        region.done(*arguments, *(["--trust-first-use"] if arguments[0] == "recover" else []))
    lost = region.done(*commands[4].split()[1:]).lines
    assert [one["event"]["command"]["id"] for one in lost if one["event"]["type"] == "user.created"] == [
        "ticket-10",
        "ticket-11",
    ]


@pytest.fixture
def healthy(estate: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CommandLine:
    """A deployment whose log and backup agree."""
    monkeypatch.setenv("RESURGAM_REPOSITORY", (tmp_path / "backups").as_uri())
    recipient = estate.done("key", "generate", "--output", "identity.txt").out.strip()
    estate.record(request("AddBackupRecipient", name="safe", recipient=recipient))
    estate.done("backup", "run")
    return estate


def test_where_nothing_is_wrong_it_is_refused(healthy: CommandLine) -> None:
    healthy.record(user(10))
    result = healthy("fork", "--yes", "--json")
    assert (result.code, result.error["rule"]) == (3, "fork-is-needed")
    assert healthy.done("backup", "run", "--json").json["newRecords"] == 1


def test_a_copy_of_a_store_is_parted_from_the_original_before_it_harms_its_chain(healthy: CommandLine) -> None:
    with copied("sqlite:///resurgam.db", healthy.folder) as copy:
        forked = healthy.done("fork", "--anyway", "--yes", "--store", copy, "--json").json
        assert (forked["onlyBackup"]["records"], forked["onlyLog"]["records"]) == (0, 0)
        assert healthy.done("backup", "run", "--store", copy, "--json").json["sequence"] == 1
    healthy.record(user(10))
    assert healthy.done("backup", "run", "--json").json["sequence"] == 2


def test_a_damaged_log_is_not_forked(healthy: CommandLine) -> None:
    with_edit = open_database("sqlite:///resurgam.db")
    with with_edit.write() as session:
        session.execute("UPDATE events SET record = replace(record, 'east', 'west') WHERE position = 1")
        session.execute("UPDATE events SET record = CAST(record AS BLOB)")
    with_edit.close()
    for options in ([], ["--anyway"]):
        result = healthy("fork", "--yes", *options)
        assert result.code == 6
        assert "the log itself is damaged" in result.err
        assert "resurgam recover " in result.err
        assert "resurgam fork" not in result.err


def test_without_a_backup_there_is_nothing_to_fork_from(healthy: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert healthy("fork", "--yes", "--repository", str(tmp_path / "empty")).code == 4


def test_a_crash_in_the_middle_leaves_the_old_deployment(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*arguments: object, **options: object) -> None:
        raise RuntimeError("the power fails")

    before = region.done("key", "inspect", "--json").json
    for step in ("backup.memory.put_signer", "backup.memory.put_ancestor", "control_plane.batch.Batch.write"):
        with monkeypatch.context() as broken:
            broken.setattr(f"infra.{step}", crash)
            assert region("fork", "--yes").code == 1
        assert region.done("key", "inspect", "--json").json == before
        assert region("backup", "run").code == 6
    region.done("fork", "--yes")


def test_a_store_that_became_another_deployment_meanwhile_is_not_forked_again(region: Region) -> None:
    """Two operators fork at once: the second one finds that it looked at what is no more."""
    described = json.loads(region.done("fork", "--yes", "--json").out)
    again = region("fork", "--yes")
    assert again.code == 4
    assert described["deployment"] == region.done("key", "inspect", "--json").json["deployment"]


def test_a_watch_that_is_refused_goes_on_by_itself_once_the_log_is_forked(healthy: CommandLine) -> None:
    healthy.done("backup", "run", "--verified")
    watching = Watching("--repository", str(healthy.folder.parent / "backups"), folder=healthy.folder)
    try:
        watching.until_shipped()
        with copied("sqlite:///resurgam.db", healthy.folder) as copy:
            assert healthy.record(user(10), options=("--store", copy)).code == 0
            healthy.done("backup", "run", "--store", copy)
        healthy.record(user(11))
        failing = watching.until_told("failing")
        assert failing["error"]["class"] == "Corrupt"
        assert "resurgam fork" in failing["error"]["message"]
        healthy.done("fork", "--yes")
        assert watching.until_shipped()["sequence"] == 1
        assert watching.end() == 0
    finally:
        watching.process.kill()
        watching.process.wait()
        close(watching.process)
