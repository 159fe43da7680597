"""Requests: what a line must be, and that no error repeats a value."""

import pytest

from domain.errors import Usage
from infra.control_plane.request import DEPTH_MAX, LINE_BYTES_MAX, SYSTEM_COMMANDS, parse

USER = b'{"command":"CreateUser","arguments":{"userPrincipalName":"a@b","displayName":"A","password":"canary"}}'


def nested(depth: int) -> bytes:
    return b'{"command":"CreateUser","arguments":{"displayName":' + b"[" * depth + b"]" * depth + b"}}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"CreateUser"', "not a JSON object"),
        (b"{}", "command"),
        (b'{"command":7}', "command"),
        (b'{"command":"CreateUser","command_":"x"}', "command_"),
        (b'{"command":"MakeCoffee"}', "unknown command 'MakeCoffee'"),
        (b'{"command":"CreateUser"}', "userPrincipalName"),
        (b'{"command":"DisableUser","arguments":{"objectId":7}}', "objectId"),
        (b'{"command":"DisableUser","arguments":{"objectId":"a","more":1}}', "more"),
        (b'{"command":"DisableUser","arguments":{"objectId":"a"},"commandId":""}', "commandId"),
        (b'{"command":"DisableUser","arguments":{"objectId":"a"},"commandId":"a\\u0000"}', "commandId"),
        (b'{"command":"DisableUser","arguments":{"objectId":"a"},"effectiveAt":"yesterday"}', "effectiveAt"),
        (b'{"command":"CreateGroup","arguments":{"displayName":"a\\u0000b"}}', "U\\+0000"),
        (b'{"command":"CreateUser","arguments":{"password":{"sealed":1,"keyId":"k"}}}', "sealed value"),
        (nested(DEPTH_MAX + 1), "nested"),
        (nested(100_000), "not JSON"),
        (b" " * (LINE_BYTES_MAX + 1), "4194304 at most"),
    ],
)
def test_a_malformed_line_is_refused_by_name(line: bytes, said: str) -> None:
    with pytest.raises(Usage, match=said):
        parse(line)


@pytest.mark.parametrize("command", sorted(SYSTEM_COMMANDS))
def test_what_only_resurgam_records_is_refused(command: str) -> None:
    with pytest.raises(Usage, match="recorded by Resurgam itself"):
        parse(b'{"command":"%s","arguments":{}}' % command.encode())


@pytest.mark.parametrize(
    "line",
    [
        USER.replace(b'"password"', b'"passwrod"'),
        USER.replace(b'"canary"', b'["canary"]'),
        USER.replace(b'"a@b"', b'"canary"'),
        USER.replace(b'"displayName":"A"', b'"displayName":{"canary":"canary"}'),
        USER[:-2],
    ],
)
def test_an_error_never_repeats_a_value(line: bytes) -> None:
    with pytest.raises(Usage) as caught:
        parse(line)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_commands_that_differ_only_in_a_secret_are_one_command() -> None:
    assert parse(USER).digest == parse(USER.replace(b"canary", b"another")).digest
    assert parse(USER).digest != parse(USER.replace(b'"A"', b'"B"')).digest


def test_a_request_does_not_show_its_secret() -> None:
    assert "canary" not in repr(parse(USER))
