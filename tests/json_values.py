"""Random JSON of every shape that canonical JSON can hold, with names and texts that look like a record's own frame."""

from typing import Any

from hypothesis import strategies as st

FRAMES = st.sampled_from(
    [
        "position",
        "recorded_at",
        "event",
        ',"position":',
        '"}',
        '{"event":',
        ',"recorded_at":"',
        "\0",
        "\x7f",
        "\u2028",
        "\u017f",
    ]
)
texts = FRAMES | st.text(max_size=20)
integers = st.integers(-(2**63), 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | floats | texts


def json_values(leaves: st.SearchStrategy[Any] = scalars) -> st.SearchStrategy[Any]:
    """Return nested values over these leaves."""
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=15
    )


def json_objects() -> st.SearchStrategy[dict[str, Any]]:
    """Return objects of nested values."""
    return st.dictionaries(texts, json_values(), max_size=5)
