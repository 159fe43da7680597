"""Public certificates: X.509 certificates whose private keys others hold, with the facts that were read from them."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from domain.errors import Refused
from domain.event import STRICT
from domain.instant import canonical

CertificateText = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=16_384)]
"""An X.509 certificate: base64 of its DER form in one line, which is a PEM file without its first and last line."""


@with_config(STRICT)
class CertificateFacts(TypedDict):
    """What preparing reads from a certificate; `thumbprint` is SHA-1 in upper-case hex, as in Windows."""

    thumbprint: str
    notBefore: str
    notAfter: str
    subject: str


@with_config(STRICT)
class PublicCertificate(CertificateFacts):
    """`certificate` is base64 of the DER form."""

    certificate: str


FACTS = TypeAdapter(CertificateFacts)
FACTS_LIST = TypeAdapter(list[CertificateFacts])


def public_certificate(text: str, facts: CertificateFacts, now: str, resource: str) -> PublicCertificate:
    """Return the certificate with its facts, or refuse because it has expired for the resource that would use it."""
    if canonical(facts["notAfter"]) <= now:
        raise Refused(
            f"certificate {facts['thumbprint']} ({facts['subject']}) expired at {facts['notAfter']}: give a valid one",
            rule="certificate-not-expired",
            resource=resource,
        )
    return PublicCertificate(
        thumbprint=facts["thumbprint"],
        notBefore=canonical(facts["notBefore"]),
        notAfter=canonical(facts["notAfter"]),
        subject=facts["subject"],
        certificate=text,
    )


def certificate_facts(facts: Mapping[str, object]) -> CertificateFacts:
    """Return the prepared facts of a command's only certificate."""
    return FACTS.validate_python(dict(facts))


def certificates_facts(facts: Mapping[str, object]) -> list[CertificateFacts]:
    """Return the prepared facts of a command's `certificates`, in their order."""
    return FACTS_LIST.validate_python(facts["certificates"])
