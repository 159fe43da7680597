"""Requests: what a line must be, and that no error repeats a value."""

import json

import pytest

from domain.errors import Usage
from infra.canonical_json import decode, encode
from infra.control_plane.request import DEPTH_MAX, LINE_BYTES_MAX, SYSTEM_COMMANDS, parse

USER = b'{"command":"CreateUser","arguments":{"userPrincipalName":"a@b","displayName":"A","password":"canary"}}'


def nested(depth: int) -> bytes:
    return b'{"command":"CreateUser","arguments":{"displayName":' + b"[" * depth + b"]" * depth + b"}}"


def policy(condition: bytes) -> bytes:
    """A command that takes any JSON: a policy's rule."""
    rule = b'{"if":' + condition + b',"then":{"effect":"deny"}}'
    return b'{"command":"DefinePolicy","arguments":{"name":"p","policyRule":' + rule + b"}}"


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
        (b'{"command":"DisableUser","arguments":{"objectId":"a","objectId":"b"}}', "'objectId' twice"),
        (b'{"command":"CreateUser","command":"DisableUser","arguments":{"objectId":"b"}}', "'command' twice"),
        (policy(b'{"field":"type","equals":18446744073709551616}'), "more than 64 bits"),
        (policy(b'{"field":"type","equals":-9223372036854775809}'), "more than 64 bits"),
        (policy(b'{"field":"type","equals":' + b"9" * 5_000 + b"}"), "not JSON|more than 64 bits"),
        (policy(b'{"field":"type","equals":1e400}'), "not JSON"),
        (policy(b'{"field":"type","equals":NaN}'), "not JSON"),
        (policy(b'{"field":"type","equals":"\\ud800"}'), "not JSON"),
        (policy(b'{"field":"type","equals":"\xed\xa0\x80"}'), "not JSON"),
        (policy(b'{"field":"type","equals":"x","equals":"y"}'), "'equals' twice"),
        (nested(DEPTH_MAX + 1), "nested"),
        (nested(300), "nested"),
        (nested(1_000), "nested"),
        (nested(100_000), "not JSON"),
        (b" " * (LINE_BYTES_MAX + 1), "4194304 at most"),
    ],
)
def test_a_malformed_line_is_refused_by_name(line: bytes, said: str) -> None:
    with pytest.raises(Usage, match=said):
        parse(line)


POLICY = b'{"command":"DefinePolicy","arguments":{"name":"p","policyRule":{"if":%s,"then":{"effect":"deny"}}}}'


@pytest.mark.parametrize(
    "value",
    [
        *(b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"),
        *(b"18446744073709551616", b"-9223372036854775809", b"1" * 5_000),
        *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'"\\u0000"'),
        *(b'{"a\\ud800":1}', b'{"a":1,"a":2}'),
    ],
)
def test_what_canonical_json_cannot_hold_is_refused_wherever_it_stands(value: bytes) -> None:
    with pytest.raises(Usage):
        parse(POLICY % value)


@pytest.mark.parametrize("value", [b"18446744073709551615", b"-9223372036854775808", b"0.1", b"-0.0", b"1e300"])
def test_any_other_value_is_recorded_as_it_was_given(value: bytes) -> None:
    arguments = parse(POLICY % value).command.model_dump(mode="json", by_alias=True)
    assert decode(encode(arguments), "it")["policyRule"]["if"] == json.loads(value)


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
