"""Restoration of a lost root key over an intact store: the newest backup's keyring is wrapped by a new root key.

The signer was wrapped by the lost key, so the deployment goes on as a new one: decision 18.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.deployment import RecordRootKeyRestoration
from domain.errors import Corrupt, NotFound, Refused, WrongKey
from domain.sealed_value import SealedValue, sealed_values
from infra.backup import endorsement, keyring_file, lines_file, memory
from infra.backup.age import AgeIdentity
from infra.backup.continuation import continue_from, find_newest
from infra.backup.keyring_file import Contents
from infra.backup.repository import Repository, Stored
from infra.backup.segment import OpenerOf
from infra.control_plane import successor
from infra.database.session import Database, Session
from infra.keys import base64_text, keyring
from infra.keys.root_key import FileRootKey, RootKey
from infra.keys.sealing import unseal
from infra.keys.signer import Verifier
from infra.log import head
from infra.log.head import Head
from infra.log.record import Actor
from infra.state.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Lost:
    """A sealed value whose key was added after the newest backup, and went with the root key."""

    resource: str
    purpose: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Source:
    """The backup that the keys come from, why its signer is believed, and the keys."""

    stored: Stored
    trust: str
    contents: Contents


@dataclass(frozen=True, slots=True)
class Restored:
    """A store that is whole again: its new head, root key and signer, and what stays lost."""

    source: Source
    head: Head
    root_key: RootKey
    verifier: Verifier
    keys: int
    lost: Sequence[Lost]


def find(
    database: Database,
    repository: Repository,
    identities: Sequence[AgeIdentity],
    named: Verifier | None = None,
    *,
    first_use: bool = False,
) -> Source:
    """Return the keys of the store's newest backup.

    Corrupt unless the backup is of this very log, by a signer that the store remembers or that is believed otherwise,
    and Refused if the repository lost what this deployment wrote there.
    """
    with database.read() as session:
        at = head.read_open(session)
        last = memory.last_manifest(session, repository.id)
        remembered = [stored.manifest.signer() for stored in memory.last_manifests(session)]
    names = repository.manifest_names(at.deployment)
    if not names:
        raise NotFound(f"{repository.store.location} holds no backup of deployment {at.deployment}")
    signer = remembered[0] if remembered else repository.signed(names[-1]).manifest.signer()
    newest = find_newest(repository, at, signer, last)
    if newest.stored is None:
        raise Corrupt(f"{repository.store.location} holds no intact backup of deployment {at.deployment}")
    of = newest.stored.manifest
    endorsement.check_identities(of, identities)
    trust = "Remembered"
    if named is not None or not remembered:
        trust = endorsement.trust(of, identities, named, first_use=first_use).reason
    with database.read() as session:
        continue_from(session, head.read_open(session), newest)
    return Source(
        newest.stored, trust, keyring_file.read_all(repository, of, OpenerOf(lines_file.with_identities(identities)))
    )


def restore(
    database: Database, root_key_file: Path, source: Source, actor: Actor, *, accepts_loss: bool = False
) -> Restored:
    """Wrap the keys by the root key of a file, made now if there is none, and open the store as a new deployment.

    Every live sealed value is opened once. Refused, listing them, if some cannot be any more, unless the operator
    `accepts_loss`: then they are destroyed. A refusal or a crash leaves the store as it was.
    """
    with database.write() as session:
        at = head.read_open(session, lock=True)
        of = source.stored.manifest
        if (at.deployment, at.epoch) != (of.deployment, of.epoch):
            raise Refused("the store became another deployment meanwhile: look what happened", rule="store-is-the-same")
        lost = list(_lost(session, at, source.contents))
        if lost and not accepts_loss:
            listed = "\n".join(f"  {one.resource} ({one.purpose})" for one in lost)
            raise Refused(
                f"{len(lost)} sealed values are newer than backup {of.sequence}, and their keys are lost for ever:\n"
                f"{listed}\nlook for a copy of the root key or a newer backup; --accept-loss goes on without them",
                rule="no-value-is-lost",
            )
        root_key = FileRootKey.take(root_key_file)
        _check_is_lost(session, root_key)
        keys = _rewrap(session, at, source.contents, root_key)
        comes_from = successor.ancestor(source.stored, of.last)
        opened, signer = successor.begin(session, at, root_key, comes_from, at.epoch)
        command = _record_of(opened, at, source, keys, len(lost))
        final = successor.record(session, opened, root_key, actor, command, "the root key was lost")
    database.erase_remains()
    with database.read() as session:
        memory.check_all(session, root_key)
        keyring.check_all(session, root_key)
    return Restored(source, final, root_key, signer.verifier, keys, lost)


def _check_is_lost(session: Session, root_key: RootKey) -> None:
    try:
        memory.get_signer(session, root_key)
    except WrongKey:
        return
    raise Refused(f"the root key {root_key.id} opens the store: nothing is to be restored", rule="root-key-is-lost")


def _lost(session: Session, at: Head, contents: Contents) -> Iterator[Lost]:
    """Open every sealed value of the state, and yield those whose key the backup does not hold."""
    for resource in Snapshot(session, at.position).all():
        for value in sealed_values(resource.state):
            if not _opens(value, resource.id, contents):
                yield Lost(resource.id, value["purpose"], value["keyId"])


def _opens(value: SealedValue, resource: str, contents: Contents) -> bool:
    live = contents.live.get(value["keyId"])
    if live is None:
        return False
    unseal(value, live[0], purpose=value["purpose"], resource=resource)
    return True


def _rewrap(session: Session, at: Head, contents: Contents, root_key: RootKey) -> int:
    """Wrap the live keys anew, and destroy those that are lost; returns how many live."""

    def wrapped(key_id: str) -> bytes | None:
        live = contents.live.get(key_id)
        return root_key.wrap(key_id, live[0].secret) if live is not None else None

    return keyring.replace_wrapped(session, root_key.id, wrapped, at.position + 1)


def _record_of(opened: Head, before: Head, source: Source, keys: int, lost: int) -> RecordRootKeyRestoration:
    """Return what the first event of the new epoch says."""
    of = source.stored.manifest
    return RecordRootKeyRestoration.model_validate(
        {
            "deployment_id": opened.deployment,
            "ancestor_deployment_id": before.deployment,
            "epoch": opened.epoch,
            "parent_epoch": before.epoch,
            "manifest_sequence": of.sequence,
            "backup_position": of.last,
            "checkpoint_root": base64_text.encode(of.opened_checkpoint().root),
            "signer_trust": source.trust,
            "restored_keys": keys,
            "lost_keys": lost,
        }
    )
