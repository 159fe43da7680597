"""Revocation lists: what a root revoked, signed by it, and the rules for publishing a new one."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.certificate_authority import CA_ROOT, CertificateAuthority, must_have_signed
from domain.command import Command, Id, Prepared
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, created
from domain.resource import Kind, Link, World

REVOKED_BY = "revoked_by"
"""The link from a revoked certificate to its root."""

RevocationReason = Literal[
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
    "aACompromise",
]
"""CRLReason of RFC 5280, 5.3.1, without certificateHold and removeFromCRL: a revocation is final."""


@with_config(STRICT)
class Revocation(TypedDict):
    """When and why a certificate lost its validity."""

    revokedOn: str
    revocationReason: RevocationReason


class RevokedCertificate(Revocation):
    """What a revocation list needs of a certificate with such a link: the serial number is lower-case hex."""

    serialNumber: str
    notAfter: str


@with_config(STRICT)
class RevocationListFields(TypedDict):
    """A certificate revocation list, DER in base64.

    It names every revoked certificate, as its signature is over all of them: it is the one artefact here that grows.
    """

    issuer: str
    certificateRevocationList: str
    crlNumber: int
    thisUpdate: str
    nextUpdate: str


class RevocationList(RevocationListFields):
    """The state of the newest revocation list of a root."""

    id: str


class RevocationListFacts(TypedDict):
    """What is prepared for a new revocation list; the decision holds the last three against the head."""

    certificateRevocationList: str
    thisUpdate: str
    nextUpdate: str
    crlNumber: int
    authorityKeyIdentifier: str
    revokedSerialNumbers: list[str]


RevocationListPublished = EventType("revocation-list.published", RevocationListFields, created)


def _links(state: RevocationList) -> Iterable[Link]:
    yield "issuer", state["issuer"]


REVOCATION_LIST = Kind[RevocationList](
    "revocation-list",
    "certificates",
    "revocation list",
    (RevocationListPublished,),
    _links,
    ("issuer",),
    state=RevocationList,
)


def revocation_list_id(root: str) -> str:
    """Return `{root}/crl`."""
    return resource_id.child(root, "crl")


class PublishRevocationList(Command):
    """Sign a new revocation list of a root."""

    action: ClassVar[str] = "Resurgam.Certificates/roots/crl/write"

    root: Id
    validity_days: Annotated[int, Field(ge=1, le=366)] = 7

    def scope(self) -> str:
        return self.root


def publishing_root(world: World, root: str) -> CertificateAuthority:
    """Return a root that can sign a revocation list: one that is not retired."""
    found = CA_ROOT.need(world, root, rule="root-exists")
    if found["state"] == "Retired":
        raise Refused(
            f"certificate authority {found['id']} is retired and publishes no revocation: remove it from trust instead",
            rule="root-can-publish",
            resource=found["id"],
        )
    return found


def next_crl_number(world: World, root: str) -> int:
    """Return one more than the number of the newest revocation list."""
    newest = REVOCATION_LIST.get(world, revocation_list_id(root))
    return 1 if newest is None else newest["crlNumber"] + 1


def revoked_certificates(world: World, root: str) -> list[RevokedCertificate]:
    """Return what the next revocation list names, by serial number.

    A certificate stays on the list until one that was published after its expiry has named it (RFC 5280, 3.3).
    """
    newest = REVOCATION_LIST.get(world, revocation_list_id(root))
    since = "" if newest is None else newest["thisUpdate"]
    found = [world.find(source) for source in world.sources(root, REVOKED_BY)]
    revoked = [cast(RevokedCertificate, certificate.state) for certificate in found if certificate is not None]
    return [certificate for certificate in revoked if certificate["notAfter"] >= since]


def publish_revocation_list(world: World, now: str, prepared: Prepared, command: PublishRevocationList) -> list[Event]:
    """The prepared list names what is revoked now, under the next number."""
    root = publishing_root(world, command.root)
    facts = cast(RevocationListFacts, prepared.facts)
    must_have_signed(root, facts["authorityKeyIdentifier"])
    revoked = [certificate["serialNumber"] for certificate in revoked_certificates(world, root["id"])]
    if (facts["crlNumber"], facts["revokedSerialNumbers"]) != (next_crl_number(world, root["id"]), revoked):
        raise Refused(
            f"revocations of {root['id']} changed while its list was signed: publish it again",
            rule="revocations-unchanged-since-signing",
            resource=root["id"],
        )
    fields = RevocationListFields(
        issuer=root["id"],
        certificateRevocationList=facts["certificateRevocationList"],
        crlNumber=facts["crlNumber"],
        thisUpdate=facts["thisUpdate"],
        nextUpdate=facts["nextUpdate"],
    )
    return [RevocationListPublished(revocation_list_id(root["id"]), fields)]
