"""`resurgam authenticate`: who may log in, and that a failure tells no more than it must."""

import pytest

from tests.infra.cli.command_line import CommandLine, request, user_id
from tests.infra.cli.estate import APPLICATION, CLIENT_SECRET, TENANT
from tests.infra.control_plane.installation import OPERATOR_ID, PASSWORD


@pytest.mark.parametrize("name", ["operator-1@region.example", "OPERATOR-1@REGION.EXAMPLE", OPERATOR_ID])
def test_a_user_authenticates_by_its_password(installed_anywhere: CommandLine, name: str) -> None:
    shown = installed_anywhere.done("authenticate", name, "--json", stdin=PASSWORD.encode() + b"\n").json
    assert shown["objectId"] == OPERATOR_ID


def test_a_service_principal_authenticates_by_its_client_secret(estate_anywhere: CommandLine) -> None:
    assert estate_anywhere("authenticate", APPLICATION, stdin=CLIENT_SECRET.encode()).code == 0
    assert estate_anywhere("authenticate", APPLICATION, stdin=PASSWORD.encode()).code == 7


def test_a_failure_does_not_tell_which_names_exist(estate: CommandLine) -> None:
    wrong = estate("authenticate", TENANT, stdin=b"wrong")
    unknown = estate("authenticate", "nobody@region.example", stdin=b"wrong")
    assert wrong.code == unknown.code == 7
    assert wrong.err.replace(TENANT, "X") == unknown.err.replace("nobody@region.example", "X")
    assert "wrong\n" not in wrong.out


def test_a_disabled_account_is_refused(estate: CommandLine) -> None:
    estate.record(request("DisableUser", objectId=user_id(1)))
    result = estate("authenticate", TENANT, "--json", stdin=PASSWORD.encode())
    assert (result.code, result.error["rule"]) == (3, "login-disabled")


def test_a_password_that_was_replaced_is_wrong(estate: CommandLine) -> None:
    estate.record(request("SetPassword", objectId=user_id(1), password="another"))
    assert estate("authenticate", TENANT, stdin=PASSWORD.encode()).code == 7
    assert estate("authenticate", TENANT, stdin=b"another").code == 0


@pytest.mark.parametrize("given", [b"", b"\n", b"\xff\xfe", b"x" * 100_000])
def test_an_input_that_is_no_credential_is_a_usage_error(installed: CommandLine, given: bytes) -> None:
    assert installed("authenticate", "operator-1@region.example", stdin=given).code == 2
