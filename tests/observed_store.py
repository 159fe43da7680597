"""A store that tells of every call, so that a test can fail it, or let something else happen in between."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from infra.backup.stores.store import Capabilities, Store

Observer = Callable[[str, str], None]
"""Is told the method and the name, and may raise."""


class Crash(Exception):
    """The end of a process: nothing in the code under test knows it."""


class ObservedStore:
    """Does what another store does, and tells of it before and after."""

    def __init__(self, store: Store, before: Observer | None = None, after: Observer | None = None) -> None:
        self._store = store
        self._before = before or silent
        self._after = after or silent

    @property
    def location(self) -> str:
        return self._store.location

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    def put_new(self, name: str, data: bytes) -> None:
        self._before("put_new", name)
        self._store.put_new(name, data)
        self._after("put_new", name)

    def put_file_new(self, name: str, path: Path) -> None:
        self._before("put_file_new", name)
        self._store.put_file_new(name, path)
        self._after("put_file_new", name)

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        self._before("get", name)
        data = self._store.get(name, start=start, length=length)
        self._after("get", name)
        return data

    def open(self, name: str) -> BinaryIO:
        self._before("open", name)
        stream = self._store.open(name)
        self._after("open", name)
        return stream

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        self._before("list", prefix)
        names = list(self._store.list(prefix, after=after))
        self._after("list", prefix)
        return iter(names)

    def head(self, name: str) -> int:
        self._before("head", name)
        size = self._store.head(name)
        self._after("head", name)
        return size

    def written_at(self, name: str) -> datetime:
        self._before("written_at", name)
        written = self._store.written_at(name)
        self._after("written_at", name)
        return written

    def sweep(self) -> int:
        self._before("sweep", "")
        swept = self._store.sweep()
        self._after("sweep", "")
        return swept

    def delete(self, name: str) -> None:
        self._before("delete", name)
        self._store.delete(name)
        self._after("delete", name)


class CrashAt:
    """An observer that crashes at one call, counted from 1, and at every one after it."""

    def __init__(self, call: int) -> None:
        self.left = call

    def __call__(self, method: str, name: str) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Crash(f"{method} {name}")


def silent(method: str, name: str) -> None:
    """Observe nothing."""
