"""Holes: manifests that are missing from a chain, found by their names alone."""

from itertools import pairwise

from infra.backup import layout
from infra.backup.manifest import Manifest
from infra.backup.repository import PruneStatements, Repository


def check(repository: Repository, newest: Manifest) -> None:
    """Raise Corrupt if a manifest is missing that no prune statement allows to be; the manifests are not read.

    Only if nothing explains a number that is missing the whole chain is: garbage at a greater number may have been the
    reason to leave it out, and then the next manifest says so.
    """
    names = repository.manifest_names(newest.deployment)
    numbers = [0, *(layout.manifest_sequence(name) or 0 for name in names)]
    holes = [(before + 1, after - 1) for before, after in pairwise(numbers) if after > before + 1]
    if not holes:
        return
    gaps = PruneStatements(repository, newest.deployment).gaps(newest)
    if not all(gaps.cover(first, last) for first, last in holes):
        for _ in repository.chain(newest.deployment):
            pass
