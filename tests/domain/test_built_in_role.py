"""The built-in roles."""

from domain.built_in_role import BUILT_IN_ROLES, CONTRIBUTOR, OWNER, READER, built_in_role_events
from domain.role_definition import DeleteRole, UpdateRole
from tests.domain.scenario import ControlPlane


def test_a_new_deployment_has_owner_contributor_and_reader_with_their_well_known_ids() -> None:
    plane = ControlPlane().given(*built_in_role_events())
    at = "/providers/Microsoft.Authorization/roleDefinitions"
    assert {role: plane.state(role)["roleName"] for role in BUILT_IN_ROLES} == {
        f"{at}/8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
        f"{at}/b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
        f"{at}/acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
    }


def test_built_in_roles_are_neither_changed_nor_deleted() -> None:
    plane = ControlPlane().given(*built_in_role_events())
    for role in (OWNER, CONTRIBUTOR, READER):
        plane.refuses(UpdateRole(id=role, description="mine"), "built-in-role-fixed")
        plane.refuses(DeleteRole(id=role), "built-in-role-fixed")
