"""Commands: what their fields take, and what would do harm on a terminal, in an index or in a database."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from domain.command import SECRET_BYTES_MAX, Id, Lines, Name, Secret, Text
from domain.control_plane import COMMANDS


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "\x00", "\x1b[31m", "\x7f", "a\r", "x" * 4097, "\ud800"])
def test_a_line_of_text_has_no_control_characters(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Text).validate_python(text)


@pytest.mark.parametrize("text", ["", "Zürich, 東京", "a\u0301 \u200d", "x" * 4096])
def test_a_line_of_text_is_any_other_text(text: str) -> None:
    assert TypeAdapter(Text).validate_python(text) == text


def test_lines_have_tabs_and_line_breaks_and_no_other_control_characters() -> None:
    assert TypeAdapter(Lines).validate_python("a\tb\r\nc") == "a\tb\r\nc"
    for character in ("\x00", "\x1b", "\x08", "\x7f"):
        with pytest.raises(ValidationError):
            TypeAdapter(Lines).validate_python(f"a{character}")


@pytest.mark.parametrize("name", ["", "a/b", " a", "..", "a\u200b", "a\n", "a%2fb", "a?", "x" * 261])
def test_a_name_is_one_segment_of_an_id(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("resource_id", ["", "a", "//", "/a/", "/a//b", "/a/../b", "/a\x00", "/" + "x" * 1024])
def test_an_id_that_no_store_should_hold_is_refused(resource_id: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Id).validate_python(resource_id)


def test_a_secret_is_limited_in_bytes_and_not_shown() -> None:
    adapter = TypeAdapter(Secret)
    adapter.validate_python("ü" * (SECRET_BYTES_MAX // 2))
    for secret in ("", "ü" * (SECRET_BYTES_MAX // 2) + "x", "x" * (SECRET_BYTES_MAX + 1)):
        with pytest.raises(ValidationError):
            adapter.validate_python(secret)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_says_what_it_does(name: str) -> None:
    assert COMMANDS[name].__doc__
    assert COMMANDS[name].__doc__ != COMMANDS[name].__mro__[1].__doc__


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_lists_of_json_are_taken_wherever_a_command_has_one(name: str) -> None:
    fields = COMMANDS[name].model_fields
    lists: dict[str, list[Any]] = {
        alias: [] for field, info in fields.items() if (alias := info.alias) and "tuple" in str(info.annotation)
    }
    with pytest.raises(ValidationError) as caught:
        COMMANDS[name].model_validate({**lists, "unknown": 1})
    assert "tuple_type" not in {error["type"] for error in caught.value.errors()}


LIMITS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("AddPasswordCredential", {"hint": "abc"}, {"hint": "abcd"}),
    ("CreatePlan", {"skuIds": ["a"] * 100}, {"skuIds": ["a"] * 101}),
    ("CreateClaimsProviderTrust", {"metadataDocument": "x" * 262_144}, {"metadataDocument": "x" * 262_145}),
    ("CreateClaimsProviderTrust", {"metadataDocument": "x"}, {"metadataDocument": ""}),
    ("CreateClaimsProviderTrust", {"claimRules": "x" * 65_536}, {"claimRules": "x" * 65_537}),
    ("CreateClaimsProviderTrust", {"certificates": ["MIIB"] * 8}, {"certificates": ["MIIB"] * 9}),
    ("CreateClaimsProviderTrust", {"tokenLifetimeMinutes": 525_600}, {"tokenLifetimeMinutes": 525_601}),
    ("CreateClaimsProviderTrust", {"tokenLifetimeMinutes": 1}, {"tokenLifetimeMinutes": 0}),
    ("CreateClaimsProviderTrust", {"metadataUrl": "https://a.example/b"}, {"metadataUrl": "http://a.example/b"}),
    ("RegisterDirectoryService", {"ports": [1, 65_535]}, {"ports": [0]}),
    ("RegisterDirectoryService", {"ports": [1] * 8}, {"ports": [1] * 9}),
    ("RegisterDirectoryService", {"ports": [1]}, {"ports": [65_536]}),
    ("RotateCertificateAuthority", {"overlapDays": 3_650}, {"overlapDays": 3_651}),
    ("RotateCertificateAuthority", {"overlapDays": 0}, {"overlapDays": -1}),
    ("CreateCertificateAuthority", {"validityDays": 36_500}, {"validityDays": 36_501}),
    ("CreateCertificateAuthority", {"validityDays": 1}, {"validityDays": 0}),
    ("PublishRevocationList", {"validityDays": 366}, {"validityDays": 367}),
    ("PublishRevocationList", {"validityDays": 1}, {"validityDays": 0}),
    ("IssueCertificate", {"subjectAlternativeNames": ["a"] * 100}, {"subjectAlternativeNames": ["a"] * 101}),
    ("CreateVault", {"softDeleteRetentionInDays": 7}, {"softDeleteRetentionInDays": 6}),
    ("CreateVault", {"softDeleteRetentionInDays": 90}, {"softDeleteRetentionInDays": 91}),
    ("SetSecret", {"contentType": "x" * 255}, {"contentType": "x" * 256}),
    ("SetSecret", {"tags": {str(n): "" for n in range(15)}}, {"tags": {str(n): "" for n in range(16)}}),
    ("SetSecret", {"tags": {"a" * 256: "b" * 256}}, {"tags": {"a": "b" * 257}}),
    ("SetSecret", {"exp": 253_402_300_799}, {"exp": 253_402_300_800}),
    ("SetSecret", {"exp": 0}, {"exp": -1}),
    ("CreateResourceGroup", {"tags": {"a" * 512: "b" * 256}}, {"tags": {"a" * 513: ""}}),
    ("CreateComputeQuota", {"coresLimit": 2**31 - 1}, {"coresLimit": 2**31}),
    ("CreateNetworkQuota", {"maxNicsPerSubscription": 2**63 - 1}, {"maxNicsPerSubscription": 2**63}),
    ("CreateOffer", {"maxSubscriptionsPerAccount": 2**31 - 1}, {"maxSubscriptionsPerAccount": 2**31}),
    ("LinkPlan", {"maxAcquisitionCount": 1}, {"maxAcquisitionCount": 0}),
    ("DefineRole", {"assignableScopes": ["/"] * 2_000}, {"assignableScopes": ["/"] * 2_001}),
    ("DefineRole", {"roleName": "x" * 512}, {"roleName": "x" * 513}),
]


def wrong(command: str, given: dict[str, Any]) -> set[str]:
    """Return the given members that the command does not take."""
    with pytest.raises(ValidationError) as caught:
        COMMANDS[command].model_validate({**given, "unknown": 1})
    return {str(error["loc"][0]) for error in caught.value.errors()} & set(given)


@pytest.mark.parametrize(("command", "most", "more"), LIMITS)
def test_a_limit_is_taken_and_what_is_beyond_it_is_not(
    command: str, most: dict[str, Any], more: dict[str, Any]
) -> None:
    assert not wrong(command, most)
    assert wrong(command, more) == set(more)
