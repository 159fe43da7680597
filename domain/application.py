"""Applications: programs that log in as a service principal with client secrets and certificates of their own."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain.application_credential import (
    CLIENT_SECRET_PURPOSE,
    KEY_CREDENTIAL,
    PASSWORD_CREDENTIAL,
    KeyCredentialAdded,
    KeyCredentialFields,
    KeyCredentialRemoved,
    PasswordCredentialAdded,
    PasswordCredentialFields,
    PasswordCredentialRemoved,
    application_id,
    credentials_ended,
    key_credential_id,
    key_credential_key,
    password_credential_id,
)
from domain.command import Command, Guid, Prepared, Sealing, Secret, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.instant import Instant, plus_days
from domain.public_certificate import CertificateText, certificate_facts, public_certificate
from domain.resource import Kind, World
from domain.resource_id import fold

CLIENT_SECRET_LIFETIME_DAYS = 730
"""Graph gives a client secret two years unless told otherwise."""


@with_config(STRICT)
class ApplicationChanges(TypedDict, total=False):
    """What may change."""

    displayName: str


@with_config(STRICT)
class ApplicationFields(TypedDict):
    """Names as in Graph; `appId` is the client id."""

    appId: str
    displayName: str


class Application(ApplicationFields):
    """The state of an application."""

    id: str


ApplicationCreated = EventType("application.created", ApplicationFields, created)
ApplicationChanged = EventType("application.changed", ApplicationChanges, changed)
ApplicationDeleted = EventType("application.deleted", Nothing, deleted)

APPLICATION = Kind[Application](
    "application",
    "identity",
    "application",
    (ApplicationCreated, ApplicationChanged, ApplicationDeleted),
    state=Application,
)


class CreateApplication(Command):
    """Register an application. Without `app_id` one is drawn."""

    action: ClassVar[str] = "Microsoft.Graph/applications/write"

    display_name: Text = Field(min_length=1)
    app_id: Guid | None = None

    def scope(self) -> str:
        return application_id(self.app_id) if self.app_id else "/"


class ApplicationCommand(Command):
    """A command on one application and its credentials."""

    action: ClassVar[str] = "Microsoft.Graph/applications/write"

    app_id: Guid

    def scope(self) -> str:
        return application_id(self.app_id)


class UpdateApplication(ApplicationCommand):
    """Change the fields that are given."""

    display_name: Text | None = Field(default=None, min_length=1)


class DeleteApplication(ApplicationCommand):
    """Delete an application with its credentials, after its service principal."""

    action: ClassVar[str] = "Microsoft.Graph/applications/delete"


class AddPasswordCredential(ApplicationCommand):
    """Give an application a client secret, for two years from now by default. Without `key_id` one is drawn."""

    gives_roles: ClassVar[bool] = True

    secret_text: Secret
    key_id: Guid | None = None
    display_name: Text | None = None
    hint: Text | None = Field(default=None, max_length=3)
    start_date_time: Instant | None = None
    end_date_time: Instant | None = None

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        credential = password_credential_id(self.app_id, self.key_id or fresh_id)
        return (Sealing("secret_text", CLIENT_SECRET_PURPOSE, credential),)


class RemovePasswordCredential(ApplicationCommand):
    """Remove a client secret; the key of its hash is destroyed."""

    key_id: Guid


class AddKeyCredential(ApplicationCommand):
    """Give an application a certificate to log in with. Without `key_id` one is drawn."""

    gives_roles: ClassVar[bool] = True

    certificate: CertificateText
    key_id: Guid | None = None
    display_name: Text | None = None


class RemoveKeyCredential(ApplicationCommand):
    """Remove a certificate credential."""

    key_id: Guid


def need_application(world: World, app_id: str) -> Application:
    """Return the application, or refuse because something depends on it."""
    return APPLICATION.need(world, application_id(app_id), rule="application-exists")


def create_application(world: World, now: str, prepared: Prepared, command: CreateApplication) -> list[Event]:
    """The application id is new."""
    app_id = command.app_id or prepared.id
    APPLICATION.must_be_new(world, application_id(app_id))
    return [
        ApplicationCreated(application_id(app_id), ApplicationFields(appId=app_id, displayName=command.display_name))
    ]


def update_application(world: World, now: str, prepared: Prepared, command: UpdateApplication) -> list[Event]:
    """The application exists."""
    application = need_application(world, command.app_id)
    changes = differing(ApplicationChanges, application, command)
    return [ApplicationChanged(application["id"], changes)] if changes else []


def delete_application(world: World, now: str, prepared: Prepared, command: DeleteApplication) -> list[Event]:
    """No service principal stands for the application; its credentials go first."""
    application = need_application(world, command.app_id)
    credentials = credentials_ended(world, application["id"])
    parts = {fold(event.resource) for event in credentials}
    users = [source for source in world.sources(application["id"], "application") if source not in parts]
    if users:
        raise Refused(
            f"application {application['displayName']} has the service principal {users[0]}: delete that first",
            rule="application-unused",
            resource=users[0],
        )
    return [*credentials, ApplicationDeleted(application["id"], Nothing())]


def add_password_credential(world: World, now: str, prepared: Prepared, command: AddPasswordCredential) -> list[Event]:
    """The secret is valid for some time after now."""
    application = need_application(world, command.app_id)
    key_id = command.key_id or prepared.id
    credential = password_credential_id(application["appId"], key_id)
    PASSWORD_CREDENTIAL.must_be_new(world, credential)
    start = command.start_date_time or now
    end = command.end_date_time or plus_days(start, CLIENT_SECRET_LIFETIME_DAYS)
    if end <= start:
        raise Refused(
            f"client secret {key_id} would end at {end}, before it starts at {start}: give a later endDateTime",
            rule="credential-ends-after-start",
            resource=credential,
        )
    if end <= now:
        raise Refused(
            f"client secret {key_id} expired at {end}: give a later endDateTime",
            rule="credential-not-expired",
            resource=credential,
        )
    fields: PasswordCredentialFields = {
        **given(PasswordCredentialFields, command),
        "appId": application["appId"],
        "keyId": key_id,
        "startDateTime": start,
        "endDateTime": end,
        "secret": prepared.sealed["secret_text"],
    }
    return [PasswordCredentialAdded(credential, fields)]


def remove_password_credential(
    world: World, now: str, prepared: Prepared, command: RemovePasswordCredential
) -> list[Event]:
    """The credential exists."""
    credential = PASSWORD_CREDENTIAL.need(
        world,
        password_credential_id(command.app_id, command.key_id),
        rule="credential-exists",
        advice="it may be gone already",
    )
    return [PasswordCredentialRemoved(credential["id"], Nothing())]


def add_key_credential(world: World, now: str, prepared: Prepared, command: AddKeyCredential) -> list[Event]:
    """The certificate has not expired, and the application does not have it yet."""
    application = need_application(world, command.app_id)
    key_id = command.key_id or prepared.id
    credential = key_credential_id(application["appId"], key_id)
    KEY_CREDENTIAL.must_be_new(world, credential)
    certificate = public_certificate(command.certificate, certificate_facts(prepared.facts), now, credential)
    same = world.sources(key_credential_key(application["appId"], certificate["thumbprint"]), "key")
    if same:
        raise Refused(
            f"application {application['displayName']} has certificate {certificate['thumbprint']} already: {same[0]}",
            rule="one-credential-per-certificate",
            resource=same[0],
        )
    fields: KeyCredentialFields = {
        **given(KeyCredentialFields, command),
        **certificate,
        "appId": application["appId"],
        "keyId": key_id,
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
    }
    return [KeyCredentialAdded(credential, fields)]


def remove_key_credential(world: World, now: str, prepared: Prepared, command: RemoveKeyCredential) -> list[Event]:
    """The credential exists."""
    credential = KEY_CREDENTIAL.need(
        world,
        key_credential_id(command.app_id, command.key_id),
        rule="credential-exists",
        advice="it may be gone already",
    )
    return [KeyCredentialRemoved(credential["id"], Nothing())]


DECISIONS = {
    CreateApplication: create_application,
    UpdateApplication: update_application,
    DeleteApplication: delete_application,
    AddPasswordCredential: add_password_credential,
    RemovePasswordCredential: remove_password_credential,
    AddKeyCredential: add_key_credential,
    RemoveKeyCredential: remove_key_credential,
}
KINDS = (APPLICATION,)
