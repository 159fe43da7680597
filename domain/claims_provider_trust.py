"""Claims provider trusts: identity providers whose signed claims let their users log in here."""

from typing import Annotated, ClassVar, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Name, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, State, changed, created, deleted
from domain.fields import differing, given
from domain.public_certificate import CertificateText, PublicCertificate, certificates_facts, public_certificate
from domain.resource import Kind, World

CERTIFICATES_MAX = 8
TOKEN_LIFETIME_MINUTES = 1440
TOKEN_LIFETIME_MINUTES_MAX = 525_600

CertificateTexts = Annotated[
    tuple[CertificateText, ...], Field(strict=False, min_length=1, max_length=CERTIFICATES_MAX)
]
ClaimRules = Annotated[str, Field(max_length=65_536)]
MetadataDocument = Annotated[str, Field(min_length=1, max_length=262_144)]
MetadataUrl = Annotated[Text, Field(pattern=r"^https://[!-.0-~]+/[!-~]*$")]
TokenLifetimeMinutes = Annotated[int, Field(ge=1, le=TOKEN_LIFETIME_MINUTES_MAX)]


@with_config(STRICT)
class ClaimsProviderTrustChanges(TypedDict, total=False):
    """A metadata URL takes the place of a metadata document, and the other way round."""

    metadataUrl: str
    metadataDocument: str
    claimRules: str
    tokenLifetimeMinutes: int


@with_config(STRICT)
class ClaimsProviderTrustFields(TypedDict):
    """Federation metadata is either at `metadataUrl` or in `metadataDocument`; `claimRules` are in AD FS's language."""

    name: str
    metadataUrl: NotRequired[str]
    metadataDocument: NotRequired[str]
    certificates: list[PublicCertificate]
    claimRules: str
    tokenLifetimeMinutes: int


@with_config(STRICT)
class TrustedCertificates(TypedDict):
    """The certificates that the provider signs with from now on; all before are distrusted."""

    certificates: list[PublicCertificate]


class ClaimsProviderTrust(ClaimsProviderTrustFields):
    """The state of a claims provider trust."""

    id: str


def _changed(state: State | None, resource: str, payload: ClaimsProviderTrustChanges) -> State:
    after = dict(changed(state, resource, payload))
    if "metadataUrl" in payload:
        after.pop("metadataDocument", None)
    elif "metadataDocument" in payload:
        after.pop("metadataUrl", None)
    return after


ClaimsProviderTrustCreated = EventType("claims-provider-trust.created", ClaimsProviderTrustFields, created)
ClaimsProviderTrustChanged = EventType("claims-provider-trust.changed", ClaimsProviderTrustChanges, _changed)
ClaimsProviderTrustCertificatesReplaced = EventType(
    "claims-provider-trust.certificates-replaced", TrustedCertificates, changed
)
ClaimsProviderTrustDeleted = EventType("claims-provider-trust.deleted", Nothing, deleted)

CLAIMS_PROVIDER_TRUST = Kind[ClaimsProviderTrust](
    "claims-provider-trust",
    "federation",
    "claims provider trust",
    (
        ClaimsProviderTrustCreated,
        ClaimsProviderTrustChanged,
        ClaimsProviderTrustCertificatesReplaced,
        ClaimsProviderTrustDeleted,
    ),
    state=ClaimsProviderTrust,
)


def claims_provider_trust_id(name: str) -> str:
    """Return `/providers/Resurgam.Federation/claimsProviderTrusts/{name}`."""
    return resource_id.provided("/", "Resurgam.Federation", "claimsProviderTrusts", name)


class ClaimsProviderTrustCommand(Command):
    """A command on one trust."""

    action: ClassVar[str] = "Resurgam.Federation/claimsProviderTrusts/write"

    name: Name

    def scope(self) -> str:
        return claims_provider_trust_id(self.name)


class CreateClaimsProviderTrust(ClaimsProviderTrustCommand):
    """Trust an identity provider: its federation metadata, as a URL or a document, and its signing certificates."""

    certificates: CertificateTexts
    metadata_url: MetadataUrl | None = None
    metadata_document: MetadataDocument | None = None
    claim_rules: ClaimRules = ""
    token_lifetime_minutes: TokenLifetimeMinutes = TOKEN_LIFETIME_MINUTES


class UpdateClaimsProviderTrust(ClaimsProviderTrustCommand):
    """Change the fields that are given; metadata as a URL replaces a document, and the other way round."""

    gives_roles: ClassVar[bool] = True

    metadata_url: MetadataUrl | None = None
    metadata_document: MetadataDocument | None = None
    claim_rules: ClaimRules | None = None
    token_lifetime_minutes: TokenLifetimeMinutes | None = None


