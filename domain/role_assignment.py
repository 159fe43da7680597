"""Role assignments: who holds which role at which scope; unique per principal, role and scope."""

from collections.abc import Iterable, Iterator, Set
from typing import ClassVar

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.built_in_role import OWNER
from domain.command import ASSIGN_ROLES, Command, Guid, Id, Prepared
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.group_membership import GROUP_MEMBERSHIP
from domain.object_id import ObjectId
from domain.principal import need_principal, principal_id
from domain.resource import Kind, Link, World, key
from domain.resource_id import fold
from domain.role_definition import ROLE_DEFINITION, assignable_at
from domain.scope import assignment_links, need_scope

ROOT_OWNERS = "role-assignment:root-owner"
"""The target of the links by which the assignments of Owner at the root '/' are found."""


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
    """Return the target of the link that keeps an assignment unique."""
    return key("role-assignment", principal, role_definition, scope)


def _links(state: RoleAssignment) -> Iterable[Link]:
    yield "principal", principal_id(state["principalId"])
    yield "role_definition", state["roleDefinitionId"]
    yield from assignment_links(state["scope"])
    if state["scope"] == "/" and fold(state["roleDefinitionId"]) == fold(OWNER):
        yield "key", ROOT_OWNERS
    yield "key", unique_key(state["principalId"], state["roleDefinitionId"], state["scope"])


ROLE_ASSIGNMENT = Kind[RoleAssignment](
    "role-assignment",
    "roles",
    "role assignment",
    (RoleAssigned, RoleUnassigned),
    _links,
    ("principalId", "roleDefinitionId", "scope"),
    state=RoleAssignment,
)


def role_assignment_id(scope: str, name: str) -> str:
    """Return `{scope}/providers/Microsoft.Authorization/roleAssignments/{name}`."""
    return resource_id.provided(scope, "Microsoft.Authorization", "roleAssignments", name)


class AssignRole(Command):
    """Give a principal, named by its object id, a role at a scope. `name` is a GUID; without it one is drawn."""

    action: ClassVar[str] = ASSIGN_ROLES

    scope_id: Id
    role_definition_id: Id
    principal_id: ObjectId
    name: Guid | None = None

    def scope(self) -> str:
        return self.scope_id


class UnassignRole(Command):
    """Take a role assignment away; somebody remains Owner at the root '/', or nobody could assign roles again."""

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
    principal = need_principal(world, command.principal_id)
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
            f"principal {command.principal_id} holds role {role['roleName']} at {scope} already, by {same[0]}: "
            "there is nothing to assign",
            rule="one-assignment-per-principal-role-scope",
            resource=same[0],
        )
    fields = RoleAssignmentFields(
        roleDefinitionId=role["id"], principalId=str(principal.state["objectId"]), scope=scope, createdOn=now
    )
    return [RoleAssigned(assignment, fields)]


def must_leave_an_owner(world: World, *going: str) -> None:
    """Refuse if nobody would be Owner at the root '/' once these are gone: assignments, memberships or principals.

    Whoever is disabled is gone too; and where nobody was Owner before, there is nothing to keep.
    """
    if any(_root_owners(world, set(map(fold, going)))) or not has_root_owner(world):
        return
    raise Refused(
        f"without {going[0]} nobody who is enabled would be Owner at '/': make somebody else Owner there first",
        rule="an-owner-remains",
        resource=going[0],
    )


def has_root_owner(world: World) -> bool:
    """Return whether anybody who is enabled is Owner at the root '/'."""
    return any(_root_owners(world, frozenset()))


def _root_owners(world: World, going: Set[str]) -> Iterator[str]:
    """Yield the enabled users and service principals that are Owner at '/', themselves or through groups."""
    assignments = ROLE_ASSIGNMENT.sources(world, ROOT_OWNERS, "key")
    reached = [principal_id(state["principalId"]) for held, state in assignments if fold(held) not in going]
    seen = set(map(fold, reached))
    for identity in reached:
        principal = world.find(identity)
        if principal is None or fold(identity) in going:
            continue
        if principal.state.get("accountEnabled"):
            yield principal.id
        for membership, state in GROUP_MEMBERSHIP.sources(world, identity, "group"):
            member = principal_id(state["memberId"])
            if fold(membership) not in going and fold(member) not in seen:
                seen.add(fold(member))
                reached.append(member)


def unassign_role(world: World, now: str, prepared: Prepared, command: UnassignRole) -> list[Event]:
    """The assignment exists, and without it there still is an Owner at the root '/'."""
    assignment = ROLE_ASSIGNMENT.need(world, command.id, rule="role-assignment-exists", advice="it may be gone already")
    must_leave_an_owner(world, assignment["id"])
    return [RoleUnassigned(assignment["id"], Nothing())]


DECISIONS = {AssignRole: assign_role, UnassignRole: unassign_role}
KINDS = (ROLE_ASSIGNMENT,)
