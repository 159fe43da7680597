"""Certificate authorities: the internal X.509 roots, of which one is active, and their rotation with overlap."""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal, NotRequired, cast

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Id, Name, Prepared, Sealing, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, Payload, State, changed, created
from domain.instant import plus_days
from domain.resource import Kind, Link, World
from domain.sealed_value import SealedValue

NAMESPACE = "Resurgam.Certificates"
ROOTS = f"/providers/{NAMESPACE}/roots"
ROOT_KEY_PURPOSE = "ca-private-key"
ACTIVE_ROOT = "ca-root:active"
"""The target of the link that keeps the active root the only one."""

KeyType = Literal["RSA-4096", "EC-P384"]
ValidityDays = Annotated[int, Field(ge=1, le=36_500)]
DistinguishedName = Annotated[Text, Field(min_length=1)]
"""A name in the form of RFC 4514, `CN=Region root,O=Example`: the last attribute of the certificate stands first."""


class CertificateFields(TypedDict):
    """What is read from a certificate, as PEM; the thumbprint is SHA-1 in upper-case hex, as Windows shows it.

    The serial number is lower-case hex without leading zeros; the times are canonical instants.
    """

    certificate: str
    thumbprint: str
    serialNumber: str
    subject: str
    notBefore: str
    notAfter: str


class RootCertificateFields(CertificateFields):
    """The facts that are prepared for a new root; the identifier is lower-case hex."""

    subjectKeyIdentifier: str


@with_config(STRICT)
class CertificateAuthorityFields(RootCertificateFields):
    """A root begins as the active one, with its private key (PKCS #8, DER)."""

    keyType: KeyType
    state: Literal["Active"]
    privateKey: SealedValue


@with_config(STRICT)
class Supersession(TypedDict):
    """Both roots are trusted until `overlapUntil`; new certificates come from the successor."""

    state: Literal["Retiring"]
    successor: str
    overlapUntil: str


class CertificateAuthority(RootCertificateFields):
    """The state of a root; a retired one has no key, and its certificate stays for building chains."""

    id: str
    keyType: KeyType
    state: Literal["Active", "Retiring", "Retired"]
    privateKey: NotRequired[SealedValue]
    successor: NotRequired[str]
    overlapUntil: NotRequired[str]


def _retired(state: State | None, resource: str, payload: Payload) -> State:
    """The key leaves the state, which destroys it."""
    fields = changed(state, resource, {"state": "Retired"})
    return {name: value for name, value in fields.items() if name != "privateKey"}


CertificateAuthorityCreated = EventType("ca-root.created", CertificateAuthorityFields, created)
CertificateAuthoritySuperseded = EventType("ca-root.superseded", Supersession, changed)
CertificateAuthorityRetired = EventType("ca-root.retired", Nothing, _retired)


def _links(state: CertificateAuthority) -> Iterable[Link]:
    if state["state"] == "Active":
        yield "key", ACTIVE_ROOT
    if "successor" in state:
        yield "successor", state["successor"]


CA_ROOT = Kind[CertificateAuthority](
    "ca-root",
    "certificates",
    "certificate authority",
    (CertificateAuthorityCreated, CertificateAuthoritySuperseded, CertificateAuthorityRetired),
    _links,
    ("state", "successor"),
    state=CertificateAuthority,
)


def root_id(name: str) -> str:
    """Return `/providers/Resurgam.Certificates/roots/{name}`."""
    return resource_id.child(ROOTS, name)


class CreateCertificateAuthority(Command):
    """Create the first active root, or a new one where every other is retiring or retired."""

    action: ClassVar[str] = "Resurgam.Certificates/roots/write"

    name: Name
    subject: DistinguishedName
    validity_days: ValidityDays
    key_type: KeyType = "EC-P384"

    def scope(self) -> str:
        return root_id(self.name)

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        return [Sealing("private_key", ROOT_KEY_PURPOSE, root_id(self.name))]


