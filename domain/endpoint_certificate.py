"""Endpoint certificates: the imported TLS certificates of the external endpoints, one for each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal, cast, get_args

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.certificate_authority import NAMESPACE
from domain.command import Command, Prepared, Sealing, Secret
from domain.deployment import DEPLOYMENT, DEPLOYMENT_ID
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.issued_certificate import ENDPOINT_KEY_PURPOSE
from domain.resource import Kind, World
from domain.sealed_value import SealedValue

EndpointName = Literal[
    "portal",
    "adminportal",
    "management",
    "adminmanagement",
    "blob",
    "table",
    "queue",
    "vault",
    "adminvault",
    "hosting",
    "adminhosting",
    "adfs",
    "graph",
    "dbadapter",
    "appservice",
    "api.appservice",
    "ftp.appservice",
    "sso.appservice",
]

ENDPOINTS: Mapping[str, Sequence[str]] = {
    **{name: (name,) for name in get_args(EndpointName)},
    **{
        name: (f"*.{name}",)
        for name in ("blob", "table", "queue", "vault", "adminvault", "hosting", "adminhosting", "dbadapter")
    },
    "appservice": ("*.appservice", "*.scm.appservice", "*.sso.appservice"),
}
"""The names that each endpoint's certificate must cover, below `{region}.{external domain}`."""

KEY_USAGE: Mapping[str, frozenset[str]] = {
    "RSA": frozenset({"digitalSignature", "keyEncipherment"}),
    "EC": frozenset({"digitalSignature"}),
}
"""The key usages that a TLS certificate must have; elliptic curve keys do not encipher keys (RFC 8422, 5.3)."""

WEAK_HASHES = frozenset({"md5", "sha1"})
EXTENDED_KEY_USAGE = frozenset({"serverAuth", "clientAuth"})


class ImportedCertificateFields(TypedDict):
    """What is read from a PFX and kept; `chain` is PEM, and the rest describes its first, the endpoint's own."""

    chain: list[str]
    thumbprint: str
    serialNumber: str
    subject: str
    issuer: str
    notBefore: str
    notAfter: str
    subjectAlternativeNames: list[str]


class ImportedCertificateFacts(TypedDict):
    """What is prepared for an import: what will be kept, and what is only checked.

    `signatureHashAlgorithms` are those of every certificate in the chain that another one signed.
    """

    certificate: ImportedCertificateFields
    selfSigned: bool
    signatureHashAlgorithms: list[str]
    publicKeyAlgorithm: str
    keyUsage: list[str]
    extendedKeyUsage: list[str]


@with_config(STRICT)
class EndpointCertificateFields(ImportedCertificateFields):
    """The certificate of an endpoint with its private key (PKCS #8, DER)."""

    endpoint: str
    privateKey: SealedValue


class EndpointCertificate(EndpointCertificateFields):
    """The state of an endpoint's certificate."""

    id: str


EndpointCertificateImported = EventType("endpoint-certificate.imported", EndpointCertificateFields, created)
EndpointCertificateRemoved = EventType("endpoint-certificate.removed", Nothing, deleted)

ENDPOINT_CERTIFICATE = Kind[EndpointCertificate](
    "endpoint-certificate",
    "certificates",
    "endpoint certificate",
    (EndpointCertificateImported, EndpointCertificateRemoved),
    state=EndpointCertificate,
)


def endpoint_certificate_id(endpoint: str) -> str:
    """Return `/providers/Resurgam.Certificates/endpointCertificates/{endpoint}`."""
    return resource_id.provided("/", NAMESPACE, "endpointCertificates", endpoint)


class ImportEndpointCertificate(Command):
    """Install the certificate of an endpoint, in the place of the one before; `pfx` is base64.

    Neither the PFX nor its password is recorded: the certificates are, and the private key sealed.
    """

    action: ClassVar[str] = "Resurgam.Certificates/endpointCertificates/write"

    endpoint: EndpointName
    pfx: Secret
    password: Secret

    def scope(self) -> str:
        return endpoint_certificate_id(self.endpoint)

    def sealings(self, fresh_id: str) -> Sequence[Sealing]:
        return [Sealing("private_key", ENDPOINT_KEY_PURPOSE, endpoint_certificate_id(self.endpoint))]


class RemoveEndpointCertificate(Command):
    """Remove the certificate of an endpoint and destroy its key."""

    action: ClassVar[str] = "Resurgam.Certificates/endpointCertificates/delete"

    endpoint: EndpointName

    def scope(self) -> str:
        return endpoint_certificate_id(self.endpoint)


