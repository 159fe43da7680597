"""Removal: what keeps a resource from being deleted, and what goes for good together with it, one event per resource.

Role and policy assignments go with the scope that they stand on, and with the vault, resource group or subscription
around it, as they would otherwise come to life again for the next resource of that name; secrets go with their vault,
and versions with their secret. The kinds are known here by their stored names only, as a module of an inner resource
imports that of the outer one, and not the other way round.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from domain.errors import Refused
from domain.event import Event
from domain.resource import World
from domain.resource_id import fold

ASSIGNMENT_RELATIONS = ("scope", "within")
CONTENT_RELATIONS = (*ASSIGNMENT_RELATIONS, "subscription", "vault", "secret")
"""The links by which a resource says that it cannot outlive the target."""

REMOVED: Mapping[str, str] = {
    "role-assignment": "role-assignment.deleted",
    "policy-assignment": "policy-assignment.deleted",
    "management-group-subscription": "management-group-subscription.deleted",
    "acquired-plan": "acquired-plan.deleted",
    "resource-group": "resource-group.deleted",
    "vault": "vault.purged",
    "secret": "secret.purged",
    "secret-version": "secret-version.purged",
}
"""The event, without payload, by which a resource of each kind is no more."""


def removed(world: World, *resources: str) -> list[Event]:
    """Return the events that remove the resources, each after its contents."""
    return once(event for resource in resources for event in _removed(world, resource))


def contents_removed(world: World, resource: str) -> list[Event]:
    """Return the events that remove what cannot outlive the resource, innermost first."""
    return once(_sources_removed(world, resource, CONTENT_RELATIONS))


def assignments_removed(world: World, scope: str) -> list[Event]:
    """Return the events that remove the role and policy assignments on the scope and on what is in it."""
    return once(_sources_removed(world, scope, ASSIGNMENT_RELATIONS))


def once(events: Iterable[Event]) -> list[Event]:
    """Return the events without repetition: what goes with a vault goes with its resource group as well."""
    return list({fold(event.resource): event for event in events}.values())


def _removed(world: World, resource: str) -> Iterator[Event]:
    found = world.find(resource)
    if found is not None and found.kind in REMOVED:
        yield from _sources_removed(world, found.id, CONTENT_RELATIONS)
        yield Event(REMOVED[found.kind], found.id, {})


def _sources_removed(world: World, target: str, relations: Sequence[str]) -> Iterator[Event]:
    for relation in relations:
        for source in world.sources(target, relation):
            yield from _removed(world, source)


def must_be_unused(world: World, resource: str, *relations: str, rule: str) -> None:
    """Refuse if any resource has one of these links to it, naming the first."""
    for relation in relations:
        for source in world.sources(resource, relation):
            user = world.find(source)
            raise Refused(
                f"{resource} is in use by {user.id if user else source}: release it there first",
                rule=rule,
                resource=resource,
            )
