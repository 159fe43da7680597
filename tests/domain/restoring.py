"""Restorations in memory: what differs between two control planes in a service, and what becomes of it."""

from collections.abc import Iterable, Iterator
from typing import Any

from domain.altered_world import Alteration
from domain.control_plane import KINDS
from domain.event import Event
from domain.resource import Kind
from domain.restoration import RestoredResource, RestoreResources, Source
from domain.restoration_rules import Vetted, vet
from tests.domain.scenario import NOW, ControlPlane

SOURCE = Source(
    deployment_id="90000000-0000-4000-9000-000000000001",
    manifest_sequence=7,
    checkpoint_root="cm9vdA==",
    signer_trust="Named",
    position=42,
    recorded_at=NOW,
)


def kinds_of(*services: str) -> list[Kind[Any]]:
    """The kinds of services that can be restored; of all, if none is named."""
    return [kind for kind in KINDS.values() if kind.restored is not None and (not services or kind.service in services)]


def differences(live: ControlPlane, then: ControlPlane, *services: str) -> list[Alteration]:
    """What would have to change for the services to be again as they were then."""
    return list(_differences(live, then, {kind.name: kind for kind in kinds_of(*services)}))


def _differences(live: ControlPlane, then: ControlPlane, kinds: dict[str, Kind[Any]]) -> Iterator[Alteration]:
    now, past = live.resources(), then.resources()
    for key in sorted({*now, *past}):
        old, new = past.get(key), now.get(key)
        old = old if old is not None and old.kind in kinds else None
        new = new if new is not None and new.kind in kinds and (old is None or old.kind == new.kind) else None
        before, after = new.state if new else None, old.state if old else None
        found = old or new
        if found is not None and before != after:
            yield Alteration(kinds[found.kind], found.id, before, after)


def vetted(live: ControlPlane, then: ControlPlane, *services: str) -> Vetted:
    """What of the differences can be restored."""
    return vet(live.world, then.world, differences(live, then, *services))


def restore(wanted: Iterable[Alteration]) -> RestoreResources:
    """The command that restores these."""
    resources = tuple(
        RestoredResource(id=one.id, kind=one.kind.name, state=None if one.after is None else dict(one.after))
        for one in wanted
    )
    return RestoreResources(source=SOURCE, resources=resources)


def restored(live: ControlPlane, then: ControlPlane, *services: str) -> list[Event]:
    """Restore what can be restored, and return the events."""
    return live.when(restore(vetted(live, then, *services).accepted))
