"""`resurgam recover --only`: a service that a bad change ruined comes back into the running deployment."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from infra.control_plane import restoration
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import parse
from tests.infra.cli.command_line import CommandLine, request, user, user_id
from tests.infra.cli.estate import CANARY, GROUP, SECOND_CANARY, SECRET, SUBSCRIPTION, TENANT, VAULT
from tests.infra.control_plane.installation import ACTOR, INPUTS, PASSWORD

RECOVER = ("recover", "backups", "--identity", "identity.txt")
SERVICES = ("identity", "federation", "certificates", "subscriptions", "vaults", "roles", "providers")
OTHER_VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/unwanted"
USER = f"/providers/Microsoft.Graph/directoryObjects/{user_id(1)}"
ADMIN_ONLY = {"secrets": ["list"]}


@pytest.fixture
def backed_up(estate_anywhere: CommandLine) -> CommandLine:
    """A small estate on each engine in turn, whose first backup lies in the folder `backups`."""
    recipient = estate_anywhere.done("key", "generate", "--output", "identity.txt").out.strip()
    assert estate_anywhere.record(request("AddBackupRecipient", name="safe", recipient=recipient)).code == 0
    estate_anywhere.done("backup", "run", "--repository", "backups")
    return estate_anywhere


@pytest.fixture
def simple(cli: CommandLine) -> CommandLine:
    """A deployment on SQLite with a user, whose first backup lies in the folder `backups`."""
    cli.init()
    recipient = cli.done("key", "generate", "--output", "identity.txt").out.strip()
    assert cli.record(request("AddBackupRecipient", name="safe", recipient=recipient), user(1)).code == 0
    cli.done("backup", "run", "--repository", "backups")
    return cli


class Terminal(io.TextIOWrapper):
    """Standard input of somebody who sits there."""

    def isatty(self) -> bool:
        return True


def position(cli: CommandLine) -> int:
    found: int = cli.done("get", "deployment", "--json").json["position"]
    return found


def rows(cli: CommandLine, *options: str) -> dict[str, list[Any]]:
    """Every resource of each service, without the sequence that rises with each event."""
    kinds = {service: [kind.name for kind in of] for service, of in restoration.services().items()}
    return {
        service: [
            (one["id"], one["state"])
            for name in names
            for one in cli.done("get", name, "--json", *options).json["resources"]
        ]
        for service, names in kinds.items()
    }


def ruin(cli: CommandLine) -> int:
    """Do what a script that ran against the wrong vaults did, and tell of others; return the position before."""
    before = position(cli)
    vaults = cli.record(
        request("RemoveAccessPolicy", id=VAULT, objectId=user_id(1)),
        request("SetAccessPolicy", id=VAULT, objectId=user_id(2), permissions=ADMIN_ONLY),
        request("SetSecret", vaultId=VAULT, name="database", value=SECOND_CANARY),
        request("DeleteSecret", id=SECRET),
        request("PurgeSecret", id=SECRET),
        request("DeleteVault", id=VAULT),
        request("CreateVault", resourceGroupId=GROUP, name="unwanted", location="east"),
        request("SetSecret", vaultId=OTHER_VAULT, name="x", value="rubbish"),
        user(3),
        request("UpdateUser", objectId=user_id(1), displayName="Renamed"),
    )
    assert vaults.code == 0, vaults.out
    return before


def test_ruined_vaults_come_back_and_nothing_else_moves(backed_up: CommandLine) -> None:
    before = ruin(backed_up)
    backed_up.done("backup", "run", "--repository", "backups")
    then, ruined = rows(backed_up, "--at", str(before)), rows(backed_up)
    only = ("--only", "vaults", "--at", str(before))

    planned = backed_up.done(*RECOVER, *only, "--plan", "--json").json
    assert rows(backed_up) == ruined, "a plan changes nothing"
    assert {(one["change"], one["id"]) for one in planned["differences"]} >= {
        ("changed", VAULT),
        ("created", SECRET),
        ("deleted", OTHER_VAULT),
    }
    version = next(
        one["id"] for one in planned["differences"] if one["change"] == "created" and "/versions/" in one["id"]
    )
    assert [one["id"] for one in planned["valuesBroughtBack"]] == [version]
    assert any(one.startswith(OTHER_VAULT) for one in planned["valuesDestroyed"])
    assert planned["skipped"] == planned["leftOut"] == []

    restored = backed_up.done(*RECOVER, *only, "--yes", "--reason", "ticket 17", "--json").json
    assert restored["recorded"]["last"] - restored["recorded"]["first"] + 1 == len(restored["differences"])
    now = rows(backed_up)
    assert {service: found for service, found in now.items() if service != "vaults"} == {
        service: found for service, found in ruined.items() if service != "vaults"
    }
    assert [(name, _unsealed(state)) for name, state in now["vaults"]] == [
        (name, _unsealed(state)) for name, state in then["vaults"]
    ]
    assert backed_up.done("secret", "read", SECRET).out == CANARY
    assert not any(secret in json.dumps([planned, restored]) for secret in (PASSWORD, CANARY, SECOND_CANARY))

    history = backed_up.done("history", VAULT, "--json").json["versions"]
    assert [one["event"] for one in history][-2:] == ["vault.deleted", "vault.restored"]
    assert "ticket 17" in history[-1]["reason"]
    assert f"position {before}" in history[-1]["reason"]
    assert history[-1]["actor"]["os_user"]
    assert history[-1]["command"]["name"] == "RestoreResources"
    assert [one["event"] for one in backed_up.done("history", SECRET, "--json").json["versions"]][-2:] == [
        "secret.purged",
        "secret.restored",
    ]
    backed_up.done("log", "verify")

    again = backed_up.done(*RECOVER, *only, "--yes", "--json").json
    assert (again["differences"], again["recorded"]) == ([], None), "what came back is what was there"
    backed_up.done("backup", "run", "--repository", "backups")
    backed_up.done("backup", "drill", "--repository", "backups", "--identity", "identity.txt", "--trust-first-use")
    # The restoration itself is history that the next backup holds.
    assert backed_up.done(*RECOVER, "--only", "vaults", "--yes", "--json").json["recorded"] is None


def _unsealed(state: dict[str, Any]) -> dict[str, Any]:
    """A state without the key of its value, which is a fresh one if the old one was destroyed."""
    return {name: value for name, value in state.items() if not isinstance(value, dict) or "keyId" not in value}


def test_what_differs_is_shown_before_anything_is_asked(simple: CommandLine) -> None:
    simple.record(request("UpdateUser", objectId=user_id(1), displayName="Ruined"))
    refused = simple(*RECOVER, "--only", "identity")
    assert refused.code == 3
    assert "displayName: Ruined -> User 1" in refused.out
    assert "--yes" in refused.err
    assert position(simple) == int(simple.done("history", USER, "--json").json["versions"][-1]["position"])
    shown = simple.done(*RECOVER, "--only", "identity", "--plan")
    assert shown.out == refused.out
    assert "1 changed back to restore; 0 skipped" in shown.out
    done = simple.done(*RECOVER, "--only", "identity", "--yes")
    assert "restored at positions" in done.out
    assert simple.done(*RECOVER, "--only", "identity", "--yes").out.endswith("nothing to restore; 0 skipped\n")


def meanwhile(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody else change the user between the look and the yes, once."""
    real, others = restoration.apply, [request("UpdateUser", objectId=user_id(1), displayName="Ruined again")]

    def apply(*arguments: Any) -> Any:
        if others:
            database, root_key = arguments[:2]
            line = json.dumps(others.pop()).encode()
            ControlPlane(database, root_key).execute(parse(line), ACTOR)
        return real(*arguments)

    cli.record(request("UpdateUser", objectId=user_id(1), displayName="Ruined"))
    monkeypatch.setattr(restoration, "apply", apply)


