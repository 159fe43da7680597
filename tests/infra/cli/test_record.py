"""`resurgam record`: one outcome a line, in order, as they commit."""

import json
import time
from pathlib import Path

import pytest

from infra.cli.lines import Line, split
from infra.control_plane.request import LINE_BYTES_MAX
from tests.infra.cli.command_line import CommandLine, process, request, user, user_id
from tests.infra.cli.estate import DIRECTORY, OFFER, SECRET, STRANGER, SUBSCRIPTION, TENANT, VAULT
from tests.infra.control_plane.installation import OPERATOR_ID, PASSWORD, PROVIDER


def test_outcomes_come_in_the_order_of_the_lines(installed_anywhere: CommandLine) -> None:
    result = installed_anywhere.record(
        {**user(1), "commandId": "ticket-1"},
        b"",
        request("DisableUser", objectId=user_id(9)),
        b"{",
        {**user(1), "commandId": "ticket-1"},
        {**user(2), "commandId": "ticket-1"},
        request("EnableUser", objectId=user_id(1)),
    )
    assert result.code == 3, "the code of the first line that failed"
    assert [(line["line"], line["status"]) for line in result.lines] == [
        (1, "recorded"),
        (3, "refused"),
        (4, "error"),
        (5, "repeated"),
        (6, "error"),
        (7, "unchanged"),
    ]
    first, refused, malformed, repeated, conflict, _ = result.lines
    assert first["commandId"] == "ticket-1"
    assert first["first"] == first["last"] == repeated["first"]
    assert first["resources"][0].endswith(user_id(1))
    assert refused["error"]["rule"] == "user-exists"
    assert refused["error"]["resource"].endswith(user_id(9))
    assert [line["error"]["class"] for line in (malformed, conflict)] == ["Usage", "Conflict"]
    assert PASSWORD not in result.out + result.err


def test_an_atomic_request_with_a_malformed_line_records_nothing(installed: CommandLine) -> None:
    result = installed.record(user(1), b"{", user(2), options=("--atomic",))
    assert result.code == 3
    assert [line["status"] for line in result.lines] == ["refused", "error", "refused"]
    assert {line["error"]["rule"] for line in result.lines if line["status"] == "refused"} == {"atomic"}
    assert len(installed.done("get", "user", "--json").json["resources"]) == 1


def test_an_atomic_request_is_recorded_at_one_instant(installed: CommandLine) -> None:
    result = installed.record(user(1), user(2), options=("--atomic",))
    assert result.code == 0
    assert len({line["recordedAt"] for line in result.lines}) == 1


def test_a_reason_is_for_lines_that_give_none(installed: CommandLine) -> None:
    installed.record(user(1), {**user(2), "reason": "its own"}, options=("--reason", "ticket 17"))
    reasons = []
    for number in (1, 2):
        shown = installed.done("history", f"/providers/Microsoft.Graph/directoryObjects/{user_id(number)}", "--json")
        reasons.append(shown.json["versions"][0]["reason"])
    assert reasons == ["ticket 17", "its own"]


def test_a_principal_may_record_what_its_roles_allow(installed_anywhere: CommandLine) -> None:
    assert installed_anywhere.record(user(1), options=("--as", "operator-1@region.example")).code == 0
    refused = installed_anywhere.record(user(2), options=("--as", "user-1@region.example"))
    assert refused.code == 3
    assert refused.lines[0]["error"]["rule"] == "not-allowed"
    assert installed_anywhere.record(user(2), options=("--as", "nobody@region.example")).code == 4


