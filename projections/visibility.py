"""Visibility: which resources a principal may read, for a view as that principal."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from domain.management_group import enclosing_scopes
from domain.offer import OFFER
from domain.resource import World
from domain.resource_id import fold
from domain.role_definition import PermissionBlock
from domain.scope import resource_type
from domain.tenancy import SUBSCRIPTION
from projections.access import find_principal, holdings, is_disabled
from projections.permission import verdict


def visible(world: World, principal: str) -> Callable[[str], bool]:
    """Return a predicate on resource ids: may the principal (an object id) see it.

    It sees what it may read: `projections.access.check` allows `{type}/read`. Whoever owns a subscription also sees the
    offer that it is subscribed to, and the offer's plans. The principal's roles are gathered once, for many resources.
    """
    found = find_principal(world, principal)
    if found is None or is_disabled(found):
        return lambda resource_id: False
    roles: dict[str, list[Sequence[PermissionBlock]]] = {}
    subscribed: set[str] = set()
    for holding in holdings(world, found):
        roles.setdefault(fold(holding.path.scope), []).append(holding.permissions)
        if holding.path.assignment is None:
            subscribed.update(map(fold, _subscribed(world, holding.path.scope)))

    @cache
    def granted(scope: str, action: str) -> bool:
        return any(verdict(permissions, action) == "granted" for permissions in roles.get(scope, ()))

    def may_see(resource_id: str) -> bool:
        action = f"{resource_type(resource_id)}/read"
        scopes = map(fold, enclosing_scopes(world, resource_id))
        return fold(resource_id) in subscribed or any(granted(scope, action) for scope in scopes)

    return may_see


def _subscribed(world: World, subscription: str) -> Iterator[str]:
    """Yield the offer of a subscription and the offer's plans."""
    state = SUBSCRIPTION.get(world, subscription)
    offer = OFFER.get(world, state["offerId"]) if state is not None and "offerId" in state else None
    if offer is not None:
        yield offer["id"]
        yield from offer["basePlanIds"]
        yield from (addon["planId"] for addon in offer["addonPlans"])