class ReplaceClaimsProviderTrustCertificates(ClaimsProviderTrustCommand):
    """Follow the provider's rotation: the given certificates are trusted, and no other any more."""

    action: ClassVar[str] = "Resurgam.Federation/claimsProviderTrusts/replaceCertificates/action"
    gives_roles: ClassVar[bool] = True

    certificates: CertificateTexts


class DeleteClaimsProviderTrust(ClaimsProviderTrustCommand):
    """Delete a trust that no user logs in through."""

    action: ClassVar[str] = "Resurgam.Federation/claimsProviderTrusts/delete"


def create_claims_provider_trust(
    world: World, now: str, prepared: Prepared, command: CreateClaimsProviderTrust
) -> list[Event]:
    """There is one source of metadata, and the certificates are distinct and valid."""
    trust = command.scope()
    CLAIMS_PROVIDER_TRUST.must_be_new(world, trust)
    if (command.metadata_url is None) == (command.metadata_document is None):
        raise _metadata_refused(command.name, trust)
    fields: ClaimsProviderTrustFields = {
        **given(ClaimsProviderTrustFields, command),
        "certificates": _certificates(now, prepared, command, trust),
    }
    return [ClaimsProviderTrustCreated(trust, fields)]


def update_claims_provider_trust(
    world: World, now: str, prepared: Prepared, command: UpdateClaimsProviderTrust
) -> list[Event]:
    """At most one source of metadata is given."""
    trust = _need(world, command)
    if command.metadata_url is not None and command.metadata_document is not None:
        raise _metadata_refused(command.name, trust["id"])
    changes = differing(ClaimsProviderTrustChanges, trust, command)
    return [ClaimsProviderTrustChanged(trust["id"], changes)] if changes else []


def replace_claims_provider_trust_certificates(
    world: World, now: str, prepared: Prepared, command: ReplaceClaimsProviderTrustCertificates
) -> list[Event]:
    """The certificates are distinct and valid; the same ones change nothing."""
    trust = _need(world, command)
    certificates = _certificates(now, prepared, command, trust["id"])
    if certificates == trust["certificates"]:
        return []
    return [ClaimsProviderTrustCertificatesReplaced(trust["id"], TrustedCertificates(certificates=certificates))]


def delete_claims_provider_trust(
    world: World, now: str, prepared: Prepared, command: DeleteClaimsProviderTrust
) -> list[Event]:
    """No federated user names the trust."""
    trust = _need(world, command)
    users = world.sources(trust["id"], "claims_provider_trust")
    if users:
        raise Refused(
            f"{len(users)} users log in through claims provider trust {trust['name']}, the first is {users[0]}: "
            "delete them or give them another trust first",
            rule="claims-provider-trust-unused",
            resource=users[0],
        )
    return [ClaimsProviderTrustDeleted(trust["id"], Nothing())]


def _certificates(
    now: str,
    prepared: Prepared,
    command: CreateClaimsProviderTrust | ReplaceClaimsProviderTrustCertificates,
    trust: str,
) -> list[PublicCertificate]:
    facts = certificates_facts(prepared.facts)
    certificates = [
        public_certificate(text, read, now, trust) for text, read in zip(command.certificates, facts, strict=True)
    ]
    thumbprints = {certificate["thumbprint"] for certificate in certificates}
    if len(thumbprints) < len(certificates):
        raise Refused(
            f"claims provider trust {command.name} is given one certificate twice: name each once",
            rule="certificates-distinct",
            resource=trust,
        )
    return certificates


def _metadata_refused(name: str, trust: str) -> Refused:
    return Refused(
        f"claims provider trust {name} needs one source of metadata: give either metadataUrl or metadataDocument",
        rule="one-source-of-metadata",
        resource=trust,
    )


def _need(world: World, command: ClaimsProviderTrustCommand) -> ClaimsProviderTrust:
    return CLAIMS_PROVIDER_TRUST.need(world, command.scope(), rule="claims-provider-trust-exists")


DECISIONS = {
    CreateClaimsProviderTrust: create_claims_provider_trust,
    UpdateClaimsProviderTrust: update_claims_provider_trust,
    ReplaceClaimsProviderTrustCertificates: replace_claims_provider_trust_certificates,
    DeleteClaimsProviderTrust: delete_claims_provider_trust,
}
KINDS = (CLAIMS_PROVIDER_TRUST,)
