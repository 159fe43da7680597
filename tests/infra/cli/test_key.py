"""`resurgam key generate` and `key inspect`."""

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from domain.instant import from_microseconds, plus_days, to_microseconds
from infra.backup.age import fingerprint, read_identity_file
from infra.cli import backup_status, key_check
from infra.control_plane.clock import host_clock
from infra.keys.root_key_change import RootKeyChange
from tests.infra.cli.command_line import CommandLine, request, user, user_id
from tests.infra.control_plane.installation import PASSWORD

STATUS = ("backup", "status", "--repository", "none")
"""Without a repository the store still says what it knows."""


@pytest.mark.parametrize(("options", "prefix"), [((), "age1pq1"), (("--classical",), "age1")])
def test_an_identity_is_its_owners_alone_and_its_recipient_is_printed(
    cli: CommandLine, options: tuple[str, ...], prefix: str
) -> None:
    shown = cli.done("key", "generate", "--output", "identity", *options)
    [identity] = read_identity_file(Path("identity"))
    assert shown.out.startswith(prefix)
    assert shown.out == f"{identity.recipient}\n"
    assert stat.S_IMODE(Path("identity").stat().st_mode) == 0o600
    assert "AGE-SECRET-KEY" not in shown.out + shown.err


def test_an_identity_is_never_overwritten(cli: CommandLine) -> None:
    cli.done("key", "generate", "--output", "identity")
    before = Path("identity").read_bytes()
    assert cli("key", "generate", "--output", "identity").code == 3
    assert Path("identity").read_bytes() == before


def test_an_identitys_recipient_can_be_shown_again(cli: CommandLine) -> None:
    generated = cli.done("key", "generate", "--output", "identity", "--json").json
    shown = cli.done("key", "inspect", "--identity", "identity", "--json")
    assert shown.json == {"identities": [generated]}
    assert "AGE-SECRET-KEY" not in shown.out
    [identity] = read_identity_file(Path("identity"))
    assert generated["fingerprint"] == fingerprint(identity.recipient)
    assert generated["fingerprint"] in cli.done("key", "inspect", "--identity", "identity").out


def test_a_file_that_holds_no_identity_is_refused_without_repeating_it(cli: CommandLine) -> None:
    Path("identity").write_text("canary")
    result = cli("key", "inspect", "--identity", "identity")
    assert result.code == 2
    assert "canary" not in result.err
    assert cli("key", "inspect", "--identity", "none").code == 4


def test_a_deployments_keys_are_shown_by_their_public_halves(installed_anywhere: CommandLine) -> None:
    shown = installed_anywhere.done("key", "inspect", "--json").json
    assert shown["fingerprint"].startswith("SHA256:")
    assert len(shown["rootKey"]) == 16
    assert shown["recipients"] == []


@pytest.fixture
def backed_up(installed: CommandLine) -> CommandLine:
    """A deployment with a backup in `backups` that `identity.txt` opens, and another identity."""
    recipient = installed.done("key", "generate", "--output", "identity.txt").out.strip()
    installed.done("key", "generate", "--output", "other.txt")
    installed.record(request("AddBackupRecipient", name="safe", recipient=recipient))
    installed.done("backup", "run", "--repository", "backups")
    return installed


def test_an_identity_is_checked_by_the_repository_and_without_it(backed_up: CommandLine) -> None:
    here = ("key", "check", "--repository", "backups")
    found = backed_up.done(*here, "--identity", "identity.txt", "--json").json
    assert list(found["opened"].values()) == [found["objects"]]
    assert found["signerTrust"] == "unproven"
    assert backed_up(*here, "--identity", "other.txt").code == 7
    saved = backed_up.done(*here, "--save", "saved", "--json").json
    assert saved["saved"] == "saved"
    assert backed_up(*here, "--save", "saved").code == 3
    shutil.rmtree("backups")
    Path("resurgam.db").unlink()
    offline = ("key", "check", "--from", "saved", "--identity")
    assert {**backed_up.done(*offline, "identity.txt", "--json").json, "ageSeconds": found["ageSeconds"]} == found
    assert backed_up(*offline, "other.txt").code == 7
    Path("saved").write_bytes(Path("saved").read_bytes()[:-9])
    assert backed_up(*offline, "identity.txt").code == 6