def test_who_acted_is_recorded(installed: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def actor(number: int) -> dict[str, str]:
        shown = installed.done("history", f"/providers/Microsoft.Graph/directoryObjects/{user_id(number)}", "--json")
        found: dict[str, str] = shown.json["versions"][0]["actor"]
        return found

    installed.record(user(1))
    assert actor(1)["established"] == "os-user"
    assert "principal" not in actor(1)
    installed.record(user(2), options=("--as", "operator-1@region.example"))
    assert (actor(2)["established"], actor(2)["principal"]) == ("declared", OPERATOR_ID)
    monkeypatch.setenv("RESURGAM_ACTOR", "night shift")
    installed.record(user(3))
    assert (actor(3)["established"], actor(3)["principal"]) == ("declared", "night shift")


def test_a_slow_pipe_is_answered_line_by_line(installed: CommandLine) -> None:
    running = process("record", folder=installed.folder)
    assert running.stdin
    assert running.stdout
    for number in range(1, 4):
        running.stdin.write(json.dumps(user(number)).encode() + b"\n")
        running.stdin.flush()
        assert json.loads(running.stdout.readline())["line"] == number
    running.stdin.write(json.dumps(user(4)).encode())
    out, err = running.communicate()
    assert json.loads(out)["line"] == 4, "the last line needs no end"
    assert (running.returncode, err) == (0, b"")


def test_many_lines_are_recorded_together(installed: CommandLine) -> None:
    requests = [request("CreateGroup", displayName=f"Group {number}") for number in range(3_000)]
    start = time.monotonic()
    result = installed.record(*requests)
    assert result.code == 0
    assert [line["line"] for line in result.lines] == list(range(1, 3_001))
    positions = [line["first"] for line in result.lines]
    assert positions == list(range(positions[0], positions[0] + 3_000))
    assert time.monotonic() - start < 30


def test_what_only_resurgam_records_is_refused(installed: CommandLine) -> None:
    result = installed.record(request("RecordUpdate", toRelease="9.9"))
    assert (result.code, result.lines[0]["status"]) == (2, "error")


def test_the_schema_needs_no_deployment_and_names_every_command(cli: CommandLine) -> None:
    shown = cli.done("record", "--schema").json
    commands = {one["properties"]["command"]["const"] for one in shown["oneOf"]}
    assert {"CreateUser", "AssignRole", "SetSecret"} <= commands
    assert "RecordRecovery" not in commands


class TestLines:
    def test_lines_are_cut_wherever_the_pieces_end(self) -> None:
        pieces = iter([b"a", b"b\n\nc\nd", b"", b"never read"])
        assert list(split(lambda: next(pieces))) == [Line(1, b"ab"), Line(2, b""), Line(3, b"c"), Line(4, b"d")]

    def test_of_a_line_that_is_too_long_no_more_is_held_than_shows_it(self) -> None:
        pieces = iter([*[b"x" * 1_000_000] * 10, b"\nnext\n", b""])
        long, following = split(lambda: next(pieces))
        assert len(long.data) == LINE_BYTES_MAX + 1
        assert following == Line(2, b"next")


def test_a_file_that_is_not_there_is_not_found(installed: CommandLine) -> None:
    assert installed("record", "nothing.jsonl").code == 4
    Path("folder").mkdir()
    assert installed("record", "folder").code == 8


def test_a_user_subscribes_and_works_in_what_is_its_own_and_nothing_else(estate_anywhere: CommandLine) -> None:
    """Roles rule vaults, access policies what is in them: the owner of the subscription may get and set, not delete."""
    as_tenant = ("--as", TENANT)
    offered = {"displayName": "Mine", "tenantId": DIRECTORY, "offerId": OFFER}
    requests = [
        request("Subscribe", owner=TENANT, **offered),
        request("CreateResourceGroup", subscriptionId=SUBSCRIPTION, name="more", location="east"),
        request("SetSecret", vaultId=VAULT, name="database", value="another"),
        request("Subscribe", owner=STRANGER, **offered),
        request("DeleteSecret", id=SECRET),
        request("CreateResourceGroup", subscriptionId=PROVIDER, name="more", location="east"),
    ]
    answers = estate_anywhere.record(*requests, options=as_tenant).lines
    assert [answer["status"] for answer in answers] == ["recorded"] * 3 + ["refused"] * 3
    assert {answer["error"]["rule"] for answer in answers[3:]} == {"not-allowed"}
    assert "no access policy" in answers[4]["error"]["message"]
