"""Principals: how users, groups and service principals are named in the directory."""

from domain import resource_id
from domain.errors import Refused
from domain.event import Payload, State, changed
from domain.resource import Resource, World

NAMESPACE = "Microsoft.Graph"

PRINCIPAL_KINDS = frozenset({"user", "group", "service-principal"})


def principal_id(object_id: str) -> str:
    """Return the resource id of the user, group or service principal with that object id (a GUID or a SID).

    All three share one collection, as Graph's `directoryObjects` does: a role assignment names its principal by object
    id alone.
    """
    return resource_id.provided("/", NAMESPACE, "directoryObjects", object_id)


def need_principal(world: World, object_id: str) -> Resource:
    """Return the user, group or service principal with that object id, or refuse because something depends on it."""
    found = world.find(principal_id(object_id))
    if found is None or found.kind not in PRINCIPAL_KINDS:
        raise Refused(
            f"principal {object_id} does not exist: create the user, group or service principal first",
            rule="principal-exists",
            resource=principal_id(object_id),
        )
    return found


def enabled(state: State | None, resource: str, payload: Payload) -> State:
    """A user or a service principal may log in from now on."""
    return changed(state, resource, {"accountEnabled": True})


def disabled(state: State | None, resource: str, payload: Payload) -> State:
    """A user or a service principal may log in no longer."""
    return changed(state, resource, {"accountEnabled": False})
