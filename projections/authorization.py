"""Authorization: may a principal give a command, by its roles, by a vault's access policies, or as whom it concerns."""

from domain.access_policy import SECRET_PERMISSIONS
from domain.command import ASSIGN_ROLES, Command
from domain.errors import Refused
from domain.resource import World
from domain.resource_id import fold
from domain.secret import vault_of
from domain.user import find_user
from projections import access
from projections.access import Decision
from projections.vault_access import VaultDecision, vault_check


def authorize(world: World, principal: str, command: Command) -> None:
    """Refuse what nothing allows the principal (an object id) to do.

    What is in a vault is governed by the vault's access policies alone, and everything else by roles, but for what
    users may do for themselves. Whoever could act as another, by a credential or a membership, needs the right to give
    roles: or a Contributor, who may do all but that, could make itself an Owner.
    """
    if _is_self_service(world, principal, command):
        return
    scope = command.scope()
    for action in (command.action, ASSIGN_ROLES) if command.gives_roles else (command.action,):
        decision = _decision(world, principal, action, scope)
        if not decision.allowed:
            raise Refused(
                f"{principal} may not do {action} at {scope}: {decision.text}", rule="not-allowed", resource=scope
            )


def _decision(world: World, principal: str, action: str, scope: str) -> Decision | VaultDecision:
    permission = SECRET_PERMISSIONS.get(action)
    if permission is None:
        return access.check(world, principal, action, scope)
    return vault_check(world, principal, f"secrets/{permission}", vault_of(scope))


def _is_self_service(world: World, principal: str, command: Command) -> bool:
    name = command.self_service()
    user = None if name is None else find_user(world, name)
    return user is not None and user["accountEnabled"] and fold(user["objectId"]) == fold(principal)
