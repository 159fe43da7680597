"""Service principals: what an application is in the directory, so that roles can be given to it and it can log in."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain.application import need_application
from domain.application_credential import application_id
from domain.command import Command, Guid, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing
from domain.object_id import ObjectId
from domain.principal import disabled, enabled, principal_id
from domain.principal_references import references_ended
from domain.resource import Kind, Link, World
from domain.role_assignment import must_leave_an_owner


@with_config(STRICT)
class ServicePrincipalChanges(TypedDict, total=False):
    """What may change."""

    displayName: str


@with_config(STRICT)
class ServicePrincipalFields(TypedDict):
    """Names as in Graph; the credentials are the application's."""

    objectId: str
    appId: str
    displayName: str
    accountEnabled: bool


class ServicePrincipal(ServicePrincipalFields):
    """The state of a service principal."""

    id: str


ServicePrincipalCreated = EventType("service-principal.created", ServicePrincipalFields, created)
ServicePrincipalChanged = EventType("service-principal.changed", ServicePrincipalChanges, changed)
ServicePrincipalEnabled = EventType("service-principal.enabled", Nothing, enabled)
ServicePrincipalDisabled = EventType("service-principal.disabled", Nothing, disabled)
ServicePrincipalDeleted = EventType("service-principal.deleted", Nothing, deleted)


def _links(state: ServicePrincipal) -> Iterable[Link]:
    yield "application", application_id(state["appId"])


SERVICE_PRINCIPAL = Kind[ServicePrincipal](
    "service-principal",
    "identity",
    "service principal",
    (
        ServicePrincipalCreated,
        ServicePrincipalChanged,
        ServicePrincipalEnabled,
        ServicePrincipalDisabled,
        ServicePrincipalDeleted,
    ),
    _links,
    ("appId",),
    state=ServicePrincipal,
)


def find_service_principal(world: World, app_id: str) -> ServicePrincipal | None:
    """Return the service principal of an application."""
    found = SERVICE_PRINCIPAL.sources(world, application_id(app_id), "application")
    return next((service_principal for _, service_principal in found), None)


class CreateServicePrincipal(Command):
    """Give an application its service principal, by default of the same name. Without `object_id` one is drawn."""

    action: ClassVar[str] = "Microsoft.Graph/servicePrincipals/write"

    app_id: Guid
    object_id: ObjectId | None = None
    display_name: Text | None = Field(default=None, min_length=1)
    account_enabled: bool = True

    def scope(self) -> str:
        return principal_id(self.object_id) if self.object_id else "/"


class ServicePrincipalCommand(Command):
    """A command on one service principal."""

    action: ClassVar[str] = "Microsoft.Graph/servicePrincipals/write"

    object_id: ObjectId

    def scope(self) -> str:
        return principal_id(self.object_id)


class UpdateServicePrincipal(ServicePrincipalCommand):
    """Change the fields that are given."""

    display_name: Text | None = Field(default=None, min_length=1)


class EnableServicePrincipal(ServicePrincipalCommand):
    """Let an application log in again."""


class DisableServicePrincipal(ServicePrincipalCommand):
    """Keep an application from logging in; roles, memberships and credentials stay."""


class DeleteServicePrincipal(ServicePrincipalCommand):
    """Delete a service principal and its group memberships; with `force` its role assignments too."""

    action: ClassVar[str] = "Microsoft.Graph/servicePrincipals/delete"

    force: bool = False


def create_service_principal(
    world: World, now: str, prepared: Prepared, command: CreateServicePrincipal
) -> list[Event]:
    """The application exists and has no service principal."""
    object_id = command.object_id or prepared.id
    SERVICE_PRINCIPAL.must_be_new(world, principal_id(object_id))
    application = need_application(world, command.app_id)
    other = find_service_principal(world, application["appId"])
    if other is not None:
        raise Refused(
            f"application {application['displayName']} has service principal {other['objectId']} already: use that",
            rule="one-service-principal-per-application",
            resource=other["id"],
        )
    fields = ServicePrincipalFields(
        objectId=object_id,
        appId=application["appId"],
        displayName=command.display_name or application["displayName"],
        accountEnabled=command.account_enabled,
    )
    return [ServicePrincipalCreated(principal_id(object_id), fields)]


def update_service_principal(
    world: World, now: str, prepared: Prepared, command: UpdateServicePrincipal
) -> list[Event]:
    """The service principal exists."""
    service_principal = _need(world, command)
    changes = differing(ServicePrincipalChanges, service_principal, command)
    return [ServicePrincipalChanged(service_principal["id"], changes)] if changes else []


def enable_service_principal(
    world: World, now: str, prepared: Prepared, command: EnableServicePrincipal
) -> list[Event]:
    """Enabling twice changes nothing."""
    service_principal = _need(world, command)
    if service_principal["accountEnabled"]:
        return []
    return [ServicePrincipalEnabled(service_principal["id"], Nothing())]


def disable_service_principal(
    world: World, now: str, prepared: Prepared, command: DisableServicePrincipal
) -> list[Event]:
    """Somebody else is Owner at the root '/'. Disabling twice changes nothing."""
    service_principal = _need(world, command)
    must_leave_an_owner(world, service_principal["id"])
    if not service_principal["accountEnabled"]:
        return []
    return [ServicePrincipalDisabled(service_principal["id"], Nothing())]


def delete_service_principal(
    world: World, now: str, prepared: Prepared, command: DeleteServicePrincipal
) -> list[Event]:
    """What refers to the service principal goes first; see domain.principal_references."""
    principal = _need(world, command)["id"]
    return [*references_ended(world, principal, force=command.force), ServicePrincipalDeleted(principal, Nothing())]


def _need(world: World, command: ServicePrincipalCommand) -> ServicePrincipal:
    return SERVICE_PRINCIPAL.need(world, command.scope(), rule="service-principal-exists")


DECISIONS = {
    CreateServicePrincipal: create_service_principal,
    UpdateServicePrincipal: update_service_principal,
    EnableServicePrincipal: enable_service_principal,
    DisableServicePrincipal: disable_service_principal,
    DeleteServicePrincipal: delete_service_principal,
}
KINDS = (SERVICE_PRINCIPAL,)
