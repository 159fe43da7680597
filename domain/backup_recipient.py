"""Backup recipients: the public keys that backups are encrypted to, which a recovered deployment knows by itself."""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal, NotRequired

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Name, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.instant import canonical
from domain.public_certificate import CertificateFacts
from domain.resource import Kind, Link, World

RecipientKind = Literal["mlkem768x25519", "x25519", "x509-rsa"]
Encryption = Literal["post-quantum", "classical", "mixed"]

POST_QUANTUM: RecipientKind = "mlkem768x25519"
X509: RecipientKind = "x509-rsa"
X509_PREFIX = "x509:"
COLLECTION = "key:backup-recipients"
RECIPIENTS_MAX = 20
"""The format of age files sets no limit; each recipient of a post-quantum file costs its header 1.6 kB."""


@with_config(STRICT)
class RecipientCertificate(CertificateFacts):
    """`fingerprint` is that of the certificate's key, by which lists and manifests name the recipient."""

    fingerprint: str


FACTS = TypeAdapter(RecipientCertificate)


@with_config(STRICT)
class BackupRecipientFields(TypedDict):
    """`recipient` is the text `age1…`, `age1pq1…` or `x509:` and the base64 of a certificate in DER form.

    `label` says who holds the identity. A certificate's facts stand beside it.
    """

    recipient: str
    recipientKind: RecipientKind
    label: str
    mayMix: bool
    createdOn: str
    certificate: NotRequired[RecipientCertificate]


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

    `recipient` is what `resurgam key generate` or `resurgam key recipient` prints. A certificate (`x509:…`) stands only
    beside a recipient of age. Recipients that quantum computers cannot open and ones that they can are mixed only if
    `mayMix` says so: the weaker one then decides how well the backups are protected.
    """

    action: ClassVar[str] = "Resurgam.Backup/recipients/write"

    name: Name
    recipient: Annotated[str, Field(pattern=r"^(age1[a-z0-9]{50,2500}|x509:[A-Za-z0-9+/]+={0,2})$", max_length=16_384)]
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
    if recipient.startswith(X509_PREFIX):
        return X509
    return POST_QUANTUM if recipient.startswith("age1pq1") else "x25519"


def encryption(kinds: Iterable[RecipientKind]) -> Encryption:
    """Return how well what is sealed to recipients of these kinds is protected."""
    is_post_quantum = {kind == POST_QUANTUM for kind in kinds}
    if len(is_post_quantum) > 1:
        return "mixed"
    return "post-quantum" if True in is_post_quantum else "classical"


def add_backup_recipient(world: World, now: str, prepared: Prepared, command: AddBackupRecipient) -> list[Event]:
    """The name is new, nobody is named twice, kinds are mixed only by choice, and a certificate is never alone."""
    added = recipient_id(command.name)
    BACKUP_RECIPIENT.must_be_new(world, added)
    present = recipients(world)
    kind = kind_of(command.recipient)
    fields = BackupRecipientFields(
        recipient=command.recipient, recipientKind=kind, label=command.label, mayMix=command.may_mix, createdOn=now
    )
    if kind == X509:
        fields["certificate"] = _certificate(prepared.facts, now, added)
        _check_beside_age(present, added)
    for other in present:
        _check_beside(other, fields, added)
    if len(present) >= RECIPIENTS_MAX:
        raise Refused(
            f"there are {RECIPIENTS_MAX} recipients already: retire one first", rule="recipients-limit", resource=added
        )
    return [RecipientAdded(added, fields)]


def _check_beside(other: BackupRecipient, fields: BackupRecipientFields, added: str) -> None:
    """Refuse who is a recipient already, and kinds that nobody chose to mix."""
    is_certificate = "certificate" in other and "certificate" in fields
    is_same = is_certificate and other["certificate"]["fingerprint"] == fields["certificate"]["fingerprint"]
    if other["recipient"] == fields["recipient"] or is_same:
        raise Refused(
            f"{'its key' if is_certificate else 'this recipient'} is {other['id']} already: "
            f"{'retire that first to take another certificate of it' if is_certificate else 'there is nothing to add'}",
            rule="recipient-is-new",
            resource=other["id"],
        )
    kinds = (fields["recipientKind"], other["recipientKind"])
    if encryption(kinds) == "mixed" and not (fields["mayMix"] or other["mayMix"]):
        raise Refused(
            f"{added} is a {kinds[0]} recipient and {other['id']} a {kinds[1]} one: "
            "retire the other first, or set mayMix if the weaker protection is acceptable",
            rule="recipients-do-not-mix",
            resource=added,
        )


def _certificate(facts: Mapping[str, object], now: str, added: str) -> RecipientCertificate:
    """Return the facts of a certificate, refused unless it is valid now; once it expires it is still sealed to."""
    read = FACTS.validate_python(dict(facts))
    found = RecipientCertificate(
        thumbprint=read["thumbprint"],
        notBefore=canonical(read["notBefore"]),
        notAfter=canonical(read["notAfter"]),
        subject=read["subject"],
        fingerprint=read["fingerprint"],
    )
    if found["notAfter"] <= now or found["notBefore"] > now:
        when = f"expired at {found['notAfter']}" if found["notAfter"] <= now else f"begins at {found['notBefore']}"
        raise Refused(
            f"certificate {found['thumbprint']} ({found['subject']}) {when}: give a valid one",
            rule="certificate-is-valid",
            resource=added,
        )
    return found


def _check_beside_age(present: Iterable[BackupRecipient], resource: str) -> None:
    if all(other["recipientKind"] == X509 for other in present):
        raise Refused(
            "a certificate's key is no recipient alone: without an age recipient beside it, no other program could "
            "open the backups; make one with `resurgam key generate` and add it first",
            rule="an-age-recipient-remains",
            resource=resource,
        )


def retire_backup_recipient(world: World, now: str, prepared: Prepared, command: RetireBackupRecipient) -> list[Event]:
    """It exists, and is not the last one, nor the last one of age."""
    state = BACKUP_RECIPIENT.need(world, recipient_id(command.name), rule="recipient-exists")
    others = [other for other in recipients(world) if other["id"] != state["id"]]
    if not others:
        raise Refused(
            f"{state['id']} is the only recipient: without one no backup can be made; add another first",
            rule="a-recipient-remains",
            resource=state["id"],
        )
    _check_beside_age(others, state["id"])
    return [RecipientRetired(state["id"], Nothing())]


DECISIONS = {AddBackupRecipient: add_backup_recipient, RetireBackupRecipient: retire_backup_recipient}
KINDS = (BACKUP_RECIPIENT,)
