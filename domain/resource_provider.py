"""Resource providers: the services installed on the deployment, and who brings their data back after a disaster."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Name, Prepared, Text
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.resource import Kind, World

RestoredBy = Literal["ControlPlane", "ByHand"]
Namespace = Annotated[Name, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)+$")]


@with_config(STRICT)
class ResourceProviderChanges(TypedDict, total=False):
    """What may change."""

    displayName: str
    restoredBy: RestoredBy
    enabled: bool


@with_config(STRICT)
class ResourceProviderFields(TypedDict):
    """`restoredBy` says whether recovery brings the provider back, or an operator has to, as with add-ons."""

    namespace: str
    displayName: str
    restoredBy: RestoredBy
    enabled: bool


class ResourceProvider(ResourceProviderFields):
    """The state of a resource provider."""

    id: str


ResourceProviderRegistered = EventType("resource-provider.created", ResourceProviderFields, created)
ResourceProviderChanged = EventType("resource-provider.changed", ResourceProviderChanges, changed)
ResourceProviderUnregistered = EventType("resource-provider.deleted", Nothing, deleted)

RESOURCE_PROVIDER = Kind[ResourceProvider](
    "resource-provider",
    "deployment",
    "resource provider",
    (ResourceProviderRegistered, ResourceProviderChanged, ResourceProviderUnregistered),
    state=ResourceProvider,
)


def resource_provider_id(namespace: str) -> str:
    """Return `/providers/Resurgam.Admin/resourceProviders/{namespace}`."""
    return resource_id.provided("/", "Resurgam.Admin", "resourceProviders", namespace)


class ResourceProviderCommand(Command):
    """A command on one resource provider."""

    action: ClassVar[str] = "Resurgam.Admin/resourceProviders/write"

    namespace: Namespace

    def scope(self) -> str:
        return resource_provider_id(self.namespace)


class RegisterResourceProvider(ResourceProviderCommand):
    """Register an installed resource provider."""

    display_name: Text = Field(min_length=1)
    restored_by: RestoredBy
    enabled: bool = True


class UpdateResourceProvider(ResourceProviderCommand):
    """Change the fields that are given."""

    display_name: Text | None = Field(default=None, min_length=1)
    restored_by: RestoredBy | None = None
    enabled: bool | None = None


class UnregisterResourceProvider(ResourceProviderCommand):
    """Forget a resource provider that was removed."""

    action: ClassVar[str] = "Resurgam.Admin/resourceProviders/delete"


def register_resource_provider(
    world: World, now: str, prepared: Prepared, command: RegisterResourceProvider
) -> list[Event]:
    """The namespace is new."""
    RESOURCE_PROVIDER.must_be_new(world, command.scope())
    return [ResourceProviderRegistered(command.scope(), given(ResourceProviderFields, command))]


def update_resource_provider(
    world: World, now: str, prepared: Prepared, command: UpdateResourceProvider
) -> list[Event]:
    """The resource provider is registered."""
    provider = _need(world, command)
    changes = differing(ResourceProviderChanges, provider, command)
    return [ResourceProviderChanged(provider["id"], changes)] if changes else []


def unregister_resource_provider(
    world: World, now: str, prepared: Prepared, command: UnregisterResourceProvider
) -> list[Event]:
    """The resource provider is registered."""
    return [ResourceProviderUnregistered(_need(world, command)["id"], Nothing())]


def _need(world: World, command: ResourceProviderCommand) -> ResourceProvider:
    return RESOURCE_PROVIDER.need(world, command.scope(), rule="resource-provider-exists")


DECISIONS = {
    RegisterResourceProvider: register_resource_provider,
    UpdateResourceProvider: update_resource_provider,
    UnregisterResourceProvider: unregister_resource_provider,
}
KINDS = (RESOURCE_PROVIDER,)
