"""Directory services: the customer's directories that users and groups are looked up in, over LDAP."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Name, Prepared, Sealing, Secret, Text
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.network_address import DnsName
from domain.resource import Kind, World
from domain.sealed_value import SealedValue

CREDENTIAL_PURPOSE = "secret-value"

LDAP_PORTS = (389, 636, 3268, 3269)
"""LDAP, LDAP over TLS, global catalog, global catalog over TLS."""

Ports = Annotated[tuple[Annotated[int, Field(ge=1, le=65_535)], ...], Field(strict=False, min_length=1, max_length=8)]


@with_config(STRICT)
class DirectoryServiceChanges(TypedDict, total=False):
    """What may change besides the credential."""

    globalCatalog: str
    ports: list[int]


@with_config(STRICT)
class DirectoryServiceFields(TypedDict):
    """`globalCatalog` is the DNS name of the forest's root; `password` is that of `username`, sealed."""

    name: str
    globalCatalog: str
    ports: list[int]
    username: str
    password: SealedValue


@with_config(STRICT)
class DirectoryServiceCredential(TypedDict):
    """The account with which the directory is read; the key of the password before is destroyed."""

    username: str
    password: SealedValue


class DirectoryService(DirectoryServiceFields):
    """The state of a directory service."""

    id: str


DirectoryServiceRegistered = EventType("directory-service.created", DirectoryServiceFields, created)
DirectoryServiceChanged = EventType("directory-service.changed", DirectoryServiceChanges, changed)
DirectoryServiceCredentialSet = EventType("directory-service.credential-set", DirectoryServiceCredential, changed)
DirectoryServiceUnregistered = EventType("directory-service.deleted", Nothing, deleted)

DIRECTORY_SERVICE = Kind[DirectoryService](
    "directory-service",
    "federation",
    "directory service",
    (
        DirectoryServiceRegistered,
        DirectoryServiceChanged,
        DirectoryServiceCredentialSet,
        DirectoryServiceUnregistered,
    ),
    state=DirectoryService,
)


def directory_service_id(name: str) -> str:
    """Return `/providers/Resurgam.Federation/directoryServices/{name}`."""
    return resource_id.provided("/", "Resurgam.Federation", "directoryServices", name)


class DirectoryServiceCommand(Command):
    """A command on one directory service."""

    action: ClassVar[str] = "Resurgam.Federation/directoryServices/write"

    name: Name

    def scope(self) -> str:
        return directory_service_id(self.name)


class RegisterDirectoryService(DirectoryServiceCommand):
    """Register a directory with an account that may read it."""

    global_catalog: DnsName
    username: Text = Field(min_length=1)
    password: Secret
    ports: Ports = LDAP_PORTS

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        return (Sealing("password", CREDENTIAL_PURPOSE, self.scope()),)


class UpdateDirectoryService(DirectoryServiceCommand):
    """Change the fields that are given."""

    global_catalog: DnsName | None = None
    ports: Ports | None = None


class SetDirectoryServiceCredential(DirectoryServiceCommand):
    """Replace the account with which the directory is read."""

    action: ClassVar[str] = "Resurgam.Federation/directoryServices/setCredential/action"

    username: Text = Field(min_length=1)
    password: Secret

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        return (Sealing("password", CREDENTIAL_PURPOSE, self.scope()),)


class UnregisterDirectoryService(DirectoryServiceCommand):
    """Forget a directory and the account; the key of its password is destroyed."""

    action: ClassVar[str] = "Resurgam.Federation/directoryServices/delete"


def register_directory_service(
    world: World, now: str, prepared: Prepared, command: RegisterDirectoryService
) -> list[Event]:
    """The name is new."""
    DIRECTORY_SERVICE.must_be_new(world, command.scope())
    fields: DirectoryServiceFields = {
        **given(DirectoryServiceFields, command),
        "password": prepared.sealed["password"],
    }
    return [DirectoryServiceRegistered(command.scope(), fields)]


def update_directory_service(
    world: World, now: str, prepared: Prepared, command: UpdateDirectoryService
) -> list[Event]:
    """The directory service is registered."""
    service = _need(world, command)
    changes = differing(DirectoryServiceChanges, service, command)
    return [DirectoryServiceChanged(service["id"], changes)] if changes else []


def set_directory_service_credential(
    world: World, now: str, prepared: Prepared, command: SetDirectoryServiceCredential
) -> list[Event]:
    """The directory service is registered."""
    service = _need(world, command)
    credential = DirectoryServiceCredential(username=command.username, password=prepared.sealed["password"])
    return [DirectoryServiceCredentialSet(service["id"], credential)]


def unregister_directory_service(
    world: World, now: str, prepared: Prepared, command: UnregisterDirectoryService
) -> list[Event]:
    """The directory service is registered."""
    return [DirectoryServiceUnregistered(_need(world, command)["id"], Nothing())]


def _need(world: World, command: DirectoryServiceCommand) -> DirectoryService:
    return DIRECTORY_SERVICE.need(world, command.scope(), rule="directory-service-exists")


DECISIONS = {
    RegisterDirectoryService: register_directory_service,
    UpdateDirectoryService: update_directory_service,
    SetDirectoryServiceCredential: set_directory_service_credential,
    UnregisterDirectoryService: unregister_directory_service,
}
KINDS = (DIRECTORY_SERVICE,)
