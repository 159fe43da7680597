"""Principals: how users, groups and service principals are named in the directory."""

from domain import resource_id

NAMESPACE = "Microsoft.Graph"

PRINCIPAL_KINDS = frozenset({"user", "group", "service-principal"})


def principal_id(object_id: str) -> str:
    """Return the resource id of the user, group or service principal with that object id (a GUID, or a SID-derived name).

    All three share one collection, as Graph's `directoryObjects` does: a role assignment names its principal by object id alone.
    """
    return resource_id.provided("/", NAMESPACE, "directoryObjects", object_id)
