"""Permissions: what the blocks of one role say of one action."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from domain.role_definition import PermissionBlock
from domain.wildcard import matches

Verdict = Literal["granted", "conditional", "subtracted", "silent"]
"""What a role says: it grants the action; it would under a condition, which nobody evaluates, so it does not grant; it
names the action and takes it away again; or it does not name it."""


def verdict(permissions: Sequence[PermissionBlock], action: str, *, data: bool = False) -> Verdict:
    """Return the best that a block says of the action; what a block subtracts, it subtracts from itself alone."""
    said: set[Verdict] = set()
    for block in permissions:
        named, taken = (
            (block["dataActions"], block["notDataActions"]) if data else (block["actions"], block["notActions"])
        )
        if _any_matches(tuple(named), action):
            if _any_matches(tuple(taken), action):
                said.add("subtracted")
            else:
                said.add("conditional" if "condition" in block else "granted")
    if "granted" in said:
        return "granted"
    return "conditional" if "conditional" in said else "subtracted" if said else "silent"


def _any_matches(patterns: tuple[str, ...], action: str) -> bool:
    exact, wild = _sorted_out(patterns)
    return action.casefold() in exact or any(matches(pattern, action) for pattern in wild)


@lru_cache(maxsize=8192)
def _sorted_out(patterns: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the patterns without a wildcard, for a look-up, and those with one."""
    exact = frozenset(pattern.casefold() for pattern in patterns if "*" not in pattern)
    return exact, tuple(pattern for pattern in patterns if "*" in pattern)
