"""Continuation: where the next backup of a log goes on, after the log and the repository were found to agree.

Memory, repository and log are read in this order, so that a run never takes the progress of another for a rollback.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.errors import Corrupt, NotFound, Refused
from infra.backup import layout
from infra.backup.divergence import Disagreement
from infra.backup.manifest import AnswersEntry, KeyringEntry, SegmentEntry
from infra.backup.repository import Repository, Stored
from infra.database.session import Session
from infra.keys.signer import Verifier
from infra.log import event_table
from infra.log.head import Head
from infra.log.merkle import Frontier, leaf_hash


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest manifest, if there is one, and the names of those after it that carry no valid signature.

    `last` is the last one that this deployment remembers.
    """

    last: Stored | None
    stored: Stored | None
    void: tuple[str, ...]

    @property
    def sequence(self) -> int:
        """The number of the newest object at a manifest's name, 0 if there is none."""
        if self.void:
            return layout.manifest_sequence(self.void[-1]) or 0
        return self.stored.manifest.sequence if self.stored else 0


@dataclass(frozen=True, slots=True)
class Continuation:
    """The newest manifest, if there is one, and what the next one says of what is before it."""

    stored: Stored | None
    previous: str
    sequence: int
    void: tuple[str, ...]
    frontier: Frontier

    @property
    def position(self) -> int:
        """The last position that is backed up."""
        return self.frontier.size

    @property
    def segments(self) -> tuple[SegmentEntry, ...]:
        """The segments that the next manifest begins with."""
        return self.stored.manifest.segments if self.stored else ()

    @property
    def answers(self) -> AnswersEntry | None:
        """The answers that the next one takes over unless it has its own."""
        return self.stored.manifest.answers if self.stored else None

    @property
    def keyring(self) -> tuple[KeyringEntry, ...]:
        """The keyring files that the next one may build on."""
        return self.stored.manifest.keyring if self.stored else ()


def find_newest(repository: Repository, at: Head, signer: Verifier, last: Stored | None) -> Newest:
    """Return the newest manifest of the deployment, whose signer and whose last remembered manifest are given.

    Refused if the repository lost manifests that this deployment wrote, Corrupt if somebody else wrote into its chain:
    the next backup would cover up what happened.
    """
    void: list[str] = []
    stored: Stored | None = None
    for name in _newest_first(repository, at.deployment, last):
        try:
            stored = _read_twice(repository, name)
        except (Corrupt, NotFound):
            void.insert(0, name)
            continue
        if stored.manifest.verifier != str(signer) or stored.manifest.epoch != at.epoch:
            raise Corrupt(
                f"{name} is signed by another signer than this deployment's: somebody else writes into its backups, "
                "remove it and find out who"
            )
        repository.checked(stored)
        break
    newest = Newest(last, stored, tuple(void))
    if last is not None:
        _check_not_rolled_back(last, newest, repository)
        _check_follows(last, newest)
    if newest.sequence >= layout.SEQUENCE_MAX:
        raise Corrupt(f"{newest.void[-1]} leaves no number for another manifest: somebody else put it there, remove it")
    return newest


def _read_twice(repository: Repository, name: str) -> Stored:
    """Return a signed manifest; what is listed as void stays void, and one wrong read must not decide over it."""
    try:
        return repository.signed(name)
    except Corrupt:
        return repository.signed(name)


def _newest_first(repository: Repository, deployment: str, last: Stored | None) -> Iterator[str]:
    """Yield the names of the manifests; those before the remembered one are listed only if none after it serves."""
    since = last.manifest.sequence if last is not None else 0
    recent = repository.manifest_names(deployment, since=since)
    yield from reversed(recent)
    if since:
        earlier = repository.manifest_names(deployment)
        yield from (name for name in reversed(earlier) if not recent or name < recent[0])


