"""The port to a place that keeps whole objects under names and never overwrites one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from domain.errors import Usage

NAME_CHARACTERS_MAX = 512
TEMPORARY_PREFIX = ".tmp-"

_PART = re.compile(r"[A-Za-z0-9._-]{1,255}")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a place offers beyond the port, for `doctor` to report."""

    retention: bool
    """Objects can be held against deletion, also by their owner."""
    versions: bool
    """A deleted object can be had back."""


class Store(Protocol):
    """Whole objects under relative names such as `DEPLOYMENT/manifests/000001.json`.

    Every method raises `Usage` for a name that `check_name` refuses and `Unavailable` when the place cannot be reached,
    read or written. Integrity is not the store's business: callers compare their own hashes.
    """

    @property
    def location(self) -> str:
        """Where the objects are, without credentials."""

    @property
    def capabilities(self) -> Capabilities: ...

    def put_new(self, name: str, data: bytes) -> None:
        """Create an object; raise `Conflict` and leave the present one as it is when the name is taken.

        Atomic: a reader sees the whole object or none, also after a crash. Durable on return, and so is the object that
        a `Conflict` speaks of.
        """

    def put_file_new(self, name: str, path: Path) -> None:
        """Create an object from a local file without holding it in memory; otherwise as `put_new`."""

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

    def delete(self, name: str) -> None:
        """Remove an object, durably on return. Raise `NotFound`."""


def check_name(name: str) -> None:
    """Refuse a name that not every kind of store can hold, or that could lead out of the repository."""
    if not is_name(name):
        raise Usage(
            f"object name {name!r} is not at most {NAME_CHARACTERS_MAX} letters, digits, dots, dashes and underscores"
            " in parts joined by slashes"
        )


def is_name(name: str) -> bool:
    return len(name) <= NAME_CHARACTERS_MAX and all(_is_part(part) for part in name.split("/"))


def check_prefix(prefix: str) -> None:
    """Refuse a prefix that no name can start with; the empty one and one that ends with a slash are fine."""
    if prefix and not is_name(prefix.removesuffix("/")):
        raise Usage(f"no object name can start with {prefix!r}")


def _is_part(part: str) -> bool:
    return part not in (".", "..") and not part.startswith(TEMPORARY_PREFIX) and _PART.fullmatch(part) is not None
