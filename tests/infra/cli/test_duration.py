"""Durations: read in one unit, shown in two."""

import pytest

from domain.errors import Usage
from infra.cli import duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("5m", 300), ("13h", 46_800), ("2d", 172_800), ("1w", 604_800)]
)
def test_a_number_and_a_unit_are_seconds(text: str, seconds: int) -> None:
    assert duration.parse(text, "--every") == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1.5h", "5 s", "5S", "1h30m", "1234567890s", "٣h"])
def test_anything_else_is_a_usage_error_that_names_the_option(text: str) -> None:
    with pytest.raises(Usage, match=r"--every .*write a number and a unit"):
        duration.parse(text, "--every")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (45, "45 s"),
        (185, "3 min 5 s"),
        (3_600, "1 h"),
        (3_605, "1 h"),
        (46_920, "13 h 2 min"),
        (187_200, "2 d 4 h"),
        (40 * 86_400, "40 d"),
    ],
)
def test_the_two_greatest_units_are_shown(seconds: float, text: str) -> None:
    assert duration.shown(seconds) == text
