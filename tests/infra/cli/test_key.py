"""`resurgam key generate` and `key inspect`."""

import stat
from pathlib import Path

import pytest

from infra.backup.age import fingerprint, read_identity_file
from tests.infra.cli.command_line import CommandLine


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
