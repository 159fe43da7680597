"""Restorations: resources of a running deployment get the states back that a backup has of them.

They are compensating events: what happened since stays in the history, and each resource says what it became and
from where. What contradicts the world as it is was left out before, see domain.restoration_rules.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field

from domain.altered_world import Alteration, AlteredWorld
from domain.command import Command, Guid, Id, Prepared
from domain.deployment import DEPLOYMENT_ID, NonEmpty, Position
from domain.errors import Refused
from domain.event import Event, Nothing
from domain.instant import Instant
from domain.resource import Kind, World
from domain.restoration_rules import must_leave_an_owner
from domain.restored import RestoredFrom, SignerTrust


class Source(BaseModel):
    """Where the states come from; the fields are those of RestoredFrom."""

    model_config = Command.model_config

    deployment_id: Guid
    manifest_sequence: Position
    checkpoint_root: NonEmpty
    signer_trust: SignerTrust
    position: Position
    recorded_at: Instant

    def fields(self) -> RestoredFrom:
        """Return the source as an event holds it."""
        return RestoredFrom(
            deploymentId=self.deployment_id,
            manifestSequence=self.manifest_sequence,
            checkpointRoot=self.checkpoint_root,
            signerTrust=self.signer_trust,
            position=self.position,
            recordedAt=self.recorded_at,
        )


class RestoredResource(BaseModel):
    """A resource and the state that it gets; None for one that is to be no more."""

    model_config = Command.model_config

    id: Id
    kind: NonEmpty
    state: dict[str, Any] | None


class RestoreResources(Command):
    """Give resources the states of a backup, and end those that it does not have."""

    action: ClassVar[str] = "Resurgam.Admin/deployments/recover/action"

    source: Source
    resources: Annotated[tuple[RestoredResource, ...], Field(strict=False)]

    def scope(self) -> str:
        return DEPLOYMENT_ID


def restore_resources(world: World, now: str, prepared: Prepared, command: RestoreResources) -> list[Event]:
    """Each kind can be restored, and somebody remains Owner at the root '/'; what is as it should be stays."""
    from domain.control_plane import KINDS  # of which this module is a part

    wanted = [_alteration(world, KINDS, one) for one in command.resources]
    alterations = [one for one in wanted if one.before != one.after]
    source = command.source.fields()
    events = [_event(one, source) for one in alterations]
    must_leave_an_owner(world, AlteredWorld(world, alterations))
    return events


def _alteration(world: World, kinds: Mapping[str, Kind[Any]], one: RestoredResource) -> Alteration:
    kind, found = kinds.get(one.kind), world.find(one.id)
    if kind is None or kind.restored is None or (found is not None and found.kind != kind.name):
        raise Refused(
            f"{one.id} cannot be restored as a {one.kind}: leave it out", rule="kind-restorable", resource=one.id
        )
    return Alteration(kind, one.id, None if found is None else found.state, one.state)


def _event(one: Alteration, source: RestoredFrom) -> Event:
    if one.after is not None:
        assert one.kind.restored is not None
        return one.kind.restored(one.id, {"source": source, "state": one.after})
    if one.kind.ended is None:
        raise Refused(f"{one.id} stays for ever: end it by its own commands", rule="stays-for-ever", resource=one.id)
    assert one.before is not None
    return one.kind.ended(str(one.before["id"]), Nothing())


DECISIONS = {RestoreResources: restore_resources}
KINDS = ()
