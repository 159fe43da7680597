"""The first records of a recovered deployment: that it was recovered, its new inputs, and its new TLS certificates."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from domain.command import Command, Prepared
from domain.control_plane import decide
from domain.deployment import (
    DEPLOYMENT,
    DEPLOYMENT_ID,
    ChangeDeploymentInputs,
    DeploymentCreated,
    RecordRecovery,
)
from domain.deployment_inputs import DeploymentInputs, DeploymentInputsFields, check_immutable
from domain.resource import World
from domain.sealed_value import SealedValue
from infra.control_plane import preparing, reissuing
from infra.control_plane.batch import Batch
from infra.control_plane.job import Item
from infra.control_plane.reissuing import Leaves
from infra.control_plane.request import Request
from infra.database.session import Session
from infra.keys import keyring
from infra.keys.root_key import RootKey
from infra.log.head import Head
from infra.log.page import Page
from infra.log.record import Actor, decode_record
from infra.state.snapshot import HeadLoader, Snapshot
from projections.current import Current
from projections.progress import Progress
from projections.shown import changes

REASON = "recovery from a backup"


@dataclass(frozen=True, slots=True)
class FirstRecords:
    """What was recorded besides the recovery: how the inputs changed, field by field, and certificates."""

    inputs: Sequence[dict[str, object]]
    leaves: Leaves


def record(
    session: Session,
    opened: Head,
    root_key: RootKey,
    actor: Actor,
    recovery: RecordRecovery,
    inputs: DeploymentInputs | None,
    since: str,
    progress: Progress,
) -> FirstRecords:
    """Record them in the recovery's transaction; Refused if the inputs change what is for ever.

    `since` is when the last recovered change was recorded.
    """
    scribe = _Scribe(session, opened, root_key, actor)
    before = _inputs(scribe.world)
    scribe.record(recovery)
    if inputs is not None:
        scribe.record(ChangeDeploymentInputs(inputs=inputs))
    after = _inputs(scribe.world)
    issued = list(Snapshot(session, opened.position).of_kind("issued-certificate"))
    rename = reissuing.renaming(before, after)
    leaves = reissuing.reissue(scribe.world, issued, since, scribe.now, rename, scribe.record, progress)
    scribe.write()
    return FirstRecords(changes(dict(before), dict(after)), leaves)


def checked(pages: Iterable[Page], inputs: DeploymentInputs) -> Iterator[Page]:
    """Pass records on; Refused at the first of them if the inputs change what is for ever, and not after the last."""
    is_first = True
    for page in pages:
        event = decode_record(page.records[0]).event if is_first else {}
        if event.get("type") == DeploymentCreated.name:
            check_immutable(event["payload"]["inputs"], inputs.fields(), DEPLOYMENT_ID)
        is_first = False
        yield page


def planned_inputs(world: World, inputs: DeploymentInputs) -> Sequence[dict[str, object]]:
    """Return how a recovery would change the inputs, field by field; Refused if they change what is for ever."""
    decide(world, "", Prepared(""), ChangeDeploymentInputs(inputs=inputs))
    return changes(dict(_inputs(world)), dict(inputs.fields()))


def _inputs(world: World) -> DeploymentInputsFields:
    return DEPLOYMENT.need(world, DEPLOYMENT_ID, rule="deployment-exists")["inputs"]


class _Scribe:
    """Records commands in one transaction, each prepared in the world that those before it made."""

    def __init__(self, session: Session, opened: Head, root_key: RootKey, actor: Actor) -> None:
        loader = HeadLoader()
        loader.session = session
        self.world = Current(loader)
        self._session = session
        self._root_key = root_key
        self._actor = actor
        self._batch = Batch(session, opened, self.world)
        self._correlation = str(uuid4())

    @property
    def now(self) -> str:
        """The instant at which all is recorded."""
        return self._batch.instant

    def record(self, command: Command) -> Sequence[str]:
        """See reissuing.Record."""
        preparation = preparing.prepare(command, self.world, self.now, self._open_sealed)
        request = Request(command, reason=REASON, correlation=self._correlation)
        item = Item(request, self._actor, preparation, str(uuid4()), request.digest)
        events = decide(self.world, self.now, preparation.prepared, command)
        return self._batch.accept(item, events).resources

    def write(self) -> None:
        """Write what was recorded."""
        self._batch.write(self._root_key)

    def _open_sealed(self, sealed: SealedValue, purpose: str, resource: str) -> bytes:
        return keyring.open_sealed(self._session, self._root_key, sealed, purpose=purpose, resource=resource)
