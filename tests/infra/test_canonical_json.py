"""Canonical JSON: one form for each value, and every other form is refused."""

import json
from typing import Any

import pytest
from hypothesis import given

from domain.errors import Corrupt
from infra.canonical_json import decode, decode_canonical, encode
from tests.json_values import integers, json_values, texts


@given(json_values())
def test_a_value_is_read_back_as_it_was(value: Any) -> None:
    data = encode(value)
    assert decode_canonical(data, "it") == value
    assert encode(decode(data, "it")) == data


@given(json_values(integers | texts))
def test_the_form_is_the_documented_one(value: Any) -> None:
    assert encode(value) == json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def test_names_are_sorted_by_code_points() -> None:
    assert encode({"\U00010000": 1, "\uffff": 2, "b": 3, "B": 4, "": 5}) == (
        '{"":5,"B":4,"b":3,"\uffff":2,"\U00010000":1}'.encode()
    )


@pytest.mark.parametrize(
    "data",
    [
        b" {}",
        b"{}\n",
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\u001F"',
        b'"\\u0008"',
        b"1e5",
        b"1.00",
        b"-0",
        b"18446744073709551616",
        b"-9223372036854775809",
        b"\xef\xbb\xbf{}",
        b"[" * 300 + b"]" * 300,
    ],
)
def test_another_form_of_a_value_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt, match="record"):
        decode_canonical(data, "record")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"nul", b"NaN", b"Infinity", b"1e400", b'"\\ud800"', b'"\xff"', b'"\n"', b"01", b"'a'"]
)
def test_what_is_not_json_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt, match="record is not JSON"):
        decode(data, "record")
