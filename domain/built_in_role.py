"""The built-in roles of every deployment: Owner, Contributor and Reader, with the ids that they have in every cloud."""

from collections.abc import Sequence

from domain.event import Event
from domain.role_definition import PermissionBlock, RoleDefined, RoleDefinitionFields, role_definition_id

OWNER = role_definition_id("8e3af657-a8ff-443c-a75c-2fe8c4bcb635")
CONTRIBUTOR = role_definition_id("b24988ac-6180-42a0-ab88-20f7382dd24c")
READER = role_definition_id("acdd72a7-3385-48ef-bd42-f606fba81ae7")


def _built_in(
    role_name: str, description: str, actions: Sequence[str], not_actions: Sequence[str] = ()
) -> RoleDefinitionFields:
    block = PermissionBlock(actions=list(actions), notActions=list(not_actions), dataActions=[], notDataActions=[])
    return RoleDefinitionFields(
        roleName=role_name, description=description, type="BuiltInRole", permissions=[block], assignableScopes=["/"]
    )


BUILT_IN_ROLES: dict[str, RoleDefinitionFields] = {
    OWNER: _built_in("Owner", "Grants full access to manage all resources, including the assignment of roles.", ["*"]),
    CONTRIBUTOR: _built_in(
        "Contributor",
        "Grants full access to manage all resources, but not to assign roles.",
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ],
    ),
    READER: _built_in("Reader", "View all resources, but make no changes.", ["*/read"]),
}


def built_in_role_events() -> list[Event]:
    """Return the events that define the built-in roles of a new deployment."""
    return [RoleDefined(role, fields) for role, fields in BUILT_IN_ROLES.items()]
