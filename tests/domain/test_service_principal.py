"""Service principals: one for each application, enabled and disabled like users."""

from domain.application import CreateApplication, UpdateApplication
from domain.event import Event
from domain.group import AddGroupMember
from domain.principal import principal_id
from domain.role_assignment import RoleAssigned, RoleAssignmentFields, role_assignment_id
from domain.service_principal import (
    CreateServicePrincipal,
    DeleteServicePrincipal,
    DisableServicePrincipal,
    EnableServicePrincipal,
    UpdateServicePrincipal,
    find_service_principal,
)
from tests.domain.identity import APP, GROUP_A, KEY, OPERATOR, SERVICE, with_groups, with_service
from tests.domain.scenario import NOW, ControlPlane

PRINCIPAL = principal_id(SERVICE)
READER = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_service_principal_is_named_like_its_application() -> None:
    plane = with_service()
    assert plane.state(PRINCIPAL) == {
        "id": PRINCIPAL,
        "objectId": SERVICE,
        "appId": APP,
        "displayName": "Backup agent",
        "accountEnabled": True,
    }
    plane.given(UpdateApplication(app_id=APP, display_name="other"))
    assert plane.state(PRINCIPAL)["displayName"] == "Backup agent"


def test_a_service_principal_needs_its_application() -> None:
    ControlPlane().refuses(CreateServicePrincipal(app_id=APP), "application-exists")


def test_an_application_has_one_service_principal() -> None:
    plane = with_service().given(CreateApplication(display_name="other", app_id=KEY))
    plane.refuses(CreateServicePrincipal(app_id=APP), "one-service-principal-per-application")
    expected = plane.fresh_id()
    command = CreateServicePrincipal(app_id=KEY)
    assert command.scope() == "/"
    plane.when(command)
    found = find_service_principal(plane.world, KEY)
    assert found is not None
    assert found["objectId"] == expected


def test_an_object_id_is_unique_among_all_principals() -> None:
    plane = with_groups().given(CreateApplication(display_name="other", app_id=APP))
    command = CreateServicePrincipal(app_id=APP, object_id=GROUP_A)
    assert command.scope() == principal_id(GROUP_A)
    plane.refuses(command, "id-is-new")


def test_a_service_principal_is_renamed() -> None:
    plane = with_service()
    command = UpdateServicePrincipal(object_id=SERVICE, display_name="new")
    assert types(plane.when(command)) == ["service-principal.changed"]
    assert plane.when(command) == []


def test_a_service_principal_is_disabled_and_enabled_again() -> None:
    plane = with_service()
    assert plane.when(EnableServicePrincipal(object_id=SERVICE)) == []
    assert types(plane.when(DisableServicePrincipal(object_id=SERVICE))) == ["service-principal.disabled"]
    assert plane.state(PRINCIPAL)["accountEnabled"] is False
    assert plane.when(DisableServicePrincipal(object_id=SERVICE)) == []
    assert types(plane.when(EnableServicePrincipal(object_id=SERVICE))) == ["service-principal.enabled"]
    assert plane.state(PRINCIPAL)["accountEnabled"] is True


def test_a_service_principal_that_does_not_exist_is_not_changed() -> None:
    plane = ControlPlane()
    for command in (
        UpdateServicePrincipal,
        EnableServicePrincipal,
        DisableServicePrincipal,
        DeleteServicePrincipal,
    ):
        plane.refuses(command(object_id=OPERATOR), "service-principal-exists")


def test_a_deleted_service_principal_leaves_its_groups() -> None:
    plane = with_groups(with_service()).given(AddGroupMember(group_id=GROUP_A, member_id=SERVICE))
    events = plane.when(DeleteServicePrincipal(object_id=SERVICE))
    assert types(events) == ["group-membership.deleted", "service-principal.deleted"]


def test_a_service_principal_that_holds_a_role_is_deleted_only_by_force() -> None:
    fields = RoleAssignmentFields(roleDefinitionId=READER, principalId=SERVICE, scope="/", createdOn=NOW)
    plane = with_service().given(RoleAssigned(role_assignment_id("/", KEY), fields))
    plane.refuses(DeleteServicePrincipal(object_id=SERVICE), "principal-holds-no-role")
    events = plane.when(DeleteServicePrincipal(object_id=SERVICE, force=True))
    assert types(events) == ["role-assignment.deleted", "service-principal.deleted"]
