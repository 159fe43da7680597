"""Backup recipients: the public keys that backups are encrypted to, which a recovered deployment knows by itself."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Name, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.resource import Kind, Link, World

RecipientKind = Literal["mlkem768x25519", "x25519"]

POST_QUANTUM: RecipientKind = "mlkem768x25519"
COLLECTION = "key:backup-recipients"
RECIPIENTS_MAX = 20
"""The format of age files sets no limit; each recipient of a post-quantum file costs its header 1.6 kB."""


@with_config(STRICT)
class BackupRecipientFields(TypedDict):
    """`recipient` is the text `age1…` or `age1pq1…`, `label` says who holds the identity."""

    recipient: str
    recipientKind: RecipientKind
    label: str
    mayMix: bool
    createdOn: str


class BackupRecipient(BackupRecipientFields):
    """The state of a recipient."""

    id: str


RecipientAdded = EventType("backup-recipient.added", BackupRecipientFields, created)
RecipientRetired = EventType("backup-recipient.retired", Nothing, deleted)


def _links(state: BackupRecipient) -> list[Link]:
    return [("key", COLLECTION)]


BACKUP_RECIPIENT = Kind[BackupRecipient](
    "backup-recipient", "deployment", "backup recipient", (RecipientAdded, RecipientRetired), _links
)


def recipients(world: World) -> list[BackupRecipient]:
    """Return every recipient, in the order of their names."""
    return [state for _, state in BACKUP_RECIPIENT.sources(world, COLLECTION, "key")]


def recipient_id(name: str) -> str:
    """Return `/providers/Resurgam.Backup/recipients/{name}`."""
    return resource_id.provided("/", "Resurgam.Backup", "recipients", name)


class AddBackupRecipient(Command):
    """Encrypt the backups from now on to this recipient too.

    Recipients that quantum computers cannot open and ones that they can are mixed only if `mayMix` says so: the weaker
    one then decides how well the backups are protected.
    """

    action: ClassVar[str] = "Resurgam.Backup/recipients/write"

    name: Name
    recipient: Annotated[str, Field(pattern=r"^age1[a-z0-9]{50,2500}$")]
    label: Text = ""
    may_mix: bool = False

    def scope(self) -> str:
        return recipient_id(self.name)


class RetireBackupRecipient(Command):
    """Encrypt to this recipient no longer; what it could open before, it still opens."""

    action: ClassVar[str] = "Resurgam.Backup/recipients/delete"

    name: Name

    def scope(self) -> str:
        return recipient_id(self.name)


def kind_of(recipient: str) -> RecipientKind:
    """Return what the text of a recipient stands for, by its prefix."""
    return POST_QUANTUM if recipient.startswith("age1pq1") else "x25519"


def add_backup_recipient(world: World, now: str, prepared: Prepared, command: AddBackupRecipient) -> list[Event]:
    """The name is new, nobody is named twice, and kinds are mixed only by choice."""
    added = recipient_id(command.name)
    BACKUP_RECIPIENT.must_be_new(world, added)
    present = recipients(world)
    kind = kind_of(command.recipient)
    for other in present:
        if other["recipient"] == command.recipient:
            raise Refused(
                f"this recipient is {other['id']} already: there is nothing to add",
                rule="recipient-is-new",
                resource=other["id"],
            )
        if other["recipientKind"] != kind and not (command.may_mix or other["mayMix"]):
            raise Refused(
                f"{added} is a {kind} recipient and {other['id']} a {other['recipientKind']} one: "
                "retire the other first, or set mayMix if the weaker protection is acceptable",
                rule="recipients-do-not-mix",
                resource=added,
            )
    if len(present) >= RECIPIENTS_MAX:
        raise Refused(
            f"there are {RECIPIENTS_MAX} recipients already: retire one first", rule="recipients-limit", resource=added
        )
    fields = BackupRecipientFields(
        recipient=command.recipient, recipientKind=kind, label=command.label, mayMix=command.may_mix, createdOn=now
    )
    return [RecipientAdded(added, fields)]


def retire_backup_recipient(world: World, now: str, prepared: Prepared, command: RetireBackupRecipient) -> list[Event]:
    """It exists, and is not the last one."""
    state = BACKUP_RECIPIENT.need(world, recipient_id(command.name), rule="recipient-exists")
    if len(recipients(world)) == 1:
        raise Refused(
            f"{state['id']} is the only recipient: without one no backup can be made; add another first",
            rule="a-recipient-remains",
            resource=state["id"],
        )
    return [RecipientRetired(state["id"], Nothing())]


DECISIONS = {AddBackupRecipient: add_backup_recipient, RetireBackupRecipient: retire_backup_recipient}
KINDS = (BACKUP_RECIPIENT,)
