"""What refers to a principal, and how it goes when the principal is deleted.

Azure leaves the role assignments of a deleted principal behind, as "Identity not found". Here a deletion that would do
so is refused, naming the first of them, and `force` takes them away as well. Memberships go with the principal.
"""

from domain.errors import Refused
from domain.event import Event, Nothing
from domain.group_membership import memberships_ended
from domain.resource import World
from domain.role_assignment import ROLE_ASSIGNMENT, RoleUnassigned, must_leave_an_owner


def references_ended(world: World, principal: str, *, force: bool) -> list[Event]:
    """Return the events that end what refers to the principal, one per resource, or refuse because it holds a role."""
    assignments = [assignment for assignment, _ in ROLE_ASSIGNMENT.sources(world, principal, "principal")]
    if assignments and not force:
        raise Refused(
            f"{principal} holds {len(assignments)} role assignments, the first is {assignments[0]}: "
            "unassign them first, or delete with force",
            rule="principal-holds-no-role",
            resource=assignments[0],
        )
    must_leave_an_owner(world, assignments)
    unassigned = [RoleUnassigned(assignment, Nothing()) for assignment in assignments]
    return [*memberships_ended(world, principal), *unassigned]
