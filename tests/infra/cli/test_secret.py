"""`resurgam secret read`: the one place where a value appears, and what stands in the access log."""

import stat
from pathlib import Path

import pytest

from infra.cli import settings
from infra.database.url import open_database
from infra.log import access_log
from infra.log.access_log import Access
from tests.infra.cli.command_line import CommandLine, request, user_id
from tests.infra.cli.estate import CANARY, SECOND_CANARY, SECRET, STRANGER, TENANT, VAULT


def accesses() -> list[Access]:
    database = open_database(settings.load().store)
    try:
        with database.read() as session:
            return list(access_log.accesses(session))
    finally:
        database.close()


def test_a_value_is_shown_exactly_and_noted(estate_anywhere: CommandLine) -> None:
    shown = estate_anywhere.done("secret", "read", SECRET, "--reason", "ticket 17")
    assert (shown.out, shown.err) == (CANARY, "")
    [access] = accesses()
    assert access.resource.startswith(f"{SECRET}/versions/")
    assert (access.reason, access.actor.established, access.actor.principal) == ("ticket 17", "os-user", None)


def test_an_earlier_version_is_still_there(estate: CommandLine) -> None:
    first = estate.done("get", SECRET, "--json").json["state"]["currentVersion"]
    estate.record(request("SetSecret", vaultId=VAULT, name="database", value=SECOND_CANARY))
    assert estate.done("secret", "read", SECRET).out == SECOND_CANARY
    assert estate.done("secret", "read", SECRET, "--version", first).out == CANARY
    assert estate.done("secret", "read", f"{SECRET}/versions/{first}", "--json").json["value"] == CANARY
    assert estate("secret", "read", SECRET, "--version", "0" * 32).code == 4


def test_access_policies_decide_for_a_principal(estate_anywhere: CommandLine) -> None:
    assert estate_anywhere.done("secret", "read", SECRET, "--as", TENANT).out == CANARY
    refused = estate_anywhere("secret", "read", SECRET, "--as", STRANGER, "--json")
    assert (refused.code, refused.out, refused.error["rule"]) == (3, "", "not-allowed")
    owner = estate_anywhere("secret", "read", SECRET, "--as", "operator-1@region.example")
    assert (owner.code, owner.out) == (3, "")
    [access] = accesses()
    assert access.actor.principal == user_id(1), "what was refused was not read"


def test_a_file_is_its_owners_alone_and_never_overwritten(estate: CommandLine) -> None:
    shown = estate.done("secret", "read", SECRET, "--output", "value")
    assert Path("value").read_text() == CANARY
    assert stat.S_IMODE(Path("value").stat().st_mode) == 0o600
    assert CANARY not in shown.out + shown.err
    Path("value").write_text("before")
    assert estate("secret", "read", SECRET, "--output", "value").code == 3
    assert Path("value").read_text() == "before"
    assert len(accesses()) == 1
    assert estate("secret", "read", SECRET, "--output", "none/value").code == 8


def test_a_purged_value_is_gone(estate: CommandLine) -> None:
    estate.record(request("DeleteSecret", id=SECRET))
    assert estate("secret", "read", SECRET).code == 3
    estate.record(request("PurgeSecret", id=SECRET))
    gone = estate("secret", "read", SECRET)
    assert (gone.code, gone.out) == (4, "")


def test_a_secret_that_is_not_there_is_not_found(estate: CommandLine) -> None:
    assert estate("secret", "read", f"{VAULT}/secrets/none").code == 4
    assert estate("secret", "read", f"{VAULT}/secrets/none", "--version", "0" * 32).code == 4


def test_a_value_stands_nowhere_but_in_the_answer_to_secret_read(estate: CommandLine) -> None:
    estate.record(request("SetSecret", vaultId=VAULT, name="database", value=SECOND_CANARY))
    for path in estate.folder.iterdir():
        if path.name != "requests.jsonl":
            content = path.read_bytes()
            assert CANARY.encode() not in content, path
            assert SECOND_CANARY.encode() not in content, path
    for arguments in (
        ("get", "secret-version", "--json"),
        ("history", SECRET, "--json"),
        ("diff", "0", "0s", "--json"),
        ("log", "export"),
        ("key", "inspect"),
    ):
        result = estate.done(*arguments)
        assert "canary" not in result.out + result.err


@pytest.mark.parametrize("value", ["", "x" * 25_601])
def test_a_value_of_a_wrong_size_is_refused_without_repeating_it(estate: CommandLine, value: str) -> None:
    result = estate.record(request("SetSecret", vaultId=VAULT, name="database", value=value))
    assert result.code == 2
    assert "xxxx" not in result.out
