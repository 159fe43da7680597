"""The deployment: one installed control plane, its inputs, its release, and what it was recovered or forked from."""

from typing import Annotated, ClassVar, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain.command import Command, Guid, Prepared, Text
from domain.deployment_inputs import DeploymentInputs, DeploymentInputsFields, check_immutable, check_inputs
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, State, changed, created
from domain.fields import given
from domain.instant import Instant
from domain.resource import Kind, World
from domain.restored import SignerTrust

DEPLOYMENT_ID = "/providers/Resurgam.Admin/deployments/default"

NonEmpty = Annotated[Text, Field(min_length=1)]
Position = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]

RestoredSignerTrust = Literal["Remembered", "Endorsed", "Named", "FirstUse"]
"""As SignerTrust; or the store itself remembered the signer."""


@with_config(STRICT)
class DeploymentCreation(TypedDict):
    """A clean installation, or the first event of its log."""

    deploymentId: str
    epoch: str
    release: str
    inputs: DeploymentInputsFields


@with_config(STRICT)
class ChangedInputs(TypedDict):
    """All inputs, also those that stay."""

    inputs: DeploymentInputsFields


@with_config(STRICT)
class DeploymentRecovery(TypedDict):
    """Where the recovered state came from.

    `backupPosition` is the backup's last one, and `recoveredPosition` an earlier one if that was asked for.
    `checkpointRoot` is the backup's Merkle root in base64.
    """

    deploymentId: str
    ancestorDeploymentId: str
    epoch: str
    parentEpoch: str
    manifestSequence: int
    backupPosition: int
    backupRecordedAt: str
    recoveredPosition: int
    checkpointRoot: str
    signerTrust: SignerTrust
    fromRelease: str
    toRelease: str


@with_config(STRICT)
class DeploymentFork(TypedDict):
    """Where this log parted from the backups of the deployment that it was; it goes on as one of its own.

    `backupPosition` and `backupRoot` are the checkpoint of the ancestor's newest backup, `logPosition` and `logRoot`
    that of the log before this event; roots are in base64. Both hold the same records up to `agreedPosition` at least.
    """

    deploymentId: str
    ancestorDeploymentId: str
    epoch: str
    parentEpoch: str
    manifestSequence: int
    backupPosition: int
    backupRecordedAt: str
    backupRoot: str
    logPosition: int
    logRoot: str
    agreedPosition: int


@with_config(STRICT)
class DeploymentUpdate(TypedDict):
    """The store goes on under another release."""

    fromRelease: str
    toRelease: str


@with_config(STRICT)
class RootKeyRestoration(TypedDict):
    """The root key was lost over an intact store, and the keys of sealed values came back from a backup.

    The signer was lost with the root key, so the deployment goes on as a new one, with an epoch and backups of its own.
    `lostKeys` were added after the backup: what they sealed is destroyed. `checkpointRoot` is the backup's Merkle root.
    """

    deploymentId: str
    ancestorDeploymentId: str
    epoch: str
    parentEpoch: str
    manifestSequence: int
    backupPosition: int
    checkpointRoot: str
    signerTrust: RestoredSignerTrust
    restoredKeys: int
    lostKeys: int


class Deployment(DeploymentCreation):
    """The state of the deployment; earlier recoveries and forks are in its history."""

    id: str
    lastRecovery: NotRequired[DeploymentRecovery]
    lastFork: NotRequired[DeploymentFork]
    lastRootKeyRestoration: NotRequired[RootKeyRestoration]


def _recovered(state: State | None, resource: str, payload: DeploymentRecovery) -> State:
    fields = {
        "deploymentId": payload["deploymentId"],
        "epoch": payload["epoch"],
        "release": payload["toRelease"],
        "lastRecovery": payload,
    }
    return changed(state, resource, fields)


def _forked(state: State | None, resource: str, payload: DeploymentFork) -> State:
    fields = {"deploymentId": payload["deploymentId"], "epoch": payload["epoch"], "lastFork": payload}
    return changed(state, resource, fields)


