"""Issued certificates: the leaves of the internal roots, and their revocation."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Annotated, ClassVar, Literal, NotRequired, Self, cast

from pydantic import Field, model_validator, with_config

from domain import resource_id
from domain.certificate_authority import (
    ROOTS,
    CertificateFields,
    DistinguishedName,
    ValidityDays,
    issuing_root,
    must_have_signed,
)
from domain.command import Command, Id, Lines, Prepared, Sealing
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, changed, created
from domain.resource import Kind, Link, World
from domain.revocation_list import (
    REVOCATION_LIST,
    REVOKED_BY,
    PublishRevocationList,
    Revocation,
    RevocationReason,
    publish_revocation_list,
    publishing_root,
)
from domain.sealed_value import SealedValue

ENDPOINT_KEY_PURPOSE = "endpoint-private-key"

KeyPurpose = Literal["serverAuth", "clientAuth", "codeSigning", "emailProtection", "timeStamping", "OCSPSigning"]
"""Extended key usages by their names in RFC 5280, 4.2.1.12."""

AlternativeName = Annotated[str, Field(pattern=r"^[0-9A-Za-z.:*_-]{1,253}$")]
"""A DNS name (A-labels, also with a wildcard) or an IP address."""


class IssuedCertificateFacts(CertificateFields):
    """What is prepared for a new certificate; the identifier is that of the key that signed it, lower-case hex."""

    authorityKeyIdentifier: str
    subjectAlternativeNames: list[str]
    extendedKeyUsage: list[str]


@with_config(STRICT)
class IssuedCertificateFields(IssuedCertificateFacts):
    """`issuer` is the root's id; the private key (PKCS #8, DER) is there if it was generated here."""

    issuer: str
    privateKey: NotRequired[SealedValue]


class IssuedCertificate(IssuedCertificateFields):
    """The state of an issued certificate."""

    id: str
    revokedOn: NotRequired[str]
    revocationReason: NotRequired[RevocationReason]


CertificateIssued = EventType("issued-certificate.created", IssuedCertificateFields, created)
CertificateRevoked = EventType("issued-certificate.revoked", Revocation, changed)


def _links(state: IssuedCertificate) -> Iterable[Link]:
    yield "issuer", state["issuer"]
    if "revokedOn" in state:
        yield REVOKED_BY, state["issuer"]


ISSUED_CERTIFICATE = Kind[IssuedCertificate](
    "issued-certificate",
    "certificates",
    "issued certificate",
    (CertificateIssued, CertificateRevoked),
    _links,
    ("issuer", "revokedOn"),
    state=IssuedCertificate,
)


def serial_number(fresh_id: str) -> int:
    """Return the 159-bit serial number of the certificate that is prepared under this random UUID.

    It follows from the UUID, so that a private key can be sealed into the id of a certificate that does not exist yet.
    """
    return int.from_bytes(sha256(b"resurgam-certificate-serial-1\n" + fresh_id.encode()).digest()[:20], "big") >> 1


def issued_certificate_id(root: str, serial: int) -> str:
    """Return `{root}/certificates/{serial in lower-case hex}`."""
    return resource_id.child(root, "certificates", f"{serial:x}")


class IssueCertificate(Command):
    """Issue a certificate from a root, by default the active one.

    `public_key` is the PEM of a public key or of a signing request, of which the key alone is taken. Without it a key
    is generated and sealed; the root must then be named, because the sealed key is bound to the certificate's id.
    """

    action: ClassVar[str] = "Resurgam.Certificates/roots/certificates/write"

    subject: DistinguishedName
    validity_days: ValidityDays
    subject_alternative_names: Annotated[tuple[AlternativeName, ...], Field(strict=False, max_length=100)] = ()
    extended_key_usage: Annotated[tuple[KeyPurpose, ...], Field(strict=False, min_length=1)] = (
        "serverAuth",
        "clientAuth",
    )
    public_key: Lines | None = None
    root: Id | None = None

    @model_validator(mode="after")
    def _root_of_a_generated_key(self) -> Self:
        if self.public_key is None and self.root is None:
            raise ValueError("give a public key, or name the root into whose certificate the generated key is sealed")
        return self

    def scope(self) -> str:
        return self.root or ROOTS

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        if self.public_key is not None or self.root is None:
            return ()
        certificate = issued_certificate_id(self.root, serial_number(fresh_id))
        return [Sealing("private_key", ENDPOINT_KEY_PURPOSE, certificate)]


class RevokeCertificate(Command):
    """Revoke an issued certificate, for ever; relying parties learn of it from the next revocation list."""

    action: ClassVar[str] = "Resurgam.Certificates/roots/certificates/revoke/action"

    id: Id
    reason: RevocationReason = "unspecified"

    def scope(self) -> str:
        return self.id


def issue_certificate(world: World, now: str, prepared: Prepared, command: IssueCertificate) -> list[Event]:
    """The root that signed is still the one that issues, and outlives the certificate."""
    root = issuing_root(world, command.root)
    facts = cast(IssuedCertificateFacts, prepared.facts)
    must_have_signed(root, facts["authorityKeyIdentifier"])
    certificate = issued_certificate_id(root["id"], serial_number(prepared.id))
    ISSUED_CERTIFICATE.must_be_new(world, certificate)
    if facts["notAfter"] > root["notAfter"]:
        raise Refused(
            f"certificate would outlive certificate authority {root['id']}, which ends {root['notAfter']}: "
            "ask for fewer days, or rotate the authority first",
            rule="certificate-within-root",
            resource=root["id"],
        )
    key = {"privateKey": prepared.sealed["private_key"]} if command.public_key is None else {}
    fields = cast(IssuedCertificateFields, {**facts, "issuer": root["id"], **key})
    return [CertificateIssued(certificate, fields)]


def revoke_certificate(world: World, now: str, prepared: Prepared, command: RevokeCertificate) -> list[Event]:
    """The certificate is valid, and its root can still publish the revocation."""
    certificate = ISSUED_CERTIFICATE.need(world, command.id, rule="certificate-exists")
    if "revokedOn" in certificate:
        if certificate["revocationReason"] == command.reason:
            return []
        raise Refused(
            f"certificate {certificate['id']} was revoked on {certificate['revokedOn']} for "
            f"{certificate['revocationReason']}: the reason stays",
            rule="revocation-is-final",
            resource=certificate["id"],
        )
    if certificate["notAfter"] < now:
        raise Refused(
            f"certificate {certificate['id']} expired at {certificate['notAfter']}: there is nothing to revoke",
            rule="certificate-has-not-expired",
            resource=certificate["id"],
        )
    publishing_root(world, certificate["issuer"])
    return [CertificateRevoked(certificate["id"], Revocation(revokedOn=now, revocationReason=command.reason))]


DECISIONS = {
    IssueCertificate: issue_certificate,
    RevokeCertificate: revoke_certificate,
    PublishRevocationList: publish_revocation_list,
}
KINDS = (ISSUED_CERTIFICATE, REVOCATION_LIST)
