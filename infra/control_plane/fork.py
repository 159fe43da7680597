"""Fork: a log that no longer agrees with its own backups goes on as a deployment of its own, in one transaction."""

from dataclasses import dataclass

from domain.deployment import RecordFork
from domain.errors import Conflict, Corrupt, NotFound, Refused
from infra.backup import divergence, memory
from infra.backup.divergence import Divergence
from infra.backup.repository import Repository, Stored
from infra.control_plane import successor
from infra.database.session import Database, Session
from infra.keys import base64_text
from infra.keys.root_key import RootKey
from infra.keys.signer import Verifier
from infra.log import head
from infra.log.head import Head
from infra.log.record import Actor


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fork is about to part, and where; `is_needed` is false if log and backup agree."""

    found: Divergence
    is_needed: bool


@dataclass(frozen=True, slots=True)
class Forked:
    """What was done: `head` is that of the new deployment, after the event that records it."""

    plan: Plan
    head: Head
    verifier: Verifier


def plan(database: Database, root_key: RootKey, repository: Repository) -> Plan:
    """Compare the log with its newest backup; nothing is changed.

    NotFound if there is no backup to part from, Corrupt if it is not this deployment's, or if the log itself is
    damaged: then only a recovery helps.
    """
    with database.read() as session:
        deployment = head.read_open(session).deployment
        signer = memory.get_signer(session, root_key)
    stored = repository.newest(deployment)
    if stored is None:
        raise NotFound(f"{repository.store.location} holds no backup of this deployment: there is nothing to fork from")
    if stored.manifest.verifier != str(signer.verifier):
        raise Corrupt(
            f"{stored.manifest.name} is signed by another signer than this deployment's: find out who wrote it"
        )
    with database.read() as session:
        at = head.read_open(session)
        found = divergence.find(session, at, repository, stored, root_key)
        planned = Plan(found or _agreeing(session, at, repository, stored), found is not None)
    if not planned.found.is_sound:
        raise Corrupt("\n".join(["a log that is damaged is not forked", *planned.found.exits()]))
    return planned


def _agreeing(session: Session, at: Head, repository: Repository, stored: Stored) -> Divergence:
    """Return that the log holds all that was backed up."""
    last = stored.manifest.last
    return Divergence(
        backup=stored,
        log=at,
        location=repository.store.location,
        agreed=last,
        agreed_at=stored.manifest.recorded_at,
        differs=last + 1,
        record=None,
        is_sound=divergence.is_sound(session, at),
    )


def fork(
    database: Database, root_key: RootKey, planned: Plan, actor: Actor, reason: str = "", *, anyway: bool = False
) -> Forked:
    """Give the store a new identity, and record where it comes from; the ancestor's chain is never written again.

    Refused if nothing is wrong, unless `anyway`: for a copy of a store that is to live beside the original.
    """
    if not planned.is_needed and not anyway:
        of = planned.found.backup.manifest
        raise Refused(
            f"nothing is wrong: the log holds all that {of.name} does, up to position {of.last}; back up, or if this "
            "is a copy that is to live beside the original, give --anyway",
            rule="fork-is-needed",
            resource=of.name,
        )
    with database.write() as session:
        at = head.read_open(session, lock=True)
        before = planned.found.log
        if (at.deployment, at.epoch) != (before.deployment, before.epoch):
            raise Conflict(f"the store is deployment {at.deployment} by now, not {before.deployment}: look again")
        comes_from = successor.ancestor(planned.found.backup, planned.found.agreed, by="fork")
        opened, signer = successor.begin(session, at, root_key, comes_from, at.epoch)
        command = _record_of(at, opened, planned.found)
        why = reason or "the log no longer agrees with its own backups"
        return Forked(planned, successor.record(session, opened, root_key, actor, command, why), signer.verifier)


def _record_of(at: Head, opened: Head, found: Divergence) -> RecordFork:
    """Return what the first event of the new epoch says."""
    of = found.backup.manifest
    return RecordFork(
        deployment_id=opened.deployment,
        ancestor_deployment_id=of.deployment,
        epoch=opened.epoch,
        parent_epoch=at.epoch,
        manifest_sequence=of.sequence,
        backup_position=of.last,
        backup_recorded_at=of.recorded_at,
        backup_root=base64_text.encode(of.opened_checkpoint().root),
        log_position=at.position,
        log_root=base64_text.encode(at.root),
        agreed_position=found.agreed,
    )
