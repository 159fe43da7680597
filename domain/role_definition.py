"""Role definitions: which actions a role allows, as blocks of permissions, and where it may be assigned."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, NotRequired, cast

from pydantic import BaseModel, ConfigDict, Field, with_config
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Guid, Id, Ids, Lines, Prepared, Text, Texts
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import given
from domain.management_group import enclosing_scopes
from domain.removal import must_be_unused
from domain.resource import Kind, Link, World, key
from domain.resource_id import fold
from domain.scope import need_scope

RoleType = Literal["BuiltInRole", "CustomRole"]


@with_config(STRICT)
class PermissionBlock(TypedDict):
    """What one block allows: actions minus notActions, and dataActions minus notDataActions, if its condition holds."""

    actions: list[str]
    notActions: list[str]
    dataActions: list[str]
    notDataActions: list[str]
    condition: NotRequired[str]
    conditionVersion: NotRequired[str]


@with_config(STRICT)
class RoleDefinitionFields(TypedDict):
    """Names as in Microsoft.Authorization 2015-07-01, with the data actions and conditions of 2022-04-01."""

    roleName: str
    description: str
    type: RoleType
    permissions: list[PermissionBlock]
    assignableScopes: list[str]


class RoleDefinition(RoleDefinitionFields):
    """The state of a role definition."""

    id: str


@with_config(STRICT)
class RoleDefinitionChange(TypedDict, total=False):
    """The fields that changed."""

    roleName: str
    description: str
    permissions: list[PermissionBlock]
    assignableScopes: list[str]


RoleDefined = EventType("role-definition.created", RoleDefinitionFields, created)
RoleChanged = EventType("role-definition.changed", RoleDefinitionChange, changed)
RoleDeleted = EventType("role-definition.deleted", Nothing, deleted)


def _name_key(role_name: str) -> str:
    return key("role-name", role_name)


def _links(state: RoleDefinition) -> Iterable[Link]:
    yield "key", _name_key(state["roleName"])
    yield "defined_at", resource_id.extended_scope(state["id"])
    for scope in state["assignableScopes"]:
        if scope != "/":  # always there, so nobody asks who refers to it
            yield "assignable_scope", scope


ROLE_DEFINITION = Kind[RoleDefinition](
    "role-definition",
    "roles",
    "role definition",
    (RoleDefined, RoleChanged, RoleDeleted),
    _links,
    ("roleName", "assignableScopes"),
    state=RoleDefinition,
)


def role_definition_id(name: str, scope: str = "/") -> str:
    """Return `{scope}/providers/Microsoft.Authorization/roleDefinitions/{name}`."""
    return resource_id.provided(scope, "Microsoft.Authorization", "roleDefinitions", name)


def assignable_at(world: World, role: RoleDefinition, scope: str) -> bool:
    """Say whether one of the role's assignable scopes is the scope or encloses it."""
    return _covered(world, role["assignableScopes"], scope)


def _covered(world: World, assignable_scopes: Iterable[str], scope: str) -> bool:
    return not set(map(fold, assignable_scopes)).isdisjoint(map(fold, enclosing_scopes(world, scope)))


