"""The port to a place that keeps whole objects under names and never overwrites one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from domain.errors import Usage

NAME_CHARACTERS_MAX = 512
TEMPORARY_PREFIX = ".tmp-"
TEMPORARY_SECONDS_MAX = 24 * 60 * 60
"""A temporary file older than this belongs to a writer that crashed."""

_PART = re.compile(r"[a-z0-9._-]{1,255}(?<!\.)")
# Windows keeps these names for devices, whatever follows after a dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a place offers beyond the port, for `doctor` to report; None where it cannot be told from here."""

    retention: bool | None
    """Objects can be held against deletion, also by their owner."""
    versions: bool | None
    """A deleted object can be had back."""
    free_bytes: int | None
    """What fits in before the place is full."""


class Store(Protocol):
    """Whole objects under relative names such as `DEPLOYMENT/manifests/000001.json`.

    Every method raises `Usage` for a name that `check_name` refuses, `WrongKey` when the place refuses the credentials
    and `Unavailable` when it cannot be reached, read or written, in bounded time (`Patience`). Integrity is not the
    store's business: callers compare their own hashes.
    """

    @property
    def location(self) -> str:
        """Where the objects are, without credentials."""

    @property
    def capabilities(self) -> Capabilities:
        """What the place offers now."""

    def put_new(self, name: str, data: bytes) -> None:
        """Create an object; raise `Conflict` and leave the present one as it is when the name is taken.

        Atomic: a reader sees the whole object or none, also after a crash. Durable on return, and so is the object that
        a `Conflict` speaks of. That is never the caller's own: over a network a try can succeed unseen and be made
        again, so a name that is taken by the same bytes may be answered as if it had been created.
        """

    def put_file_new(self, name: str, path: Path) -> None:
        """Create an object from a local file, holding no more than that in memory; otherwise as `put_new`."""

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        """Read an object, or `length` bytes of it from `start` on: fewer where it ends before. Raise `NotFound`."""

    def open(self, name: str) -> BinaryIO:
        """Read an object as a stream, which the caller closes; reading raises `Unavailable` too. Raise `NotFound`."""

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        """The names that start with `prefix` and come after `after`, sorted by code point.

        An object that is created or deleted meanwhile may be listed or not; all others are.
        """

    def head(self, name: str) -> int:
        """The object's size in bytes. Raise `NotFound`."""

    def written_at(self, name: str) -> datetime:
        """When the object was created, by the clock of the place. Raise `NotFound`."""

    def delete(self, name: str) -> None:
        """Remove an object, durably on return. Raise `NotFound`; of two who delete at once both may succeed."""

    def sweep(self) -> int:
        """Remove what crashed writers left of objects that nobody saw, and answer how many there were.

        A copy of an object that was created, and deleted since, can be among them.
        """


def check_name(name: str) -> None:
    """Refuse a name that not every kind of store can hold and tell apart, or that could lead out of the repository."""
    if not is_name(name):
        raise Usage(
            f"object name {name!r} is not at most {NAME_CHARACTERS_MAX} lower-case letters, digits, dots, dashes and"
            " underscores in parts joined by slashes"
        )


def is_name(name: str) -> bool:
    return len(name) <= NAME_CHARACTERS_MAX and all(_is_part(part) for part in name.split("/"))


def check_prefix(prefix: str) -> None:
    """Refuse a prefix that no name can start with; the empty one and one that ends with a slash are fine."""
    if prefix and not is_name(prefix) and not is_name(prefix + "x"):
        raise Usage(f"no object name can start with {prefix!r}")


def _is_part(part: str) -> bool:
    return (
        not part.startswith(TEMPORARY_PREFIX) and _PART.fullmatch(part) is not None and _DEVICE.fullmatch(part) is None
    )
