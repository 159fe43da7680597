"""`--survivors`: what exists outside is held against the recovered state, and nothing is changed by it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.cli.command_line import CommandLine, request, user, user_id
from tests.infra.cli.estate import APPLICATION, STRANGER, SUBSCRIPTION, TENANT
from tests.infra.control_plane.installation import OPERATOR_ID, PROVIDER

RECOVER = ("recover", "backups", "--identity", "identity.txt", "--trust-first-use")
DRILL = ("backup", "drill", "--repository", "backups", "--identity", "identity.txt", "--trust-first-use")
INTO = ("--store", "sqlite:///recovered.db", "--root-key-file", "new.root-key")
USERS = "/providers/Microsoft.Graph/directoryObjects"
ALL_USERS = [{"kind": "user", "externalId": one} for one in (OPERATOR_ID, TENANT, STRANGER)]


@pytest.fixture
def backed_up(estate: CommandLine) -> CommandLine:
    """A small estate whose first backup lies in the folder `backups`."""
    recipient = estate.done("key", "generate", "--output", "identity.txt").out.strip()
    estate.record(request("AddBackupRecipient", name="safe", recipient=recipient))
    estate.done("backup", "run", "--repository", "backups")
    return estate


def write(*lines: object) -> str:
    Path("outside.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    return "outside.jsonl"


def held(cli: CommandLine, *lines: object) -> Any:
    """What the plan says of these survivors."""
    return cli.done(*RECOVER, "--plan", "--survivors", write(*lines), "--json").json["survivors"]


def test_what_agrees_is_only_counted(backed_up: CommandLine) -> None:
    by_id = {"id": f"{USERS}/{user_id(1)}".upper(), "kind": "user", "fields": {"displayName": "User 1"}}
    found = held(backed_up, ALL_USERS[0], by_id, ALL_USERS[2])
    assert (found["survivors"], found["recovered"], found["kinds"]) == (3, 3, ["user"])
    assert [found[sort]["count"] for sort in ("phantom", "unknown", "drifted")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"kind": "subscription", "externalId": SUBSCRIPTION.upper()}, "subscription"),
        ({"kind": "service-principal", "externalId": APPLICATION}, "service-principal"),
        ({"kind": "user", "externalId": user_id(1)}, "user"),
        ({"kind": "user", "externalId": TENANT.upper()}, "user"),
        ({"kind": "vault", "externalId": "WEB-secrets"}, "vault"),
    ],
)
def test_a_resource_is_known_by_what_it_is_called_outside(backed_up: CommandLine, line: object, kind: str) -> None:
    found = held(backed_up, line)
    assert (found["recovered"], found["unknown"]["count"], found["kinds"]) == (1, 0, [kind])


def test_phantoms_are_those_of_the_kinds_that_the_file_names(backed_up: CommandLine) -> None:
    found = held(backed_up, *ALL_USERS[:2])
    assert found["phantom"] == {"count": 1, "first": [{"resource": f"{USERS}/{user_id(2)}", "kind": "user"}]}
    found = held(backed_up, {"kinds": ["subscription"]}, *ALL_USERS[:2])
    assert found["kinds"] == ["subscription"]
    assert {one["resource"] for one in found["phantom"]["first"]} == {
        f"/subscriptions/{PROVIDER}",
        f"/subscriptions/{SUBSCRIPTION}",
    }


def test_what_survived_and_was_not_recovered_is_unknown(backed_up: CommandLine) -> None:
    new = {"kind": "user", "externalId": "created-later@region.example"}
    another_kind = {"id": f"{USERS}/{user_id(1)}", "kind": "group"}
    found = held(backed_up, *ALL_USERS, new, another_kind)
    assert found["unknown"] == {
        "count": 2,
        "first": [
            {"survivor": "user created-later@region.example", "line": 4},
            {"survivor": f"{USERS}/{user_id(1)}", "line": 5},
        ],
    }


def test_drift_shows_each_field_with_both_values(backed_up: CommandLine) -> None:
    fields = {"displayName": "Web 2", "state": "Enabled", "color": {"of": "door"}}
    line = {"kind": "subscription", "externalId": SUBSCRIPTION, "fields": fields}
    [one] = held(backed_up, line)["drifted"]["first"]
    assert one == {
        "resource": f"/subscriptions/{SUBSCRIPTION}",
        "fields": [
            {"field": "displayName", "sealed": False, "recovered": "Web", "survived": "Web 2"},
            {"field": "color.of", "sealed": False, "recovered": None, "survived": "door"},
        ],
    }


@pytest.mark.parametrize("given", ["password", "password.keyId", "password.value"])
def test_a_sealed_field_is_named_and_neither_compared_nor_repeated(backed_up: CommandLine, given: str) -> None:
    line = {"kind": "user", "externalId": TENANT, "fields": {given: "canary-given"}}
    for arguments in ((*RECOVER, "--plan"), DRILL, (*RECOVER, *INTO)):
        for form in ((), ("--json",)):
            done = backed_up.done(*arguments, "--survivors", write(line), *form)
            assert "canary-given" not in done.out + done.err
    [one] = held(backed_up, line)["drifted"]["first"]
    assert one["fields"] == [{"field": given, "sealed": True, "recovered": None, "survived": None}]


def test_plan_drill_and_report_say_the_same_and_change_nothing(backed_up: CommandLine) -> None:
    path = write(*ALL_USERS[:2], {"kind": "user", "externalId": "later@region.example"})
    planned = backed_up.done(*RECOVER, *INTO, "--plan", "--survivors", path, "--json").json["survivors"]
    assert not Path("recovered.db").exists()
    assert backed_up.done(*DRILL, "--survivors", path, "--json").json["survivors"] == planned
    recovered = backed_up.done(*RECOVER, *INTO, "--survivors", path, "--json").json
    assert recovered["survivors"] == planned
    again = backed_up.done(*RECOVER, *INTO, "--survivors", write(*ALL_USERS), "--json").json
    assert again["survivors"]["phantom"]["count"] == 0, "another inventory may be held against what is done already"
    text = backed_up.done(*RECOVER, *INTO, "--survivors", write(*ALL_USERS[:2])).out
    assert "phantom (recovered, and did not survive): 1" in text
    assert user_id(2) in text
    assert backed_up.done("log", "verify", *INTO[:2])


def test_the_moment_that_is_asked_for_is_what_survivors_are_held_against(backed_up: CommandLine) -> None:
    position = backed_up.done("backup", "list", "--repository", "backups", "--json").json["deployments"][0]
    assert position
    backed_up.record(user(7))
    backed_up.done("backup", "run", "--repository", "backups")
    line = {"kind": "user", "externalId": user_id(7)}
    assert held(backed_up, line)["recovered"] == 1
    earlier = backed_up.done(*RECOVER, "--plan", "--at", "10", "--survivors", write(line), "--json").json
    assert earlier["survivors"]["unknown"]["count"] == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 1"),
        (b"[]", 'give "id"'),
        (b"{}", 'give "id"'),
        (b'{"externalId": "x"}', 'give "id"'),
        (b'{"kind": "user"}', 'give "id"'),
        (b'{"id": "/providers/A/b/c", "externalId": "x", "kind": "user"}', 'give "id"'),
        (b'{"kinds": ["user"], "id": "/providers/A/b/c"}', 'give "id"'),
        (b'{"kinds": ["weather"]}', "there is no kind 'weather'"),
        (b'{"kind": "weather", "externalId": "x"}', "there is no kind 'weather'"),
        (b'{"id": "no id"}', "line 1"),
        (b'{"id": "/providers/A/b/c", "secret": "canary-given"}', "secret"),
        (b'{"id": "/providers/A/b/c", "fields": "canary-given"}', "fields"),
        (b"\xff", "line 1"),
    ],
)
def test_a_line_that_says_nothing_is_refused_before_anything_is_read(
    backed_up: CommandLine, line: bytes, said: str
) -> None:
    Path("outside.jsonl").write_bytes(line + b"\n")
    for arguments in ((*RECOVER, *INTO), (*RECOVER, "--plan"), DRILL):
        refused = backed_up(*arguments, "--survivors", "outside.jsonl")
        assert refused.code == 2
        assert said in refused.err
        assert "canary-given" not in refused.err
    assert not Path("new.root-key").exists()
    assert backed_up(*DRILL, "--survivors", "nowhere.jsonl").code == 4


def test_only_so_many_are_listed_and_all_are_counted(backed_up: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.control_plane.recovery_report.LISTED_MAX", 2)
    found = held(backed_up, {"kinds": ["user"]}, *({"kind": "user", "externalId": f"x-{n}"} for n in range(5)))
    assert (found["unknown"]["count"], len(found["unknown"]["first"])) == (5, 2)
    assert (found["phantom"]["count"], len(found["phantom"]["first"])) == (3, 2)