def covers(names: Iterable[str], wanted: str) -> bool:
    """Return whether a certificate for `names` serves `wanted`; a wildcard is one whole label (RFC 9525, 6.3)."""
    label, _, domain = wanted.lower().partition(".")
    served = {name.lower() for name in names}
    return wanted.lower() in served or (label != "*" and f"*.{domain}" in served)


def import_endpoint_certificate(
    world: World, now: str, prepared: Prepared, command: ImportEndpointCertificate
) -> list[Event]:
    """The certificate is valid now, fit for TLS, signed by an authority, and covers the endpoint's names here."""
    endpoint = endpoint_certificate_id(command.endpoint)
    facts = cast(ImportedCertificateFacts, prepared.facts)
    certificate = facts["certificate"]
    before = ENDPOINT_CERTIFICATE.get(world, endpoint)
    if before is not None and before["thumbprint"] == certificate["thumbprint"]:
        return []
    _must_be_valid(endpoint, certificate, now)
    _must_be_fit_for_tls(endpoint, facts)
    _must_cover(world, endpoint, command.endpoint, certificate)
    fields: EndpointCertificateFields = {
        **certificate,
        "endpoint": command.endpoint,
        "privateKey": prepared.sealed["private_key"],
    }
    return [EndpointCertificateImported(endpoint, fields)]


def remove_endpoint_certificate(
    world: World, now: str, prepared: Prepared, command: RemoveEndpointCertificate
) -> list[Event]:
    """There is one."""
    endpoint = endpoint_certificate_id(command.endpoint)
    ENDPOINT_CERTIFICATE.need(world, endpoint, rule="endpoint-certificate-exists", advice="it may be gone already")
    return [EndpointCertificateRemoved(endpoint, Nothing())]


def _must_be_valid(endpoint: str, certificate: ImportedCertificateFields, now: str) -> None:
    if not certificate["notBefore"] <= now <= certificate["notAfter"]:
        raise Refused(
            f"certificate for {endpoint} is valid from {certificate['notBefore']} to {certificate['notAfter']}: "
            "import one that is valid now",
            rule="certificate-is-valid-now",
            resource=endpoint,
        )


def _must_be_fit_for_tls(endpoint: str, facts: ImportedCertificateFacts) -> None:
    if facts["selfSigned"]:
        raise Refused(
            f"certificate for {endpoint} is self-signed: import one that a certificate authority signed",
            rule="certificate-not-self-signed",
            resource=endpoint,
        )
    weak = WEAK_HASHES.intersection(facts["signatureHashAlgorithms"])
    if weak:
        raise Refused(
            f"certificate for {endpoint} or one of its chain is signed with {min(weak)}: have it signed with SHA-256",
            rule="certificate-signature-is-strong",
            resource=endpoint,
        )
    wanted = KEY_USAGE.get(facts["publicKeyAlgorithm"])
    if wanted is None:
        raise Refused(
            f"certificate for {endpoint} has a key of type {facts['publicKeyAlgorithm']}: import one with RSA or EC",
            rule="certificate-key-type",
            resource=endpoint,
        )
    lacking = [
        *sorted(wanted.difference(facts["keyUsage"])),
        *sorted(EXTENDED_KEY_USAGE.difference(facts["extendedKeyUsage"])),
    ]
    if lacking:
        raise Refused(
            f"certificate for {endpoint} may not be used for {', '.join(lacking)}: have it issued for that",
            rule="certificate-key-usage",
            resource=endpoint,
        )


def _must_cover(world: World, endpoint: str, name: EndpointName, certificate: ImportedCertificateFields) -> None:
    deployment = DEPLOYMENT.need(world, DEPLOYMENT_ID, rule="deployment-exists", advice="create it with init")
    domain = f"{deployment['inputs']['region']}.{deployment['inputs']['externalDomainName']}"
    for wanted in (f"{pattern}.{domain}" for pattern in ENDPOINTS[name]):
        if not covers(certificate["subjectAlternativeNames"], wanted):
            raise Refused(
                f"certificate for {endpoint} does not cover {wanted}: have it issued for that name",
                rule="certificate-covers-endpoint",
                resource=endpoint,
            )


DECISIONS = {
    ImportEndpointCertificate: import_endpoint_certificate,
    RemoveEndpointCertificate: remove_endpoint_certificate,
}
KINDS = (ENDPOINT_CERTIFICATE,)
