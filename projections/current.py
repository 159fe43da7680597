"""The world at the head: versions and links by id, loaded on demand, changed as commands are accepted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from domain.resource import Resource
from domain.resource_id import fold
from projections.version import Change, LinkKey, Version


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
            known = self._learn_sources(key, self.loader.sources(*key))
        return sorted(known)

    def version(self, resource: str) -> Version | None:
        """Return the newest version of a folded id, deleted or not."""
        try:
            return self._versions[resource]
        except KeyError:
            found = self._versions[resource] = self.loader.version(resource)
            return found

    def learn(
        self, versions: Mapping[str, Version | None], sources: Mapping[tuple[str, str], Iterable[str]] | None = None
    ) -> None:
        """Take what a loader would answer, so that it need not be asked for it one by one; see `Foresight`."""
        self._versions.update(versions)
        for key, found in (sources or {}).items():
            self._learn_sources(key, found)

    def catch_up(self, version: Version, opened: Iterable[LinkKey], closed: Iterable[LinkKey]) -> None:
        """Take the newest version of a resource that others changed, and its links since what was seen before."""
        source = version.resource
        self._versions[source] = version
        for relation, target in closed:
            self._sources.get((target, relation), set()).discard(source)
        for relation, target in opened:
            self._sources.get((target, relation), set()).add(source)

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

    def _learn_sources(self, key: tuple[str, str], found: Iterable[str]) -> set[str]:
        known = set(found)
        for source, is_open in self._pending.pop(key, {}).items():
            (known.add if is_open else known.discard)(source)
        self._sources[key] = known
        return known

    def _link(self, source: str, relation: str, target: str, is_open: bool) -> None:
        known = self._sources.get((target, relation))
        if known is None:
            # Loading a popular target only to add one source would cost more than remembering the one.
            self._pending.setdefault((target, relation), {})[source] = is_open
        elif is_open:
            known.add(source)
        else:
            known.discard(source)


class Foresight:
    """A World of what is in a cache: it notes what it is asked beyond that, and answers as if there were nothing.

    Decisions that are tried on it, and whose outcome is dropped, tell most of what deciding them will ask.
    """

    def __init__(self, world: Current) -> None:
        self._versions = world._versions
        self._sources = world._sources
        self._resources: set[str] = set()
        self._targets: set[tuple[str, str]] = set()

    def find(self, resource_id: str) -> Resource | None:
        """See domain.resource.World."""
        resource = fold(resource_id)
        if resource not in self._versions:
            self._resources.add(resource)
        version = self._versions.get(resource)
        return None if version is None else version.shown()

    def sources(self, target: str, relation: str) -> Sequence[str]:
        """See domain.resource.World."""
        key = (fold(target), relation)
        if key not in self._sources:
            self._targets.add(key)
        return sorted(self._sources.get(key, ()))

    def unknown(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Return the folded ids and the pairs of target and relation that were asked for and are not in the cache."""
        return list(self._resources), list(self._targets)