def continue_from(session: Session, at: Head, newest: Newest) -> Continuation:
    """Return where to go on; raises Disagreement if the log does not hold what was backed up."""
    stored = newest.stored
    frontier = Frontier()
    if stored is not None:
        frontier = _agreeing_frontier(session, at, newest.last, stored)
    return Continuation(
        stored=stored,
        previous=stored.sha256 if stored else "",
        sequence=newest.sequence + 1,
        void=newest.void,
        frontier=frontier,
    )


def _check_not_rolled_back(last: Stored, found: Newest, repository: Repository) -> None:
    """Refuse a repository that went backwards behind what this deployment saw there last."""
    seen = f"manifest {last.manifest.sequence} of {last.manifest.created_at} (position {last.manifest.last})"
    newest = found.stored.manifest.sequence if found.stored else 0
    if found.stored is not None and newest == last.manifest.sequence and found.stored.sha256 != last.sha256:
        raise Corrupt(
            f"the repository holds another {seen} than this deployment wrote: somebody replaced it, or a copy of this "
            "deployment writes here too; bring back the right one, begin another repository with --new-repository, or "
            "if this is the copy, make it a deployment of its own with `resurgam fork --anyway`"
        )
    if newest < last.manifest.sequence and last.manifest.name not in found.void:
        raise Refused(
            f"the repository {repository.store.location} went backwards: this deployment wrote {seen}, "
            f"the newest there is {newest or 'none'}: bring back what is missing, from a copy or from older versions "
            "of the objects, or begin another repository with `resurgam backup run --repository URL --new-repository`; "
            "what is there can still be recovered, up to where it goes",
            rule="repository-goes-forward",
            resource=last.manifest.name,
        )


def _check_follows(last: Stored, found: Newest) -> None:
    """Raise Corrupt if the newest manifest leaves out the one that this deployment remembers, or part of it.

    Those between the two, if there are any, are not read.
    """
    stored = found.stored
    if stored is None or stored.manifest.sequence <= last.manifest.sequence:
        return
    of = stored.manifest
    if of.last < last.manifest.last:
        raise Corrupt(
            f"{of.name} covers less than {last.manifest.name}, which this deployment wrote: find out who did it"
        )
    is_next = of.sequence == last.manifest.sequence + 1 + len(of.void)
    if is_next and of.previous != last.sha256:
        raise Corrupt(
            f"{of.name} does not follow {last.manifest.name}, which this deployment wrote: a copy of this deployment "
            "writes here too; if this is the copy, make it a deployment of its own with `resurgam fork --anyway`"
        )


def _agreeing_frontier(session: Session, at: Head, last: Stored | None, stored: Stored) -> Frontier:
    """Return the log's frontier where the newest manifest ends; raises Disagreement unless it is the manifest's.

    Takes O(records since the last manifest that this deployment remembers), or O(log) if it remembers none.
    """
    backed_up = stored.manifest
    if backed_up.last > at.position:
        raise Disagreement(
            f"the log ends at position {at.position}, its own backup {backed_up.name} at position {backed_up.last}: "
            "the store was set back, or took over without the last records"
        )
    expected = _frontier_after(stored)
    # What this deployment wrote itself was compared then, and Merkle roots carry it on.
    found = expected if last == stored else _frontier_of_log(session, last, backed_up.last)
    if found != expected or (at.position == backed_up.last and at.frontier != expected):
        raise Disagreement(
            f"the log no longer agrees with its own backup {backed_up.name} up to position {backed_up.last}: records "
            "were changed, or the store was set back; `resurgam log verify` tells whether the log is in order"
        )
    return expected


def _frontier_after(stored: Stored) -> Frontier:
    segments = stored.manifest.segments
    return segments[-1].frontier_after() if segments else Frontier()


def _frontier_of_log(session: Session, last: Stored | None, until: int) -> Frontier:
    """Return the frontier of the log up to a position, computed on from the remembered manifest if it can be."""
    frontier = _frontier_after(last) if last is not None and last.manifest.last <= until else Frontier()
    for record in event_table.records(session, after=frontier.size, until=until):
        frontier.append(leaf_hash(record))
    return frontier
