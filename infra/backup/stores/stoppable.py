"""A store that takes no new large object once its user is to stop: what is under way is finished, and stated."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from infra.backup.stores.store import Store


class Stopped(Exception):
    """The user of a store is to stop; what it has put so far is whole."""


class _Stoppable:
    def __init__(self, store: Store, is_stopping: Callable[[], bool]) -> None:
        self._store = store
        self._is_stopping = is_stopping

    def put_file_new(self, name: str, path: Path) -> None:
        if self._is_stopping():
            raise Stopped
        self._store.put_file_new(name, path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def stoppable(store: Store, is_stopping: Callable[[], bool]) -> Store:
    """Return the store, whose `put_file_new` raises Stopped from the moment on when it `is_stopping`.

    Manifests, which are small and come last, are still taken: a backup that is complete but for its manifest is stated.
    """
    return cast(Store, _Stoppable(store, is_stopping))