def test_an_old_backup_fails_a_check_that_asks_for_a_new_one(
    backed_up: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = ("key", "check", "--repository", "backups", "--identity", "identity.txt", "--max-age")
    backed_up.done(*check, "1d")
    later = from_microseconds(to_microseconds(host_clock()) + 86_401 * 1_000_000)
    monkeypatch.setattr(key_check, "host_clock", lambda: later)
    assert backed_up(*check, "1d").code == 3
    backed_up.done(*check, "2d")


@pytest.mark.parametrize(
    "options", [(), ("--from", "a"), ("--from", "a", "--save", "b"), ("--identity", "i", "--from", "a", "--save", "b")]
)
def test_a_check_of_nothing_is_refused(cli: CommandLine, options: tuple[str, ...]) -> None:
    assert cli("key", "check", *options).code == 2


def test_the_root_key_is_rotated_in_its_file(installed_anywhere: CommandLine) -> None:
    cli = installed_anywhere
    before, path = cli.done("key", "inspect", "--json").json, Path("resurgam.root-key")
    secret = path.read_bytes()
    cli.record(user(1))
    result = cli.done("key", "rotate-root", "--json")
    answer = result.json
    assert (answer["status"], answer["oldRootKey"], answer["oldDestroyed"]) == ("rotated", before["rootKey"], True)
    assert answer["keys"] > 0
    assert "copy the new root key" in result.err
    assert "RESURGAM-ROOT-KEY-1" not in result.out + result.err
    after = cli.done("key", "inspect", "--json").json
    assert after["rootKey"] == answer["rootKey"] != before["rootKey"]
    assert (after["rootKeySince"], after["verifier"]) == (answer["since"], before["verifier"])
    assert cli.record(user(2)).code == 0
    path.write_bytes(secret)
    refused = cli("record", "requests.jsonl")
    assert (refused.code, before["rootKey"] in refused.err) == (7, True)


def test_a_root_key_of_the_environment_is_rotated_into_a_new_file(
    installed: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("resurgam.root-key")
    monkeypatch.setenv("RESURGAM_ROOT_KEY", path.read_text().splitlines()[-1])
    path.unlink()
    assert "--output" in installed("key", "rotate-root").err
    result = installed.done("key", "rotate-root", "--output", "new")
    assert "set RESURGAM_ROOT_KEY to the line in new" in result.err
    assert installed("record", "none.jsonl").code == 7
    monkeypatch.setenv("RESURGAM_ROOT_KEY", Path("new").read_text().splitlines()[-1])
    assert installed.record(user(1)).code == 0
    assert installed("key", "rotate-root", "--output", "new").code == 3, "never overwritten"
    monkeypatch.delenv("RESURGAM_ROOT_KEY")
    assert installed("key", "rotate-root", "--root-key-file", "new", "--output", "other").code == 2


def test_an_interrupted_rotation_is_told_and_finished(installed: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RootKeyChange, "finish", crash)
        assert installed("key", "rotate-root").code == 130
    told = installed.record(user(1))
    assert told.code == 0
    assert "was interrupted: finish it with key rotate-root" in told.err
    assert installed.done("key", "rotate-root", "--json").json["status"] == "finished"
    assert "interrupted" not in installed.record(user(2)).err


def test_the_status_says_when_the_root_key_is_to_be_rotated(
    installed: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed(*STATUS, "--json").json["rootKey"]["rotationDue"] is False
    for days, is_due in ((31, False), (32, True)):
        monkeypatch.setattr(backup_status, "host_clock", lambda days=days: plus_days(host_clock(), days))
        assert installed(*STATUS, "--json").json["rootKey"]["rotationDue"] is is_due
    assert "rotate it with `resurgam key rotate-root`" in installed(*STATUS).out
    assert "resurgam_root_key_age_seconds" in installed(*STATUS, "--prometheus").out
    with sqlite3.connect("resurgam.db") as database:
        database.execute("DELETE FROM local_facts WHERE name = 'root-key'")
    database.close()
    assert "of unknown age: rotate it" in installed(*STATUS).out
    assert installed.record(user(1)).code == 0, "a store that does not say checks nothing"
    installed.done("key", "rotate-root")
    assert installed(*STATUS, "--json").json["rootKey"]["rotationDue"] is True, "the clock is still ahead"


def test_a_lost_root_key_is_restored_from_a_backup(installed_anywhere: CommandLine) -> None:
    cli = installed_anywhere
    recipient = cli.done("key", "generate", "--output", "identity").out.strip()
    cli.record(request("AddBackupRecipient", name="safe", recipient=recipient), user(1))
    cli.done("backup", "run", "--repository", "backups")
    cli.record(user(2))
    restore = ("key", "restore-root", "backups", "--identity", "identity", "--json")
    assert cli(*restore).error["rule"] == "no-value-is-lost", "told first, whichever root key there is"
    assert cli(*restore, "--accept-loss").error["rule"] == "root-key-is-lost"
    Path("resurgam.root-key").unlink()
    refused = cli(*restore)
    assert (refused.code, refused.error["rule"]) == (3, "no-value-is-lost")
    assert f"{user_id(2)} (password-hash)" in refused.error["message"]
    answer = cli.done(*restore, "--accept-loss").json
    assert (answer["lostKeys"], answer["lost"][0]["purpose"]) == (1, "password-hash")
    assert answer["signerTrust"] == "Remembered"
    shown = cli.done("key", "inspect", "--json").json
    assert (shown["deployment"], shown["rootKey"]) == (answer["deployment"], answer["rootKey"])
    assert cli.record(user(3)).code == 0
    cli.done("authenticate", "user-1@region.example", stdin=PASSWORD.encode())
    assert cli("authenticate", "user-2@region.example", stdin=PASSWORD.encode()).code != 0
    cli.done("backup", "run", "--repository", "backups")
    cli.done("log", "verify")


def test_a_restoration_that_cannot_begin_says_why(installed: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed("key", "restore-root", "backups").code == 2
    monkeypatch.setenv("RESURGAM_ROOT_KEY", "canary")
    refused = installed("key", "restore-root", "backups", "--identity", "identity")
    assert (refused.code, "unset it" in refused.err, "canary" in refused.err) == (2, True, False)
