"""The control plane: every kind, command and event of all areas in one place, and the two functions that drive them."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from domain import (
    acquired_plan,
    application,
    application_credential,
    backup_recipient,
    certificate_authority,
    claims_provider_trust,
    delegated_provider,
    deployment,
    directory_service,
    endpoint_certificate,
    group,
    issued_certificate,
    management_group,
    offer,
    plan,
    policy_assignment,
    policy_definition,
    quota,
    resource_group,
    resource_provider,
    restoration,
    role_assignment,
    role_definition,
    secret,
    secret_version,
    service_principal,
    subscription,
    user,
    vault,
)
from domain.command import Command, Prepared
from domain.event import Event, EventType, State
from domain.resource import Kind, World

AREAS: tuple[ModuleType, ...] = (
    deployment,
    backup_recipient,
    resource_provider,
    user,
    group,
    application,
    application_credential,
    service_principal,
    claims_provider_trust,
    directory_service,
    certificate_authority,
    issued_certificate,
    endpoint_certificate,
    quota,
    plan,
    offer,
    subscription,
    acquired_plan,
    delegated_provider,
    resource_group,
    vault,
    secret,
    secret_version,
    management_group,
    role_definition,
    role_assignment,
    policy_definition,
    policy_assignment,
    restoration,
)

Decision = Callable[[World, str, Prepared, Any], list[Event]]

KINDS: Mapping[str, Kind[Any]] = {kind.name: kind for area in AREAS for kind in area.KINDS}
DECISIONS: Mapping[type[Command], Decision] = {c: d for area in AREAS for c, d in area.DECISIONS.items()}
COMMANDS: Mapping[str, type[Command]] = {command.__name__: command for command in DECISIONS}
EVENTS: Mapping[str, tuple[Kind[Any], EventType[Any]]] = {
    e.name: (kind, e) for kind in KINDS.values() for e in kind.events
}


def decide(world: World, now: str, prepared: Prepared, command: Command) -> list[Event]:
    """Return the events that the command causes in this world, none if it changes nothing, or raise Refused."""
    return DECISIONS[type(command)](world, now, prepared, command)


def evolve(state: State | None, event: Event) -> State | None:
    """Return the resource's state after the event; None if it is deleted."""
    return EVENTS[event.type][1].evolve(state, event.resource, event.payload)
