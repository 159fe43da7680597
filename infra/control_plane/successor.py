"""A successor: the deployment as which a store goes on after a recovery, a fork, or the loss of its root key."""

from dataclasses import replace
from typing import Literal
from uuid import uuid4

from domain.command import Command, Prepared
from domain.control_plane import decide
from infra.backup import manifest, memory
from infra.backup.manifest import Ancestor
from infra.backup.repository import Stored
from infra.control_plane.batch import Batch
from infra.control_plane.job import Item
from infra.control_plane.preparing import Preparation
from infra.control_plane.request import Request
from infra.database.session import Session
from infra.keys.root_key import RootKey
from infra.keys.signer import Signer
from infra.log import head
from infra.log.head import Head
from infra.log.record import Actor
from infra.state.snapshot import HeadLoader
from projections.current import Current


def ancestor(stored: Stored, position: int, by: Literal["fork"] | None = None) -> Ancestor:
    """Return what the manifests of a successor say of the backup that it comes from, up to a position."""
    of = stored.manifest
    return Ancestor(
        deployment=of.deployment,
        sequence=of.sequence,
        manifest_sha256=stored.sha256,
        position=position,
        checkpoint=of.checkpoint,
        by=by,
    )


def begin(
    session: Session, at: Head, root_key: RootKey, comes_from: Ancestor, parent_epoch: str
) -> tuple[Head, Signer]:
    """Give the store a new id, epoch and signer; the backups of whom it was are forgotten, but for the ancestor."""
    deployment = str(uuid4())
    opened = replace(at, deployment=deployment, epoch=str(uuid4()), parent_epoch=parent_epoch)
    head.write(session, opened)
    signer = Signer.generate(manifest.origin(deployment))
    memory.put_signer(session, signer, root_key)
    memory.forget_backups(session, comes_from)
    return opened, signer


def record(session: Session, opened: Head, root_key: RootKey, actor: Actor, command: Command, reason: str) -> Head:
    """Record the first command of the new epoch, one that needs nothing prepared; returns the head after it."""
    loader = HeadLoader()
    loader.session = session
    world = Current(loader)
    batch = Batch(session, opened, world)
    request = Request(command, reason=reason)
    prepared = Prepared(str(uuid4()))
    item = Item(request, actor, Preparation(prepared), prepared.id, request.digest)
    batch.accept(item, decide(world, batch.instant, prepared, command))
    batch.write(root_key)
    return head.read(session)