def test_a_change_meanwhile_is_a_conflict(simple: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(simple, monkeypatch)
    assert simple(*RECOVER, "--only", "identity", "--yes").code == 5
    assert simple.done("history", USER, "--json").json["versions"][-1]["event"] == "user.changed"
    simple.done(*RECOVER, "--only", "identity", "--yes")


def test_a_change_meanwhile_is_shown_and_asked_about_again(
    simple: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(simple, monkeypatch)
    monkeypatch.setattr("tests.infra.cli.command_line.io.TextIOWrapper", Terminal)
    asked = simple.done(*RECOVER, "--only", "identity", stdin=b"y\ny\n")
    assert asked.err.count("Restore this?") == 2
    assert "look at it again" in asked.err
    assert "displayName: Ruined again -> User 1" in asked.out


def test_credentials_that_come_back_are_named(simple: CommandLine) -> None:
    simple.record(request("SetPassword", objectId=user_id(1), password="another long password"))
    simple.record(request("UpdateUser", objectId=user_id(1), displayName="Ruined"))
    shown = simple.done(*RECOVER, "--only", "identity", "--plan").out
    assert f"credentials that become valid again: {USER}" in shown
    assert f"value of today that is destroyed, for ever: {USER}" in shown
    assert f"that comes back: {USER}" in shown
    simple.done(*RECOVER, "--only", "identity", "--yes")
    assert simple.done("authenticate", "user-1@region.example", stdin=PASSWORD.encode()).code == 0


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 3)])
def test_on_a_terminal_it_asks(simple: CommandLine, monkeypatch: pytest.MonkeyPatch, answer: str, code: int) -> None:
    simple.record(request("UpdateUser", objectId=user_id(1), displayName="Ruined"))
    monkeypatch.setattr("tests.infra.cli.command_line.io.TextIOWrapper", Terminal)
    result = simple(*RECOVER, "--only", "identity", stdin=answer.encode())
    assert (result.code, "Restore this?" in result.err) == (code, True)
    name = simple.done("get", USER, "--json").json
    assert name["state"]["displayName"] == ("User 1" if code == 0 else "Ruined")


