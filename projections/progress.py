"""Progress of long work: what is being done, and how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""(what is being done, done, total): called every few thousand records, and at the end with done = total."""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""
