"""Proven records: the quick reading says what the full one says, and stumbles over what it needs and does not find."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt
from domain.event import Event
from infra.canonical_json import encode
from infra.log.proven import decode_proven
from infra.log.record import decode_record, frame, inner_event
from tests.infra.log.inner_events import INSTANT, cause, inner, with_member, without_member
from tests.json_values import json_objects, texts

RECORD = frame(inner(payload={"position": 7}, index=2, count=3), 12, INSTANT)

NEEDED = [
    ("event",),
    ("position",),
    ("recorded_at",),
    *(("event", name) for name in ("command", "payload", "resource", "schema", "sequence", "type")),
    *(("event", "command", name) for name in ("count", "id", "index")),
]


@given(json_objects(), texts, st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_it_says_what_the_full_reading_says(
    payload: dict[str, Any], resource: str, position: int, sequence: int
) -> None:
    event = inner_event(Event("user.created", resource, payload), 1, sequence, "event-id", 1, 2, cause())
    record = frame(event, position, INSTANT)
    proven, recorded = decode_proven(record), decode_record(record)
    assert (proven.position, proven.recorded_at) == (recorded.position, recorded.recorded_at)
    assert encode(proven.event.payload) == encode(recorded.event["payload"])
    for name in ("resource", "schema", "sequence", "type"):
        assert getattr(proven.event, name) == recorded.event[name]
    assert proven.event.command.id == recorded.event["command"]["id"]
    assert proven.command_end == recorded.command_end


@pytest.mark.parametrize("path", NEEDED, ids=".".join)
@pytest.mark.parametrize("value", [None, True, 1.5, ["x"]], ids=repr)
def test_a_member_that_is_absent_or_in_another_form_is_corrupt(path: tuple[str, ...], value: Any) -> None:
    for broken in (with_member(RECORD, path, value), without_member(RECORD, path)):
        with pytest.raises(Corrupt):
            decode_proven(broken)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", RECORD[:-1], RECORD.replace(b"user", b"us\xffr")], ids=repr)
def test_what_is_no_json_object_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_proven(data)


def test_nesting_without_end_is_corrupt() -> None:
    nested = b'{"x":' * 100_000 + b"1" + b"}" * 100_000
    with pytest.raises(Corrupt):
        decode_proven(RECORD.replace(b'{"position":7}', nested))
