"""Applications: they go with their credentials, and not before their service principal."""

from domain.application import (
    AddKeyCredential,
    AddPasswordCredential,
    CreateApplication,
    DeleteApplication,
    RemoveKeyCredential,
    RemovePasswordCredential,
    UpdateApplication,
)
from domain.application_credential import application_id, key_credential_id, password_credential_id
from domain.service_principal import DeleteServicePrincipal
from tests.domain.identity import APP, CERTIFICATE, KEY, SECRET, SERVICE, facts, with_service
from tests.domain.scenario import ControlPlane, sealed

APPLICATION = application_id(APP)
RENAMED = UpdateApplication(app_id=APP, display_name="Backup agent 2")


def test_an_application_is_registered_under_its_client_id() -> None:
    plane = ControlPlane()
    command = CreateApplication(display_name="Backup agent", app_id=APP)
    assert command.scope() == APPLICATION
    plane.when(command)
    assert plane.state(APPLICATION) == {"id": APPLICATION, "appId": APP, "displayName": "Backup agent"}
    plane.refuses(CreateApplication(display_name="other", app_id=APP), "id-is-new")


def test_an_application_without_a_client_id_is_given_one() -> None:
    plane = ControlPlane()
    expected = plane.fresh_id()
    command = CreateApplication(display_name="Backup agent")
    assert command.scope() == "/"
    plane.when(command)
    assert plane.state(application_id(expected))["appId"] == expected


def test_an_application_is_renamed() -> None:
    plane = with_service()
    plane.when(RENAMED)
    assert plane.state(APPLICATION)["displayName"] == "Backup agent 2"
    assert plane.when(RENAMED) == []


def test_an_application_that_does_not_exist_is_not_changed() -> None:
    plane = ControlPlane()
    for command in (RENAMED, DeleteApplication(app_id=APP)):
        plane.refuses(command, "application-exists")
    plane.refuses(
        AddPasswordCredential(app_id=APP, secret_text=SECRET),
        "application-exists",
        sealed={"secret_text": sealed("client-secret-hash")},
    )
    plane.refuses(AddKeyCredential(app_id=APP, certificate=CERTIFICATE), "application-exists", facts=facts())
    plane.refuses(RemovePasswordCredential(app_id=APP, key_id=KEY), "credential-exists")
    plane.refuses(RemoveKeyCredential(app_id=APP, key_id=KEY), "credential-exists")


def test_an_application_with_a_service_principal_is_not_deleted() -> None:
    plane = with_service()
    assert SERVICE in plane.refuses(DeleteApplication(app_id=APP), "application-unused").resource


def test_a_deleted_application_takes_its_credentials_along() -> None:
    plane = with_service().given(DeleteServicePrincipal(object_id=SERVICE))
    secret = AddPasswordCredential(app_id=APP, key_id=KEY, secret_text=SECRET)
    plane.when(secret, sealed={"secret_text": sealed("client-secret-hash")})
    plane.when(AddKeyCredential(app_id=APP, key_id=KEY, certificate=CERTIFICATE), facts=facts())
    events = plane.when(DeleteApplication(app_id=APP))
    assert [event.resource for event in events] == [
        password_credential_id(APP, KEY),
        key_credential_id(APP, KEY),
        APPLICATION,
    ]
    assert all(plane.state(event.resource) is None for event in events)
