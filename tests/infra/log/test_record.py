"""Records: framing and reading are inverse whatever an event holds, and whatever is no record is refused as corrupt."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt
from domain.event import Event
from domain.instant import from_microseconds
from domain.resource_id import ORIGINATOR_NAMESPACE, originator_id
from infra.canonical_json import decode, encode
from infra.log.record import (
    POSITION_MAX,
    Actor,
    Cause,
    checked_event,
    decode_record,
    frame,
    inner_event,
    unframe,
)
from tests.infra.log.inner_events import DIGEST, INSTANT, inner, with_member, without_member
from tests.json_values import json_objects, json_values, texts

RECORD = frame(inner(payload={"position": 7, "recorded_at": INSTANT}, index=2, count=3), 12, INSTANT)

instants = st.integers(0, 253_402_300_799_999_999).map(from_microseconds)
positions = st.integers(1, POSITION_MAX)
causes = st.builds(
    Cause,
    command_id=texts,
    command_name=texts,
    command_sha256=st.just(DIGEST),
    actor=st.builds(Actor, st.just("declared"), texts, texts, st.none() | texts),
    reason=texts,
    correlation=st.none() | texts,
    causation=st.none() | texts,
    effective_at=st.none() | instants,
)


@given(json_objects(), texts, causes, positions, instants)
def test_a_record_is_read_back_as_it_was_framed(
    payload: dict[str, Any], resource: str, cause: Cause, position: int, recorded_at: str
) -> None:
    event = inner_event(Event("user.created", resource, payload), 1, 1, "event-id", 1, 2, cause)
    record = frame(event, position, recorded_at)
    assert unframe(record) == (event, position, recorded_at)
    recorded = decode_record(record)
    assert (recorded.position, recorded.recorded_at, recorded.resource) == (position, recorded_at, resource)
    assert recorded.event["payload"] == payload
    assert encode({"event": recorded.event, "position": position, "recorded_at": recorded_at}) == record
    assert (recorded.command_start, recorded.command_end) == (position - 1, position + 1)


def test_the_bytes_are_the_documented_ones() -> None:
    cause = Cause("c", "CreateGroup", DIGEST, Actor("token", "h", "u", "p"), "why", "co", "ca", INSTANT)
    event = inner_event(Event("group.created", "/G", {"ä": 1}), 3, 2, "e", 1, 1, cause)
    assert frame(event, 5, INSTANT).decode() == (
        '{"event":{"actor":{"established":"token","host":"h","os_user":"u","principal":"p"},"causation":"ca",'
        f'"command":{{"count":1,"id":"c","index":1,"name":"CreateGroup","sha256":"{DIGEST}"}},'
        f'"correlation":"co","effective_at":"{INSTANT}","format":1,"id":"e","payload":{{"ä":1}},"reason":"why",'
        f'"resource":"/G","schema":3,"sequence":2,"type":"group.created"}},"position":5,"recorded_at":"{INSTANT}"}}'
    )


def test_absent_members_are_absent() -> None:
    assert {"reason", "correlation", "causation", "effective_at"}.isdisjoint(decode(inner(), "it"))
    assert "principal" not in decode(inner(), "it")["actor"]


@given(st.integers(0, len(RECORD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_corrupt_or_gives_another_whole_record(at: int, change: int) -> None:
    changed = bytearray(RECORD)
    changed[at] ^= change
    try:
        recorded = decode_record(bytes(changed))
    except Corrupt:
        return
    assert frame(encode(recorded.event), recorded.position, recorded.recorded_at) == changed
    assert recorded != decode_record(RECORD)


@given(st.integers(0, len(RECORD) - 1))
def test_a_truncated_record_is_corrupt(length: int) -> None:
    for read in (decode_record, unframe):
        with pytest.raises(Corrupt):
            read(RECORD[:length])


@given(json_values())
def test_any_other_json_is_corrupt(value: Any) -> None:
    with pytest.raises(Corrupt):
        decode_record(encode(value))
    with pytest.raises(Corrupt):
        checked_event(value, "it")


MEMBERS = [
    ("event",),
    ("position",),
    ("recorded_at",),
    *(("event", name) for name in decode(inner(), "it")),
    *(("event", "actor", name) for name in ("established", "host", "os_user")),
    *(("event", "command", name) for name in ("count", "id", "index", "name", "sha256")),
]


@pytest.mark.parametrize("path", MEMBERS, ids=".".join)
@pytest.mark.parametrize("value", [None, True, -1, 1.0, [], ["x"]], ids=repr)
def test_a_member_that_is_absent_or_in_another_form_is_corrupt(path: tuple[str, ...], value: Any) -> None:
    for broken in (with_member(RECORD, path, value), without_member(RECORD, path)):
        with pytest.raises(Corrupt):
            decode_record(broken)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"index":2', b'"index":4'),
        (b'"index":2', b'"index":0'),
        (b'"sequence":1', b'"sequence":0'),
        (b'"format":1', b'"format":2'),
        (b'"position":12', b'"position":0'),
        (b'"position":12', b'"position":9223372036854775808'),
        (INSTANT.encode() + b'"}', b'2026-11-22T15:04:05Z"}'),
        (INSTANT.encode() + b'"}', b'2026-13-22T15:04:05.123456Z"}'),
        (INSTANT.encode() + b'"}', b'0001-01-01T00:00:00+23:59"}'),
        (b'"}', b'","more":1}'),
        (b'{"event"', b'{ "event"'),
    ],
)
def test_what_cannot_be_is_corrupt(old: bytes, new: bytes) -> None:
    assert old in RECORD
    with pytest.raises(Corrupt):
        decode_record(RECORD.replace(old, new))


@pytest.mark.parametrize("position", [b"", b"-1", b"1.5", b"9" * 5000, b"\xc2\xb2"])
def test_a_frame_without_a_position_is_corrupt(position: bytes) -> None:
    with pytest.raises(Corrupt):
        unframe(RECORD.replace(b',"position":12,', b',"position":%s,' % position))


@given(texts)
def test_the_originator_id_is_the_uuid5_of_the_resource(resource: str) -> None:
    assert originator_id(resource) == uuid.uuid5(ORIGINATOR_NAMESPACE, resource).bytes


def test_namespace_and_originator_ids_are_fixed_for_ever() -> None:
    expected = uuid.uuid5(uuid.UUID("6f1c1a0e-6b2b-5b0e-9a53-7d0f6c3f2b11"), "/subscriptions/1")
    assert originator_id("/subscriptions/1") == expected.bytes
