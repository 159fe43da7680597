"""`resurgam init`: what it makes, and what it leaves when it cannot."""

import json
import stat
from pathlib import Path

import pytest

from infra.backup.age import generate_identity
from tests.infra.cli.command_line import CommandLine
from tests.infra.control_plane.installation import INPUTS, OPERATOR_ID, PASSWORD, PROVIDER


def test_a_deployment_is_made_from_its_inputs(installed_anywhere: CommandLine) -> None:
    shown = installed_anywhere.done("key", "inspect", "--json").json
    deployment = installed_anywhere.done("get", "deployment", "--json").json["resources"][0]["state"]
    assert deployment["deploymentId"] == shown["deployment"]
    assert deployment["inputs"]["region"] == "east"
    assert installed_anywhere.done("log", "verify", "--json").json["verified"] is True


def test_the_answer_names_what_was_made(cli: CommandLine) -> None:
    recipient = str(generate_identity(post_quantum=False).recipient)
    Path("inputs.yaml").write_text(json.dumps(INPUTS))
    Path("password").write_text(PASSWORD)
    arguments = ("init", "inputs.yaml", "--operator-password-file", "password", "--recipient", f"safe={recipient}")
    answer = cli.done(*arguments, "--json").json
    assert (answer["operator"], answer["providerSubscription"]) == (OPERATOR_ID, PROVIDER)
    assert answer["verifier"].startswith(f"resurgam/{answer['deployment']}+")
    [known] = cli.done("key", "inspect", "--json").json["recipients"]
    assert (known["recipient"], known["kind"]) == (recipient, "classical")


def test_root_key_and_store_are_their_owners_alone(installed: CommandLine) -> None:
    for name in ("resurgam.root-key", "resurgam.db"):
        assert stat.S_IMODE((installed.folder / name).stat().st_mode) == 0o600, name


def test_an_existing_root_key_is_used(installed: CommandLine) -> None:
    key = Path("resurgam.root-key").read_bytes()
    Path("resurgam.db").unlink()
    installed.init()
    assert Path("resurgam.root-key").read_bytes() == key


def test_a_root_key_that_is_none_is_refused_and_the_store_stays_empty(cli: CommandLine) -> None:
    Path("resurgam.root-key").touch(mode=0o600)
    Path("inputs.yaml").write_text(json.dumps(INPUTS))
    result = cli("init", "inputs.yaml", "--json", stdin=PASSWORD.encode())
    assert result.code == 2
    assert cli("get", "user", "--json").code == 3
    Path("resurgam.root-key").unlink()
    cli.init()


def test_a_second_init_is_refused_and_names_the_roads(installed: CommandLine) -> None:
    result = installed("init", "inputs.yaml", "--operator-password-file", "password", "--json")
    assert result.code == 3
    assert result.error["rule"] == "target-empty"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("region: [", "not YAML at line"),
        ("!!python/object/apply:os.system [true]", "not YAML"),
        ("- region", "not a mapping"),
        (json.dumps({**INPUTS, "region": 7}), "region"),
        (json.dumps({**INPUTS, "networks": {}}), "networks.publicVip"),
        ("region: \x00", "not YAML"),
    ],
)
def test_inputs_with_a_mistake_are_refused_before_anything_is_made(cli: CommandLine, text: str, said: str) -> None:
    Path("inputs.yaml").write_text(text)
    result = cli("init", "inputs.yaml", stdin=PASSWORD.encode())
    assert result.code == 2
    assert said in result.err
    assert sorted(path.name for path in cli.folder.iterdir()) == ["inputs.yaml"]


@pytest.mark.parametrize("recipient", ["safe", "=age1x", "safe=", "safe=age1nothing", "a/b=age1"])
def test_a_recipient_with_a_mistake_is_refused_before_anything_is_made(cli: CommandLine, recipient: str) -> None:
    Path("inputs.yaml").write_text(json.dumps(INPUTS))
    result = cli("init", "inputs.yaml", "--recipient", recipient, stdin=PASSWORD.encode())
    assert result.code == 2
    assert sorted(path.name for path in cli.folder.iterdir()) == ["inputs.yaml"]


def test_an_empty_password_is_refused(cli: CommandLine) -> None:
    Path("inputs.yaml").write_text(json.dumps(INPUTS))
    assert cli("init", "inputs.yaml").code == 2
