"""Clean install: an empty store becomes a new deployment from its deployment inputs, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, Field, SecretStr, ValidationError

from domain import resource_id
from domain.backup_recipient import AddBackupRecipient
from domain.built_in_role import BUILT_IN_ROLES, OWNER
from domain.command import Command, Guid, Text
from domain.control_plane import decide
from domain.deployment import DEPLOYMENT_ID, CreateDeployment
from domain.deployment_inputs import DeploymentInputs, check_inputs
from domain.errors import Usage
from domain.object_id import ObjectId
from domain.release import RELEASE
from domain.role_assignment import AssignRole
from domain.role_definition import DefineRole
from domain.subscription import CreateProviderSubscription
from domain.user import CreateUser, UserPrincipalName
from infra.backup import manifest, memory
from infra.backup.age import parse_recipient
from infra.control_plane import preparing, store
from infra.control_plane.batch import Batch
from infra.control_plane.job import Item
from infra.control_plane.request import Request
from infra.database.session import Database, Session
from infra.keys.password import STANDARD_COST, Cost
from infra.keys.root_key import RootKey
from infra.keys.signer import Signer
from infra.log import head
from infra.log.head import OPEN, Head
from infra.log.record import Actor
from infra.state.snapshot import HeadLoader
from projections.current import Current

_Inputs = TypeVar("_Inputs", bound=DeploymentInputs)


def _drawn() -> str:
    return str(uuid4())


FIELDS_SHOWN = 5


class Operator(BaseModel):
    """The first operator, who gets the role Owner at '/' and owns the provider subscription."""

    model_config = Command.model_config

    user_principal_name: UserPrincipalName
    display_name: Annotated[Text, Field(min_length=1)]
    object_id: ObjectId = Field(default_factory=_drawn)


class Provider(BaseModel):
    """The Default Provider Subscription, which holds the quotas, plans and offers; ids that are not given are drawn."""

    model_config = Command.model_config

    subscription_id: Guid = Field(default_factory=_drawn)
    tenant_id: Guid = Field(default_factory=_drawn)
    display_name: Text = "Default Provider Subscription"


class InstallInputs(DeploymentInputs):
    """The inputs file of `resurgam init`: the deployment inputs, and who operates the deployment first."""

    operator: Operator
    provider_subscription: Provider = Field(default_factory=Provider)

    def deployment_inputs(self) -> DeploymentInputs:
        """Return the inputs without what only the installation needs."""
        return DeploymentInputs(**{field: getattr(self, field) for field in DeploymentInputs.model_fields})


class RecoveryInputs(DeploymentInputs):
    """The inputs file of `resurgam recover`: that of `init`, of which the installation's own part is passed over.

    Operators and subscriptions come from the backup.
    """

    operator: Operator | None = None
    provider_subscription: Provider | None = None

    def deployment_inputs(self) -> DeploymentInputs:
        """Return the inputs alone."""
        return DeploymentInputs(**{field: getattr(self, field) for field in DeploymentInputs.model_fields})


@dataclass(frozen=True, slots=True)
class Installed:
    """A new deployment: its head after the first job, and its signer's public half."""

    head: Head
    signer: Signer
    operator: str
    provider_subscription: str


def parse_inputs(value: object) -> InstallInputs:
    """Return the checked inputs, or raise Usage that names each field that is wrong."""
    return _parsed(value, InstallInputs)


def parse_recovery_inputs(value: object) -> DeploymentInputs:
    """Return the inputs of other hardware or another place; Refused if they contradict each other."""
    inputs = _parsed(value, RecoveryInputs).deployment_inputs()
    check_inputs(inputs.fields(), DEPLOYMENT_ID)
    return inputs


def _parsed(value: object, model: type[_Inputs]) -> _Inputs:
    if not isinstance(value, dict):
        raise Usage("the inputs are not a mapping of names to values")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:FIELDS_SHOWN])
        raise Usage(f"the inputs are malformed: {'; '.join(problems)}") from None


def backup_recipient(name: str, recipient: str) -> AddBackupRecipient:
    """Return the command that adds a backup recipient; Usage if the name or the recipient is none."""
    parse_recipient(recipient)
    try:
        return AddBackupRecipient(name=name, recipient=recipient)
    except ValidationError:
        raise Usage(f"{name!r} cannot be the name of a recipient: it becomes one segment of an id") from None


def install(
    database: Database,
    root_key: RootKey,
    inputs: InstallInputs,
    password: SecretStr,
    recipients: Sequence[AddBackupRecipient],
    actor: Actor,
    *,
    cost: Cost = STANDARD_COST,
) -> Installed:
    """Open an empty store as a new deployment; if anything is refused, or a crash comes in between, it stays empty."""
    deployment, epoch = str(uuid4()), str(uuid4())
    commands = [
        CreateDeployment(inputs=inputs.deployment_inputs(), deployment_id=deployment, epoch=epoch, release=RELEASE),
        *_built_in_roles(),
        *_operator(inputs, password),
        *recipients,
    ]
    items = [_item(command, actor, cost) for command in commands]
    signer = Signer.generate(manifest.origin(deployment))
    store.ensure_empty(database)
    with database.write() as session:
        at = head.read(session, lock=True)
        store.check_empty(at)
        opened = replace(at, deployment=deployment, epoch=epoch, mode=OPEN)
        head.write(session, opened)
        memory.put_signer(session, signer, root_key)
        _record(session, opened, items, root_key)
        installed = head.read(session)
    return Installed(installed, signer, inputs.operator.object_id, inputs.provider_subscription.subscription_id)


def _built_in_roles() -> list[Command]:
    fields: Mapping[str, Mapping[str, Any]] = BUILT_IN_ROLES
    return [DefineRole.model_validate({"name": resource_id.name(role), **given}) for role, given in fields.items()]


def _operator(inputs: InstallInputs, password: SecretStr) -> list[Command]:
    operator, provider = inputs.operator, inputs.provider_subscription
    return [
        CreateUser(
            user_principal_name=operator.user_principal_name,
            display_name=operator.display_name,
            object_id=operator.object_id,
            password=password,
        ),
        AssignRole(scope_id="/", role_definition_id=OWNER, principal_id=operator.object_id),
        CreateProviderSubscription(
            subscription_id=provider.subscription_id,
            display_name=provider.display_name,
            owner=operator.user_principal_name,
            tenant_id=provider.tenant_id,
        ),
    ]


def _item(command: Command, actor: Actor, cost: Cost) -> Item:
    preparation = preparing.prepare(command, None, "", None, cost=cost)
    request = Request(command, reason="clean install")
    return Item(request, actor, preparation, str(uuid4()), request.digest)


def _record(session: Session, opened: Head, items: Sequence[Item], root_key: RootKey) -> None:
    loader = HeadLoader()
    loader.session = session
    world = Current(loader)
    batch = Batch(session, opened, world)
    for item in items:
        batch.accept(item, decide(world, batch.clock.instant, item.preparation.prepared, item.request.command))
    batch.write(root_key)
