"""`backup kit`: a bare machine recovers by its commands, literally; nothing in it is secret."""

import re
import shlex
import shutil
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.infra.cli import estate as small
from tests.infra.cli.command_line import CommandLine, request, user
from tests.infra.control_plane.installation import PASSWORD
from tests.store_servers import Place


@pytest.fixture
def backed_up(estate: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """An estate with a backup in a folder of another machine, so to say, and the identity in the folder `safe`."""
    monkeypatch.setenv("RESURGAM_REPOSITORY", (estate.folder.parent / "the backups").as_uri())
    (estate.folder.parent / "safe").mkdir()
    recipient = estate.done("key", "generate", "--output", "../safe/identity.txt").out.strip()
    estate.record(request("AddBackupRecipient", name="safe", recipient=recipient, label="Safe of the second site"))
    estate.done("backup", "run")
    return estate


def commands(text: str) -> list[list[str]]:
    found = [shlex.split(line) for line in re.findall(r"^ +\$ (.*)$", text, re.MULTILINE)]
    assert all(command[0] == "resurgam" for command in found)
    return [command[1:] for command in found]


def test_a_bare_machine_recovers_by_the_commands_of_the_kit(
    backed_up: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kit = backed_up.done("backup", "kit").out
    users = backed_up.done("get", "user", "--json").json["resources"]
    shutil.rmtree(backed_up.folder)
    (tmp_path / "bare").mkdir()
    monkeypatch.chdir(tmp_path / "bare")
    monkeypatch.delenv("RESURGAM_REPOSITORY")
    shutil.copy2(tmp_path / "safe" / "identity.txt", "identity.txt")
    steps = commands(kit)
    assert [" ".join(step[:2]) for step in steps[2:]] == [
        "backup list",
        *[f"recover {(tmp_path / 'the backups').as_uri()}"] * 2,
        "backup run",
        "backup kit",
    ]
    for step in steps:
        backed_up.done(*step)
    recovered = ("--store", "sqlite:///recovered.db", "--root-key-file", "recovered.root-key")
    assert backed_up.done("get", "user", "--json", *recovered[:2]).json["resources"] == users
    assert backed_up.done("secret", "read", small.SECRET, *recovered).out == small.CANARY
    again = Path("kit.txt").read_text()
    assert commands(again)[3] != steps[3], "the recovered deployment has another id and another signer"
    for step in commands(again)[:4]:
        backed_up.done(*step)


class Code(HTMLParser):
    """The commands of a page, and what it loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.code: list[str] = []
        self.loaded: list[str] = []
        self._is_code = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._is_code = tag == "code"
        if tag in ("script", "img", "link", "iframe") or any(name in ("src", "href") for name, _ in attributes):
            self.loaded.append(tag)

    def handle_data(self, data: str) -> None:
        if self._is_code:
            self.code.append(data)
        self._is_code = False


def test_the_page_says_the_same_and_needs_nothing_else(backed_up: CommandLine) -> None:
    backed_up.done("backup", "kit", "--output", "kit.txt")
    assert backed_up.done("backup", "kit", "--output", "kit.html").out == ""
    page = Code()
    page.feed(Path("kit.html").read_text())
    assert page.loaded == []
    assert [shlex.split(code)[1:] for code in page.code if code.startswith("resurgam ")] == commands(
        Path("kit.txt").read_text()
    )
    assert "Safe of the second site" in unescape(Path("kit.html").read_text())


def test_it_names_the_backup_the_signer_and_who_can_open_it_and_nothing_secret(backed_up: CommandLine) -> None:
    made = backed_up.done("backup", "kit", "--json").json
    newest = backed_up.done("backup", "list", "--json").json["deployments"][0]["backups"][-1]
    inspected = backed_up.done("key", "inspect", "--json").json
    assert (made["deployment"], made["sequence"]) == (newest["deployment"], newest["sequence"])
    assert made["checkpoint"] == newest["checkpoint"]
    assert (made["verifier"], made["fingerprint"]) == (inspected["verifier"], inspected["fingerprint"])
    [holder] = made["holders"]
    assert (holder["fingerprint"], holder["label"]) == (
        inspected["recipients"][0]["fingerprint"],
        "Safe of the second site",
    )
    text = backed_up.done("backup", "kit").out
    secrets = [small.CANARY, small.CLIENT_SECRET, PASSWORD, Path("resurgam.root-key").read_text().split()[-1]]
    secrets += [line for line in Path("../safe/identity.txt").read_text().splitlines() if line.startswith("AGE")]
    assert len(secrets) == 5
    assert not [secret for secret in secrets if secret in text]


def test_a_file_is_replaced_and_one_of_another_kind_refused(backed_up: CommandLine) -> None:
    backed_up.done("backup", "kit", "--output", "kit.txt")
    before = Path("kit.txt").read_text()
    backed_up.record(user(7))
    backed_up.done("backup", "run")
    backed_up.done("backup", "kit", "--output", "kit.txt")
    assert Path("kit.txt").read_text() != before
    assert sorted(path.name for path in Path().glob("*kit*")) == ["kit.txt"]
    assert backed_up("backup", "kit", "--output", "kit.pdf").code == 2
    assert backed_up("backup", "kit", "--output", "nowhere/kit.txt").code == 8


def test_without_a_backup_there_is_no_kit(estate: CommandLine) -> None:
    assert estate("backup", "kit").code == 2
    assert estate("backup", "kit", "--repository", "nowhere").code == 8


def test_a_repository_that_the_deployment_does_not_know_gives_no_kit(backed_up: CommandLine) -> None:
    root = backed_up.folder.parent / "the backups"
    older = Path(shutil.copytree(root, backed_up.folder / "older"))
    backed_up.record(user(7))
    backed_up.done("backup", "run")
    result = backed_up("backup", "kit", "--repository", str(older))
    assert (result.code, "went backwards" in result.err) == (3, True)
    other = backed_up.folder / "other"
    other.mkdir()
    assert backed_up("backup", "kit", "--repository", str(other)).code == 4


@pytest.mark.parametrize("kind", ["s3", "azure", "smb"])
def test_of_a_place_it_says_by_what_it_is_reached_and_no_value(
    estate: CommandLine, kind: str, request: pytest.FixtureRequest, store_environment: Callable[[Place], str]
) -> None:
    server: Place = request.getfixturevalue(f"{kind}_server")
    url = store_environment(server.fresh())
    recipient = estate.done("key", "generate", "--output", "identity.txt").out.strip()
    estate.record({"command": "AddBackupRecipient", "arguments": {"name": "safe", "recipient": recipient}})
    estate.done("backup", "run", "--repository", url)
    kit = estate.done("backup", "kit", "--repository", url).out
    assert url in kit
    assert {"s3": "AWS_ACCESS_KEY_ID", "azure": "AZURE_STORAGE_SAS_TOKEN", "smb": "RESURGAM_SMB_USERNAME"}[kind] in kit
    values = [value for name, value in server.environment.items() if "KEY" in name or "PASSWORD" in name]
    assert values
    assert not [value for value in values if value in kit]
