"""Role assignments: who holds which role at which scope; unique per principal, role and scope."""

from collections.abc import Collection, Iterable
from hashlib import sha256
from typing import ClassVar

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.built_in_role import OWNER
from domain.command import Command, Guid, Id, Prepared
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.object_id import ObjectId
from domain.principal import PRINCIPAL_KINDS, principal_id
from domain.resource import Kind, Link, World
from domain.resource_id import fold
from domain.role_definition import ROLE_DEFINITION, assignable_at
from domain.scope import need_scope


@with_config(STRICT)
class RoleAssignmentFields(TypedDict):
    """Names as in Microsoft.Authorization 2015-07-01; `createdOn` is the recorded-at of the assignment."""

    roleDefinitionId: str
    principalId: str
    scope: str
    createdOn: str


class RoleAssignment(RoleAssignmentFields):
    """The state of a role assignment."""

    id: str


RoleAssigned = EventType("role-assignment.created", RoleAssignmentFields, created)
RoleUnassigned = EventType("role-assignment.deleted", Nothing, deleted)


def unique_key(principal: str, role_definition: str, scope: str) -> str:
    """Return the target of the link that keeps an assignment unique; hashed, as three ids are too long for an index entry."""
    triple = "|".join(map(resource_id.fold, (principal, role_definition, scope)))
    return f"role-assignment:{sha256(triple.encode()).hexdigest()}"


def _links(state: RoleAssignment) -> Iterable[Link]:
    yield "principal", principal_id(state["principalId"])
    yield "role_definition", state["roleDefinitionId"]
    yield "scope", state["scope"]
    yield "key", unique_key(state["principalId"], state["roleDefinitionId"], state["scope"])


ROLE_ASSIGNMENT = Kind[RoleAssignment](
    "role-assignment", "roles", "role assignment", (RoleAssigned, RoleUnassigned), _links
)


def role_assignment_id(scope: str, name: str) -> str:
    """Return `{scope}/providers/Microsoft.Authorization/roleAssignments/{name}`."""
    return resource_id.provided(scope, "Microsoft.Authorization", "roleAssignments", name)


class AssignRole(Command):
    """Give a principal, named by its object id, a role at a scope. `name` is a GUID; without it one is drawn."""

    action: ClassVar[str] = "Microsoft.Authorization/roleAssignments/write"

    scope_id: Id
    role_definition_id: Id
    principal_id: ObjectId
    name: Guid | None = None

    def scope(self) -> str:
        return self.scope_id


class UnassignRole(Command):
    """Take a role assignment away; the last Owner at the root '/' stays, or nobody could assign roles again."""

    action: ClassVar[str] = "Microsoft.Authorization/roleAssignments/delete"

    id: Id

    def scope(self) -> str:
        return resource_id.extended_scope(self.id)


def assign_role(world: World, now: str, prepared: Prepared, command: AssignRole) -> list[Event]:
    """The principal, the role and the scope exist, the role may be assigned there, and nobody assigned it before."""
    assignment = role_assignment_id(command.scope_id, command.name or prepared.id)
    ROLE_ASSIGNMENT.must_be_new(world, assignment)
    scope = need_scope(world, command.scope_id)
    role = ROLE_DEFINITION.need(world, command.role_definition_id, rule="role-exists")
    principal = world.find(principal_id(command.principal_id))
    if principal is None or principal.kind not in PRINCIPAL_KINDS:
        raise Refused(
            f"principal {command.principal_id} does not exist: create the user, group or service principal first",
            rule="principal-exists",
            resource=principal_id(command.principal_id),
        )
    if not assignable_at(world, role, scope):
        raise Refused(
            f"role {role['roleName']} may not be assigned at {scope}: "
            f"its assignable scopes are {', '.join(role['assignableScopes'])}",
            rule="role-assignable-at-scope",
            resource=role["id"],
        )
    same = world.sources(unique_key(command.principal_id, role["id"], scope), "key")
    if same:
        raise Refused(
            f"principal {command.principal_id} holds role {role['roleName']} at {scope} already, by {same[0]}",
            rule="one-assignment-per-principal-role-scope",
            resource=same[0],
        )
    fields = RoleAssignmentFields(
        roleDefinitionId=role["id"], principalId=command.principal_id, scope=scope, createdOn=now
    )
    return [RoleAssigned(assignment, fields)]


def must_leave_an_owner(world: World, going: Collection[str]) -> None:
    """Refuse if taking these assignments away would leave nobody with the role Owner at the root '/'."""
    ending = set(map(fold, going))
    if not any(_is_root_owner(state) for state in (ROLE_ASSIGNMENT.get(world, assignment) for assignment in going)):
        return
    for assignment, state in ROLE_ASSIGNMENT.sources(world, "/", "scope"):
        if _is_root_owner(state) and fold(assignment) not in ending:
            return
    raise Refused(
        f"without {', '.join(going)} nobody would be Owner at '/': assign another Owner there first",
        rule="an-owner-remains",
        resource=next(iter(going)),
    )


def _is_root_owner(assignment: RoleAssignment | None) -> bool:
    return assignment is not None and assignment["scope"] == "/" and fold(assignment["roleDefinitionId"]) == fold(OWNER)


def unassign_role(world: World, now: str, prepared: Prepared, command: UnassignRole) -> list[Event]:
    """The assignment exists and is not the last one that makes an Owner at the root '/'."""
    assignment = ROLE_ASSIGNMENT.need(world, command.id, rule="role-assignment-exists", advice="it may be gone already")
    must_leave_an_owner(world, [assignment["id"]])
    return [RoleUnassigned(assignment["id"], Nothing())]


DECISIONS = {AssignRole: assign_role, UnassignRole: unassign_role}
KINDS = (ROLE_ASSIGNMENT,)