class Permission(BaseModel):
    """A block of permissions; Azure's `null` for an absent condition is taken as absent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True)

    actions: Texts = ()
    not_actions: Texts = ()
    data_actions: Texts = ()
    not_data_actions: Texts = ()
    condition: Lines | None = None
    condition_version: Text | None = None


Permissions = Annotated[tuple[Permission, ...], Field(strict=False, min_length=1)]
AssignableScopes = Annotated[Ids, Field(min_length=1, max_length=2_000)]
RoleName = Annotated[Text, Field(min_length=1, max_length=512)]


class DefineRole(Command):
    """Define a role. A built-in role that is defined again, as an update of the cloud does, is replaced."""

    action: ClassVar[str] = "Microsoft.Authorization/roleDefinitions/write"

    name: Guid
    role_name: RoleName
    permissions: Permissions
    assignable_scopes: AssignableScopes
    description: Lines = ""
    type: RoleType = "CustomRole"
    scope_id: Id = "/"

    def scope(self) -> str:
        return self.scope_id


class UpdateRole(Command):
    """Change the given fields of a custom role."""

    action: ClassVar[str] = "Microsoft.Authorization/roleDefinitions/write"

    id: Id
    role_name: RoleName | None = None
    description: Lines | None = None
    permissions: Permissions | None = None
    assignable_scopes: AssignableScopes | None = None

    def scope(self) -> str:
        return resource_id.extended_scope(self.id)


class DeleteRole(Command):
    """Delete a custom role that nobody holds."""

    action: ClassVar[str] = "Microsoft.Authorization/roleDefinitions/delete"

    id: Id

    def scope(self) -> str:
        return resource_id.extended_scope(self.id)


def define_role(world: World, now: str, prepared: Prepared, command: DefineRole) -> list[Event]:
    """The name is new, and so is the role name in the whole tenant; the assignable scopes exist, within its own."""
    role = role_definition_id(command.name, command.scope_id)
    before = ROLE_DEFINITION.get(world, role)
    if before is not None and before["type"] == command.type == "BuiltInRole":
        return _change(world, before, command)
    ROLE_DEFINITION.must_be_new(world, role)
    if command.type == "BuiltInRole" and command.scope_id != "/":
        raise Refused(
            f"role {role} would be built in at {command.scope_id}: define it at the root '/', or as a custom role",
            rule="built-in-role-at-root",
            resource=role,
        )
    need_scope(world, command.scope_id)
    _must_be_unique(world, role, command.role_name)
    fields = given(RoleDefinitionFields, command)
    fields["assignableScopes"] = _assignable_scopes(world, role, command.assignable_scopes)
    return [RoleDefined(role, fields)]


def update_role(world: World, now: str, prepared: Prepared, command: UpdateRole) -> list[Event]:
    """The role is a custom one, its new name is unique, and every assignment stays within its assignable scopes."""
    return _change(world, _need_custom(world, command.id), command)


def delete_role(world: World, now: str, prepared: Prepared, command: DeleteRole) -> list[Event]:
    """The role is a custom one, and no assignment uses it."""
    role = _need_custom(world, command.id)
    must_be_unused(world, role["id"], "role_definition", rule="role-unassigned")
    return [RoleDeleted(role["id"], Nothing())]


def _need_custom(world: World, role_id: str) -> RoleDefinition:
    role = ROLE_DEFINITION.need(world, role_id, rule="role-exists")
    if role["type"] == "BuiltInRole":
        raise Refused(
            f"role {role['roleName']} is built in and stays as it is: define a custom role instead",
            rule="built-in-role-fixed",
            resource=role["id"],
        )
    return role


def _change(world: World, role: RoleDefinition, command: DefineRole | UpdateRole) -> list[Event]:
    """Return the event of the fields that the command gives and that differ, if any does."""
    change = given(RoleDefinitionChange, command)
    if "roleName" in change:
        _must_be_unique(world, role["id"], change["roleName"])
    if "assignableScopes" in change:
        change["assignableScopes"] = _assignable_scopes(world, role["id"], change["assignableScopes"])
        _must_cover_assignments(world, role, change["assignableScopes"])
    differing = cast(
        RoleDefinitionChange, {field: value for field, value in change.items() if role.get(field) != value}
    )
    return [RoleChanged(role["id"], differing)] if differing else []


def _assignable_scopes(world: World, role: str, scopes: Iterable[str]) -> list[str]:
    """Return the scopes as they were first written, or refuse; where a role is defined, it can be changed.

    So a role that others hold elsewhere must not be defined where they have no say.
    """
    defined_at = resource_id.extended_scope(role)
    found = [need_scope(world, scope) for scope in scopes]
    for scope in found:
        if not _covered(world, [defined_at], scope):
            raise Refused(
                f"role {role} may not be assignable at {scope}, which is not within {defined_at}, where it is defined: "
                "define it at a scope that encloses both",
                rule="role-assignable-where-defined",
                resource=role,
            )
    return found


def _must_be_unique(world: World, role: str, role_name: str) -> None:
    for other in world.sources(_name_key(role_name), "key"):
        if other != fold(role):
            raise Refused(
                f"role name {role_name!r} is taken by {other}: choose another name",
                rule="role-name-unique",
                resource=other,
            )


def _must_cover_assignments(world: World, role: RoleDefinition, scopes: list[str]) -> None:
    for source in world.sources(role["id"], "role_definition"):
        assignment = world.find(source)
        if assignment is not None and not _covered(world, scopes, str(assignment.state["scope"])):
            raise Refused(
                f"role {role['roleName']} is assigned at {assignment.state['scope']}, outside the new scopes: "
                f"delete {assignment.id} first",
                rule="role-assignable-at-scope",
                resource=role["id"],
            )


DECISIONS = {DefineRole: define_role, UpdateRole: update_role, DeleteRole: delete_role}
KINDS = (ROLE_DEFINITION,)
