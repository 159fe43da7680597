"""Rekeying: everything that the newest backup names is sealed again, to the present recipients and to nobody else."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.backup import run, turn
from infra.backup.audience import stale
from infra.backup.repository import Repository
from infra.backup.run import Outcome
from infra.database.session import Database
from infra.keys.root_key import RootKey
from projections.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What was done: the last run, how many manifests were written, and how many bytes of objects."""

    last: Outcome
    manifests: int
    size_bytes: int


def rekey(
    database: Database,
    root_key: RootKey,
    repository: Repository,
    clock: Callable[[], str],
    progress: Progress = silent,
) -> Rekeyed:
    """Write the log's own records and keys again for the present recipients; this needs no identity.

    It goes on in steps of one segment, each a manifest of its own, so that what was killed goes on from there. Other
    runs on this store wait for a step; one that is lost nevertheless is planned again.
    """
    manifests = size_bytes = 0
    while True:
        with turn.taken(database):
            outcome = run.run(database, root_key, repository, clock, progress, rekeys=True)
        manifests += outcome.is_new
        size_bytes += outcome.size_bytes
        if not stale(outcome.manifest, outcome.manifest.recipients):
            return Rekeyed(outcome, manifests, size_bytes)
