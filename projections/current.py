"""The world at the head: versions and links by id, loaded on demand, changed as commands are accepted."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from domain.resource import Resource
from domain.resource_id import fold
from projections.version import Change, Version


class Loader(Protocol):
    """Where the current rows come from on a miss; the head must not move between two calls of one batch."""

    def version(self, resource: str) -> Version | None:
        """Return the open version of a folded id with its links; None if there never was one.

        A deleted resource has one as well.
        """

    def sources(self, target: str, relation: str) -> Iterable[str]:
        """Return the folded sources of the open links to a folded target."""


class Nowhere:
    """A loader that knows nothing: the world starts empty."""

    def version(self, resource: str) -> Version | None:
        """See Loader."""
        return None

    def sources(self, target: str, relation: str) -> Iterable[str]:
        """See Loader."""
        return ()


class Current:
    """A World over a loader, with a cache that also remembers what does not exist.

    A change is applied when its command is accepted; if its transaction then fails, `forget` everything.
    """

    def __init__(self, loader: Loader | None = None) -> None:
        self.loader: Loader = loader or Nowhere()
        self._versions: dict[str, Version | None] = {}
        self._sources: dict[tuple[str, str], set[str]] = {}
        self._pending: dict[tuple[str, str], dict[str, bool]] = {}

    def __len__(self) -> int:
        return len(self._versions)

    def find(self, resource_id: str) -> Resource | None:
        """See domain.resource.World."""
        version = self.version(fold(resource_id))
        return None if version is None else version.shown()

    def sources(self, target: str, relation: str) -> Sequence[str]:
        """See domain.resource.World."""
        key = (fold(target), relation)
        known = self._sources.get(key)
        if known is None:
            known = set(self.loader.sources(*key))
            for source, is_open in self._pending.pop(key, {}).items():
                (known.add if is_open else known.discard)(source)
            self._sources[key] = known
        return sorted(known)

    def version(self, resource: str) -> Version | None:
        """Return the newest version of a folded id, deleted or not."""
        try:
            return self._versions[resource]
        except KeyError:
            found = self._versions[resource] = self.loader.version(resource)
            return found

    def apply(self, change: Change) -> None:
        """Make an accepted change part of the world."""
        source = change.after.resource
        self._versions[source] = change.after
        for (relation, target), _ in change.closed:
            self._link(source, relation, target, False)
        for relation, target in change.opened:
            self._link(source, relation, target, True)

    def forget(self) -> None:
        """Drop everything: it is loaded again when asked for."""
        self._versions.clear()
        self._sources.clear()
        self._pending.clear()

    def settle(self) -> None:
        """Say that every applied change can now be seen through the loader."""
        self._pending.clear()

    def _link(self, source: str, relation: str, target: str, is_open: bool) -> None:
        known = self._sources.get((target, relation))
        if known is None:
            # Loading a popular target only to add one source would cost more than remembering the one.
            self._pending.setdefault((target, relation), {})[source] = is_open
        elif is_open:
            known.add(source)
        else:
            known.discard(source)