def _root_key_restored(state: State | None, resource: str, payload: RootKeyRestoration) -> State:
    fields = {
        "deploymentId": payload["deploymentId"],
        "epoch": payload["epoch"],
        "lastRootKeyRestoration": payload,
    }
    return changed(state, resource, fields)


def _updated(state: State | None, resource: str, payload: DeploymentUpdate) -> State:
    return changed(state, resource, {"release": payload["toRelease"]})


DeploymentCreated = EventType("deployment.created", DeploymentCreation, created)
DeploymentInputsChanged = EventType("deployment.inputs-changed", ChangedInputs, changed)
DeploymentRecovered = EventType("deployment.recovered", DeploymentRecovery, _recovered)
DeploymentForked = EventType("deployment.forked", DeploymentFork, _forked)
DeploymentUpdated = EventType("deployment.updated", DeploymentUpdate, _updated)
DeploymentRootKeyRestored = EventType("deployment.root-key-restored", RootKeyRestoration, _root_key_restored)

DEPLOYMENT = Kind[Deployment](
    "deployment",
    "deployment",
    "deployment",
    (
        DeploymentCreated,
        DeploymentInputsChanged,
        DeploymentRecovered,
        DeploymentForked,
        DeploymentUpdated,
        DeploymentRootKeyRestored,
    ),
)


class DeploymentCommand(Command):
    """A command on the deployment."""

    action: ClassVar[str] = "Resurgam.Admin/deployments/write"

    def scope(self) -> str:
        return DEPLOYMENT_ID


class CreateDeployment(DeploymentCommand):
    """Begin a log with a clean installation. `release` is the program's and `epoch` the log's."""

    inputs: DeploymentInputs
    deployment_id: Guid
    epoch: NonEmpty
    release: NonEmpty


class ChangeDeploymentInputs(DeploymentCommand):
    """Replace the inputs by these, all of them; region, external domain name and identity store must be as before."""

    inputs: DeploymentInputs


class RecordRecovery(DeploymentCommand):
    """Record that this log was recovered from a backup; the fields are those of DeploymentRecovery."""

    action: ClassVar[str] = "Resurgam.Admin/deployments/recover/action"

    deployment_id: Guid
    ancestor_deployment_id: Guid
    epoch: NonEmpty
    parent_epoch: NonEmpty
    manifest_sequence: Position
    backup_position: Position
    backup_recorded_at: Instant
    recovered_position: Position
    checkpoint_root: NonEmpty
    signer_trust: SignerTrust
    from_release: NonEmpty
    to_release: NonEmpty


class RecordFork(DeploymentCommand):
    """Record that this log parted from its backups and goes on by itself; the fields are those of DeploymentFork."""

    action: ClassVar[str] = "Resurgam.Admin/deployments/fork/action"

    deployment_id: Guid
    ancestor_deployment_id: Guid
    epoch: NonEmpty
    parent_epoch: NonEmpty
    manifest_sequence: Position
    backup_position: Position
    backup_recorded_at: Instant
    backup_root: NonEmpty
    log_position: Position
    log_root: NonEmpty
    agreed_position: Annotated[int, Field(ge=0)]


class RecordRootKeyRestoration(DeploymentCommand):
    """Record that the root key was lost and restored; the fields are those of DeploymentRootKeyRestored."""

    action: ClassVar[str] = "Resurgam.Admin/deployments/restoreRootKey/action"

    deployment_id: Guid
    ancestor_deployment_id: Guid
    epoch: NonEmpty
    parent_epoch: NonEmpty
    manifest_sequence: Position
    backup_position: Position
    checkpoint_root: NonEmpty
    signer_trust: RestoredSignerTrust
    restored_keys: Count
    lost_keys: Count


class RecordUpdate(DeploymentCommand):
    """Record that this log goes on under another release."""

    action: ClassVar[str] = "Resurgam.Admin/deployments/update/action"

    to_release: NonEmpty


