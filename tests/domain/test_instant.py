"""Instants: one text for each, text order is time order, and whatever is none is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Usage
from domain.instant import canonical, from_microseconds, to_microseconds

FIRST_US, LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
moments = st.integers(FIRST_US, LAST_US)


@given(moments, moments)
def test_an_instant_is_read_back_and_text_order_is_time_order(one: int, other: int) -> None:
    text = from_microseconds(one)
    assert (to_microseconds(text), canonical(text), len(text)) == (one, text, 27)
    assert (text < from_microseconds(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T15:04:05Z", "2026-11-22T15:04:05.000000Z"),
        ("2026-11-22T15:04Z", "2026-11-22T15:04:00.000000Z"),
        ("2026-11-22T00:04:05.5+01:30", "2026-11-21T22:34:05.500000Z"),
        ("0999-01-01T00:00:00Z", "0999-01-01T00:00:00.000000Z"),
    ],
)
def test_any_text_with_an_offset_is_made_canonical(text: str, expected: str) -> None:
    assert canonical(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-22", "2026-11-22T15:04:05", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+01:00", "1e9"],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(Usage):
        canonical(text)
