"""Event ids: UUIDs of version 7 of this millisecond, never two alike."""

import time
from uuid import RFC_4122, UUID

from infra.log.event_id import new_event_id


def test_an_id_is_a_uuid_of_version_7_of_this_millisecond() -> None:
    before = time.time_ns() // 1_000_000
    event_id = UUID(new_event_id())
    after = time.time_ns() // 1_000_000
    assert (event_id.version, event_id.variant) == (7, RFC_4122)
    assert before <= event_id.int >> 80 <= after


def test_no_two_ids_are_alike() -> None:
    assert len({new_event_id() for _ in range(20_000)}) == 20_000


def test_the_random_bits_are_all_used() -> None:
    ids = [UUID(new_event_id()).int for _ in range(200)]
    ever, always = 0, -1
    for each in ids:
        ever, always = ever | each, always & each
    random = (1 << 12) - 1 << 64 | (1 << 62) - 1
    assert ever & random == random
    assert always & random == 0