def create_deployment(world: World, now: str, prepared: Prepared, command: CreateDeployment) -> list[Event]:
    """A log has one deployment."""
    DEPLOYMENT.must_be_new(world, DEPLOYMENT_ID)
    inputs = command.inputs.fields()
    check_inputs(inputs, DEPLOYMENT_ID)
    fields = DeploymentCreation(
        deploymentId=command.deployment_id, epoch=command.epoch, release=command.release, inputs=inputs
    )
    return [DeploymentCreated(DEPLOYMENT_ID, fields)]


def change_deployment_inputs(
    world: World, now: str, prepared: Prepared, command: ChangeDeploymentInputs
) -> list[Event]:
    """What is for ever stays; the same inputs change nothing."""
    before = _need(world)["inputs"]
    inputs = command.inputs.fields()
    check_immutable(before, inputs, DEPLOYMENT_ID)
    check_inputs(inputs, DEPLOYMENT_ID)
    return [DeploymentInputsChanged(DEPLOYMENT_ID, ChangedInputs(inputs=inputs))] if inputs != before else []


def record_recovery(world: World, now: str, prepared: Prepared, command: RecordRecovery) -> list[Event]:
    """The epoch is a new one, and no more was recovered than was backed up."""
    _check_epoch(world, command)
    if command.recovered_position > command.backup_position:
        raise Refused(
            f"position {command.recovered_position} is not in a backup that ends at {command.backup_position}: "
            "correct the positions",
            rule="recovered-position-in-backup",
            resource=DEPLOYMENT_ID,
        )
    return [DeploymentRecovered(DEPLOYMENT_ID, given(DeploymentRecovery, command))]


def record_fork(world: World, now: str, prepared: Prepared, command: RecordFork) -> list[Event]:
    """Deployment and epoch are new ones, and no more is in common than each of the two has."""
    _check_epoch(world, command)
    if command.deployment_id == command.ancestor_deployment_id:
        raise Refused(
            f"{command.deployment_id} is the deployment's id already: a fork begins a new one",
            rule="fork-is-new",
            resource=DEPLOYMENT_ID,
        )
    if command.agreed_position > min(command.backup_position, command.log_position):
        raise Refused(
            f"position {command.agreed_position} is not in both: the backup ends at {command.backup_position}, the log "
            f"at {command.log_position}; correct the positions",
            rule="agreed-position-in-both",
            resource=DEPLOYMENT_ID,
        )
    return [DeploymentForked(DEPLOYMENT_ID, given(DeploymentFork, command))]


def record_root_key_restoration(
    world: World, now: str, prepared: Prepared, command: RecordRootKeyRestoration
) -> list[Event]:
    """The epoch is a new one."""
    _check_epoch(world, command)
    return [DeploymentRootKeyRestored(DEPLOYMENT_ID, given(RootKeyRestoration, command))]


def record_update(world: World, now: str, prepared: Prepared, command: RecordUpdate) -> list[Event]:
    """The same release changes nothing."""
    deployment = _need(world)
    if command.to_release == deployment["release"]:
        return []
    update = DeploymentUpdate(fromRelease=deployment["release"], toRelease=command.to_release)
    return [DeploymentUpdated(DEPLOYMENT_ID, update)]


def _check_epoch(world: World, command: RecordRecovery | RecordFork | RecordRootKeyRestoration) -> None:
    if command.epoch in (command.parent_epoch, _need(world)["epoch"]):
        raise Refused(
            f"epoch {command.epoch} is the deployment's already: begin a new one",
            rule="epoch-is-new",
            resource=DEPLOYMENT_ID,
        )


def _need(world: World) -> Deployment:
    return DEPLOYMENT.need(world, DEPLOYMENT_ID, rule="deployment-exists", advice="create it with init")


DECISIONS = {
    CreateDeployment: create_deployment,
    ChangeDeploymentInputs: change_deployment_inputs,
    RecordRecovery: record_recovery,
    RecordFork: record_fork,
    RecordUpdate: record_update,
    RecordRootKeyRestoration: record_root_key_restoration,
}
KINDS = (DEPLOYMENT,)