def test_json_needs_a_yes(simple: CommandLine) -> None:
    simple.record(request("UpdateUser", objectId=user_id(1), displayName="Ruined"))
    refused = simple(*RECOVER, "--only", "identity", "--json")
    assert (refused.code, refused.error["rule"]) == (3, "restoration-confirmed")


def test_an_unknown_service_is_answered_with_the_known_ones(simple: CommandLine) -> None:
    for name in ("vault", "deployment", ""):
        refused = simple(*RECOVER, "--only", name)
        assert refused.code == 2
        assert all(service in refused.err for service in (*SERVICES, "all"))


@pytest.mark.parametrize("flag", [("--yes",), ("--reason", "why")])
def test_the_flags_of_a_restoration_belong_to_it(simple: CommandLine, flag: tuple[str, ...]) -> None:
    refused = simple(*RECOVER, *flag)
    assert refused.code == 2
    assert "--only" in refused.err


def test_an_empty_store_is_no_place_for_a_restoration(simple: CommandLine) -> None:
    refused = simple(*RECOVER, "--only", "vaults", "--store", "sqlite:///nothing.db")
    assert refused.code in (3, 8)


def test_a_foreign_root_key_is_refused(simple: CommandLine, tmp_path: Path) -> None:
    Path("other").mkdir()
    Path("other.yaml").write_text(json.dumps(INPUTS))
    other = ("--store", "sqlite:///other.db", "--root-key-file", "other.root-key")
    simple.done("init", "other.yaml", "--operator-password-file", "password", *other)
    assert simple(*RECOVER, "--only", "identity", "--yes", "--root-key-file", "other.root-key").code == 7


def test_all_of_a_backup_comes_into_a_clean_installed_deployment(backed_up: CommandLine) -> None:
    before = rows(backed_up)
    fresh = ("--store", "sqlite:///fresh.db", "--root-key-file", "fresh.root-key")
    backed_up.done("init", "inputs.yaml", "--operator-password-file", "password", *fresh)
    deployment = backed_up.done("get", "deployment", "--json", *fresh[:2]).json["resources"]
    refused = backed_up(*RECOVER, "--only", "all", "--yes", *fresh)
    assert refused.code == 6, "nothing speaks for the other deployment's signer"
    answer = backed_up.done(*RECOVER, "--only", "all", "--yes", "--trust-first-use", "--json", *fresh).json
    # The installation's own assignment of its operator, and the backup's that says the same.
    skipped = sorted((one["kind"], one["rule"]) for one in answer["skipped"])
    assert skipped == [("role-assignment", "made-here"), ("role-assignment", "unique")]
    same = {one["id"] for one in answer["skipped"]}

    def others(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {service: [one for one in of if one[0] not in same] for service, of in found.items()}

    assert others(rows(backed_up, *fresh[:2])) == others(before)
    assert backed_up.done("secret", "read", SECRET, *fresh).out == CANARY
    assert backed_up.done("authenticate", TENANT, *fresh, stdin=PASSWORD.encode()).code == 0
    assert backed_up.done("get", "deployment", "--json", *fresh[:2]).json["resources"] == deployment
    assert backed_up.done("get", "backup-recipient", "--json", *fresh[:2]).json["resources"] == []
    backed_up.done("log", "verify", *fresh[:2])
    assert SUBSCRIPTION in json.dumps(before)


def test_what_only_the_clean_installed_deployment_has_stays(simple: CommandLine) -> None:
    fresh = ("--store", "sqlite:///fresh.db", "--root-key-file", "fresh.root-key")
    simple.done("init", "inputs.yaml", "--operator-password-file", "password", *fresh)
    assert simple.record(user(9), options=fresh).code == 0
    answer = simple.done(*RECOVER, "--only", "all", "--yes", "--trust-first-use", "--json", *fresh).json
    skipped = sorted((one["kind"], one["rule"]) for one in answer["skipped"])
    assert skipped == [("role-assignment", "made-here"), ("role-assignment", "unique"), ("user", "made-here")]
    assert len(simple.done("get", "user", "--json", *fresh[:2]).json["resources"]) == 3


def test_a_deployment_of_another_region_is_refused(simple: CommandLine) -> None:
    Path("west.yaml").write_text(json.dumps({**INPUTS, "region": "west"}))
    west = ("--store", "sqlite:///west.db", "--root-key-file", "west.root-key")
    simple.done("init", "west.yaml", "--operator-password-file", "password", *west)
    refused = simple(*RECOVER, "--only", "all", "--yes", "--trust-first-use", "--json", *west)
    assert (refused.code, refused.error["rule"]) == (3, "deployment-input-immutable")