class RotateCertificateAuthority(CreateCertificateAuthority):
    """Create a new active root; the one that was active retires, and both are trusted for `overlap_days`."""

    action: ClassVar[str] = "Resurgam.Certificates/roots/rotate/action"

    overlap_days: Annotated[int, Field(ge=0, le=3_650)]


class RetireCertificateAuthority(Command):
    """Destroy the key of a root whose overlap has ended."""

    action: ClassVar[str] = "Resurgam.Certificates/roots/retire/action"

    id: Id

    def scope(self) -> str:
        return self.id


def active_root(world: World) -> CertificateAuthority | None:
    """Return the active root, None if there is none."""
    return next((root for _, root in CA_ROOT.sources(world, ACTIVE_ROOT, "key")), None)


def issuing_root(world: World, root: str | None) -> CertificateAuthority:
    """Return the root that signs certificates: the named one, which must be active, or the active one."""
    active = active_root(world)
    if root is None:
        if active is None:
            raise Refused(
                "no certificate authority is active: create one first", rule="active-root-exists", resource=ROOTS
            )
        return active
    found = CA_ROOT.need(world, root, rule="root-exists")
    if found["state"] != "Active":
        advice = f"issue from {active['id']}" if active else "create an active one"
        raise Refused(
            f"certificate authority {found['id']} is {found['state'].lower()} and signs no new certificate: {advice}",
            rule="root-is-active",
            resource=found["id"],
        )
    return found


def must_have_signed(root: CertificateAuthority, authority_key_identifier: str) -> None:
    """Refuse what another root signed, because the active root changed between signing and deciding."""
    if authority_key_identifier != root["subjectKeyIdentifier"]:
        raise Refused(
            f"certificate authority {root['id']} is not the one that signed, which it has replaced since: ask again",
            rule="root-unchanged-since-signing",
            resource=root["id"],
        )


def _new_root(world: World, prepared: Prepared, command: CreateCertificateAuthority) -> Event:
    root = root_id(command.name)
    CA_ROOT.must_be_new(world, root)
    facts = cast(RootCertificateFields, prepared.facts)
    return CertificateAuthorityCreated(
        root, {**facts, "keyType": command.key_type, "state": "Active", "privateKey": prepared.sealed["private_key"]}
    )


def create_certificate_authority(
    world: World, now: str, prepared: Prepared, command: CreateCertificateAuthority
) -> list[Event]:
    """No other root is active."""
    active = active_root(world)
    if active is not None:
        raise Refused(
            f"certificate authority {active['id']} is active: rotate it instead of creating another",
            rule="one-active-root",
            resource=active["id"],
        )
    return [_new_root(world, prepared, command)]


def rotate_certificate_authority(
    world: World, now: str, prepared: Prepared, command: RotateCertificateAuthority
) -> list[Event]:
    """A root is active, and the new one has another name."""
    old = issuing_root(world, None)
    new = _new_root(world, prepared, command)
    overlap = Supersession(state="Retiring", successor=new.resource, overlapUntil=plus_days(now, command.overlap_days))
    return [CertificateAuthoritySuperseded(old["id"], overlap), new]


def retire_certificate_authority(
    world: World, now: str, prepared: Prepared, command: RetireCertificateAuthority
) -> list[Event]:
    """The root was superseded and its overlap has ended."""
    root = CA_ROOT.need(world, command.id, rule="root-exists")
    if root["state"] == "Retired":
        return []
    if root["state"] == "Active":
        raise Refused(
            f"certificate authority {root['id']} is active: rotate it first",
            rule="root-is-superseded",
            resource=root["id"],
        )
    if now < root["overlapUntil"]:
        raise Refused(
            f"certificate authority {root['id']} is trusted until {root['overlapUntil']}: retire it then",
            rule="overlap-has-ended",
            resource=root["id"],
        )
    return [CertificateAuthorityRetired(root["id"], Nothing())]


DECISIONS = {
    CreateCertificateAuthority: create_certificate_authority,
    RotateCertificateAuthority: rotate_certificate_authority,
    RetireCertificateAuthority: retire_certificate_authority,
}
KINDS = (CA_ROOT,)
