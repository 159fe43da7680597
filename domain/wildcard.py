"""Wildcard patterns, where `*` stands for any text, the empty one included, and case does not matter."""

from functools import lru_cache


@lru_cache(maxsize=65_536)
def _pieces(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.casefold().split("*"))


def matches(pattern: str, text: str) -> bool:
    """Say whether the whole text matches.

    Every piece is taken where it first fits and none is ever tried again, so no pattern costs more than its length
    times that of the text.
    """
    text = text.casefold()
    first, *others = _pieces(pattern)
    if not others:
        return text == first
    *middle, last = others
    if not text.startswith(first):
        return False
    at = len(first)
    for piece in middle:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(text) - at >= len(last) and text.endswith(last)
