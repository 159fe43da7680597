"""Wildcard patterns."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.wildcard import matches


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*", ""),
        ("*", "Microsoft.Compute/virtualMachines/read"),
        ("*/read", "Microsoft.Compute/virtualMachines/READ"),
        ("microsoft.compute/*", "Microsoft.Compute/virtualMachines/start/action"),
        ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/roleAssignments/write"),
        ("a*b*c", "a-b-b-c"),
        ("a**a", "aa"),
        ("plain", "PLAIN"),
    ],
)
def test_a_star_stands_for_any_text_and_case_does_not_matter(pattern: str, text: str) -> None:
    assert matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*/read", "Microsoft.Compute/virtualMachines/write"),
        ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/write"),
        ("aba*aba", "aba"),
        ("a*b*c", "a-c-b"),
        ("plain", "plainer"),
        ("p.ain", "plain"),
        ("", "x"),
    ],
)
def test_the_whole_text_must_match_and_no_letter_is_used_twice(pattern: str, text: str) -> None:
    assert not matches(pattern, text)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_patterns_match_what_the_same_regular_expression_matches(pattern: str, text: str) -> None:
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    assert matches(pattern, text) == bool(re.fullmatch(expression, text))


def test_many_stars_do_not_take_long() -> None:
    assert not matches("a*" * 1000 + "b", "a" * 100_000)
