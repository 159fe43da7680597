"""What refers to a principal, and how it goes when the principal is deleted.

Azure leaves the role assignments and access policies of a deleted principal behind, as "Identity not found". Here a
deletion that would do so is refused, naming the first of them, and `force` takes them away as well. Memberships go with
the principal.
"""

from domain.errors import Refused
from domain.event import Event, Nothing
from domain.group_membership import memberships_ended
from domain.principal import principal_id
from domain.resource import World
from domain.resource_id import fold
from domain.role_assignment import ROLE_ASSIGNMENT, RoleUnassigned, must_leave_an_owner
from domain.vault_state import VAULT, VaultChanged, VaultChanges


def references_ended(world: World, principal: str, *, force: bool) -> list[Event]:
    """Return the events that end what refers to the principal, one per resource, or refuse because it has rights."""
    assignments = [assignment for assignment, _ in ROLE_ASSIGNMENT.sources(world, principal, "principal")]
    policies = _access_policies_removed(world, principal)
    if assignments and not force:
        raise Refused(
            f"{principal} holds {len(assignments)} role assignments, the first is {assignments[0]}: "
            "unassign them first, or delete with force",
            rule="principal-holds-no-role",
            resource=assignments[0],
        )
    if policies and not force:
        raise Refused(
            f"{principal} has access policies in {len(policies)} vaults, the first is {policies[0].resource}: "
            "remove them first, or delete with force",
            rule="principal-has-no-access-policy",
            resource=policies[0].resource,
        )
    must_leave_an_owner(world, principal)
    unassigned = [RoleUnassigned(assignment, Nothing()) for assignment in assignments]
    return [*memberships_ended(world, principal), *unassigned, *policies]


def _access_policies_removed(world: World, principal: str) -> list[Event]:
    """Return the events that take the principal's access policies out of every vault, deleted ones included."""
    return [
        VaultChanged(
            vault,
            VaultChanges(
                accessPolicies=[
                    policy
                    for policy in state["accessPolicies"]
                    if fold(principal_id(policy["objectId"])) != fold(principal)
                ]
            ),
        )
        for vault, state in VAULT.sources(world, principal, "principal")
    ]
