"""`resurgam recover`: what an operator types in the worst night, and types once more."""

import json
import os
from pathlib import Path

import pytest

from domain.deployment import DEPLOYMENT_ID
from tests.infra.cli.command_line import CommandLine, request
from tests.infra.control_plane.installation import INPUTS

RECOVER = ("recover", "backups", "--identity", "identity.txt", "--trust-first-use")
INTO = ("--store", "sqlite:///recovered.db", "--root-key-file", "new.root-key")


@pytest.fixture
def backed_up(estate: CommandLine) -> CommandLine:
    """A small estate whose first backup lies in the folder `backups`."""
    recipient = estate.done("key", "generate", "--output", "identity.txt").out.strip()
    estate.record(request("AddBackupRecipient", name="safe", recipient=recipient))
    estate.done("backup", "run", "--repository", "backups")
    return estate


def test_the_same_command_again_shows_the_same_report_and_changes_nothing(backed_up: CommandLine) -> None:
    first = backed_up.done(*RECOVER, *INTO, "--json")
    again = backed_up.done(*RECOVER, *INTO, "--json")
    assert "done already" in again.err
    assert "done already" not in first.err
    assert again.json == first.json
    as_text = backed_up.done(*RECOVER, *INTO)
    assert f"the deployment is open as {first.json['deployment']}" in as_text.out


RULE = {"if": {"field": "location", "equals": "x"}, "then": {"effect": "deny"}}


def test_a_store_that_lives_on_is_no_longer_what_was_recovered(backed_up: CommandLine) -> None:
    backed_up.done(*RECOVER, *INTO)
    backed_up.record(request("DefinePolicy", name="new", policyRule=RULE), options=INTO)
    refused = backed_up(*RECOVER, *INTO)
    assert refused.code == 3
    assert "the store holds deployment" in refused.err


def test_another_wish_for_a_recovered_store_is_refused(backed_up: CommandLine) -> None:
    backed_up.done(*RECOVER, *INTO)
    assert backed_up(*RECOVER, *INTO, "--at", "5").code == 3
    backed_up.record(request("DefinePolicy", name="new", policyRule=RULE))
    backed_up.done("backup", "run", "--repository", "backups")
    assert backed_up(*RECOVER, *INTO).code == 3, "a newer backup is another one"


def test_the_same_command_again_wants_the_root_key_that_the_recovery_made(backed_up: CommandLine) -> None:
    backed_up.done(*RECOVER, *INTO)
    Path("new.root-key").rename("moved.root-key")
    missing = backed_up(*RECOVER, *INTO)
    assert missing.code == 4
    assert "restore it from its copy" in missing.err
    backed_up.done(*RECOVER, "--store", "sqlite:///another.db", "--root-key-file", "new.root-key")
    assert backed_up(*RECOVER, *INTO).code == 7


def test_a_root_key_file_that_was_cut_off_is_named_with_the_way_out(backed_up: CommandLine) -> None:
    backed_up.done(*RECOVER, *INTO)
    text = Path("new.root-key").read_text()
    for end in (len(text) // 3, len(text) - 20):
        Path("cut.root-key").write_text(text[:end])
        os.chmod("cut.root-key", 0o600)
        refused = backed_up(*RECOVER, "--store", "sqlite:///other.db", "--root-key-file", "cut.root-key")
        assert refused.code == 2
        assert "if an interrupted recovery left this file, remove it and run again" in refused.err
        assert text.splitlines()[-1][20:30] not in refused.err
    Path("cut.root-key").unlink()
    backed_up.done(*RECOVER, "--store", "sqlite:///other.db", "--root-key-file", "cut.root-key")


def write_inputs(name: str, **changed: object) -> str:
    Path(name).write_text(json.dumps({**INPUTS, **changed}))  # JSON is YAML
    return name


def test_other_inputs_are_planned_recorded_and_reported(backed_up: CommandLine) -> None:
    path = write_inputs("place.yaml", timeServer="10.0.2.99")
    change = {"field": "timeServer", "before": "10.0.2.10", "after": "10.0.2.99"}
    planned = backed_up.done(*RECOVER, *INTO, "--inputs", path, "--plan", "--json").json
    assert planned["inputsChanged"] == [change]
    assert not Path("recovered.db").exists()
    assert backed_up.done(*RECOVER, *INTO, "--inputs", path, "--json").json["inputsChanged"] == [change]
    again = backed_up.done(*RECOVER, *INTO, "--inputs", path)
    assert "10.0.2.99" in again.out
    assert backed_up(*RECOVER, *INTO).code == 3, "without the inputs it is another recovery"
    history = backed_up.done("history", DEPLOYMENT_ID, "--json", *INTO[:2]).out
    assert "deployment.inputs-changed" in history


def test_inputs_that_cannot_change_are_refused_also_in_a_plan(backed_up: CommandLine) -> None:
    path = write_inputs("place.yaml", region="west")
    for options in ((), ("--plan",)):
        refused = backed_up(*RECOVER, *INTO, "--inputs", path, *options)
        assert refused.code == 3
        assert "deployment input region is east for ever, not west" in refused.err
    backed_up.done(*RECOVER, *INTO)  # the store was left as empty as it was


@pytest.mark.parametrize(("text", "code"), [("a: [", 2), ("region: east", 2), ("- list", 2)])
def test_a_file_that_holds_no_inputs_is_refused_before_anything_else(
    backed_up: CommandLine, text: str, code: int
) -> None:
    Path("place.yaml").write_text(text)
    assert backed_up(*RECOVER, *INTO, "--inputs", "place.yaml").code == code
    assert backed_up(*RECOVER, *INTO, "--inputs", "nowhere.yaml").code == 4
    assert not Path("new.root-key").exists()
