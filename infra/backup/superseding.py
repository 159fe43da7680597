"""Superseding: keyring files that a newer base replaced, since when, and which keyring serves in their place."""

from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from domain.errors import Corrupt, NotFound
from domain.instant import to_datetime
from infra.backup import layout, retention
from infra.backup.inventory import Inventory
from infra.backup.manifest import Manifest
from infra.backup.repository import PruneStatements, Repository

KEYRING_GRACE = timedelta(days=14)


def superseded(found: Inventory, now: str) -> Mapping[str, datetime]:
    """Return the keyring files that manifests name and the newest one's base replaced, and since when at least.

    That is told by the first manifest that does not name one, or by the statement that marked it if that one is gone.
    """
    base = _base(found.newest.manifest)
    numbers = list(found.manifests)
    times = retention.effective_times([of.backup for of in found.manifests.values()], now)
    marked: dict[str, datetime] = {}
    for statement in found.statements:  # newest first, so that the oldest counts
        marked.update(dict.fromkeys(statement.objects, to_datetime(statement.marked_at)))
    since: dict[str, datetime] = {}
    for name in found.objects:
        number = layout.keyring_sequence(name)
        use = found.use(name)
        if number is not None and number < base and use is not None:
            replaced = times[bisect_right(numbers, use.last)]
            since[name] = min(replaced, marked.get(name, replaced))
    return since


def serving(repository: Repository, of: Manifest) -> Manifest:
    """Return the manifest whose keyring holds the keys of a backup: its own, or the newest if that was superseded.

    Its own also if a file is missing that no statement allows to be: reading that is Corrupt, and says so.
    """
    gone = [entry.sequence for entry in of.keyring if not _is_there(repository, entry.name(of.deployment))]
    if not gone:
        return of
    before = PruneStatements(repository, of.deployment).missable_keyrings(of)
    if max(gone) >= before:
        return of
    for name in reversed(repository.manifest_names(of.deployment)):
        with suppress(Corrupt, NotFound):
            newest = repository.read(name).manifest
            if (newest.verifier, newest.epoch) == (of.verifier, of.epoch) and _base(newest) >= before:
                return newest
    return of


def _base(of: Manifest) -> int:
    return of.keyring[0].sequence if of.keyring else 0


def _is_there(repository: Repository, name: str) -> bool:
    try:
        repository.store.head(name)
    except NotFound:
        return False
    return True
