"""Scopes: where roles and policies are assigned, from the root '/' down to a single resource."""

from collections.abc import Iterator
from functools import lru_cache

from domain.errors import Refused
from domain.resource import Link, World
from domain.resource_id import PROVIDERS, SCOPES_KNOWN_MAX, fold, parent_scopes

SUBSCRIPTION_TYPE = "Microsoft.Resources/subscriptions"
RESOURCE_GROUP_TYPE = "Microsoft.Resources/subscriptions/resourceGroups"
MANAGEMENT_GROUP_TYPE = "Microsoft.Management/managementGroups"
VAULT_TYPE = "Microsoft.KeyVault/vaults"

RECORDED = {
    fold(SUBSCRIPTION_TYPE): "subscription",
    fold(RESOURCE_GROUP_TYPE): "resource-group",
    fold(MANAGEMENT_GROUP_TYPE): "management-group",
    fold(VAULT_TYPE): "vault",
}
"""The types of scope that exist only if they were recorded; any other resource is a scope by its id alone."""


def resource_type(resource_id: str) -> str:
    """Return the ARM type of an id, such as `Microsoft.KeyVault/vaults`; empty for the root '/'."""
    parts = resource_id.strip("/").split("/")
    at = max((i for i, part in enumerate(parts) if fold(part) == PROVIDERS), default=-1)
    if at < 0:
        return "/".join(["Microsoft.Resources", *parts[::2]]) if parts[0] else ""
    return "/".join(parts[at + 1 : at + 2] + parts[at + 2 :: 2])


def need_scope(world: World, scope: str) -> str:
    """Return the scope as it was first written, or refuse because it, or a scope around it, does not exist.

    A scope is the root '/', a management group, a subscription, a resource group, or any resource below one of
    the last two; subscriptions stay recorded after their deletion, and vaults may.
    """
    if scope == "/":
        return scope
    chain = parent_scopes(scope)[:-1]
    broadest = fold(resource_type(chain[-1])) if chain else ""
    below_subscription = broadest == fold(SUBSCRIPTION_TYPE)
    is_management_group = broadest == fold(MANAGEMENT_GROUP_TYPE) and len(chain) == 1
    is_whole = chain[:1] == [scope]  # and not, for one, a namespace without a resource
    if not is_whole or not (below_subscription or is_management_group):
        raise _refusal(scope, scope, "it is no management group, subscription, resource group or resource below them")
    for enclosing in reversed(chain):
        _need_recorded(world, scope, enclosing)
    found = world.find(scope)
    return scope if found is None else found.id


def assignment_links(scope: str) -> Iterator[Link]:
    """Yield the links of what is assigned at a scope: to the scope, and to whatever around it takes it along."""
    yield "scope", scope
    for enclosing in parent_scopes(scope)[1:-1]:
        if _recorded_kind(enclosing) is not None:
            yield "within", enclosing


@lru_cache(maxsize=SCOPES_KNOWN_MAX)
def _recorded_kind(scope: str) -> str | None:
    return RECORDED.get(fold(resource_type(scope)))


def _need_recorded(world: World, scope: str, enclosing: str) -> None:
    kind = _recorded_kind(enclosing)
    if kind is None:
        return
    found = world.find(enclosing)
    if found is None or found.kind != kind:
        raise _refusal(
            scope, enclosing, f"there is no {kind.replace('-', ' ')} {enclosing}; create it first or correct the id"
        )
    if found.state.get("state") == "Deleted" or "deletionDate" in found.state:
        raise _refusal(scope, enclosing, f"{found.id} is deleted; recover it or choose another one")


def _refusal(scope: str, resource: str, why: str) -> Refused:
    return Refused(f"scope {scope} does not exist: {why}", rule="scope-exists", resource=resource)
