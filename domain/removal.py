"""Removal: what keeps a resource from being deleted, and what goes for good together with it, one event per resource.

Role and policy assignments go with the scope that they stand on, as they would otherwise come to life again for the
next resource of that name; secrets go with their vault, and versions with their secret. The kinds are known here by
their stored names only, as a module of an inner resource imports that of the outer one, and not the other way round.
"""

from collections.abc import Iterator, Mapping

from domain.errors import Refused
from domain.event import Event
from domain.resource import World

CONTENT_RELATIONS = ("scope", "subscription", "vault", "secret")
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


def removed(world: World, resource: str) -> Iterator[Event]:
    """Yield the events that remove the resource's contents and then the resource itself."""
    found = world.find(resource)
    if found is not None and found.kind in REMOVED:
        yield from contents_removed(world, found.id)
        yield Event(REMOVED[found.kind], found.id, {})


def contents_removed(world: World, resource: str) -> Iterator[Event]:
    """Yield the events that remove what cannot outlive the resource, innermost first."""
    for relation in CONTENT_RELATIONS:
        for source in world.sources(resource, relation):
            yield from removed(world, source)


def assignments_removed(world: World, scope: str) -> Iterator[Event]:
    """Yield the events that remove the role and policy assignments on the scope itself."""
    for source in world.sources(scope, "scope"):
        yield from removed(world, source)


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
