"""The certificates of an estate: internal roots and what they issue and revoke, and the certificates of endpoints."""

from typing import Literal

from scripts.estate import authority
from scripts.estate.draft import EXTERNAL_DOMAIN, REGION, Draft

ROOTS = "/providers/Resurgam.Certificates/roots"
FIRST_ROOT = f"{ROOTS}/root-1"
LANDMARK_CERTIFICATE = "fabric-1"
ENDPOINTS = {
    **{name: [name] for name in ("portal", "adminportal", "management", "adminmanagement", "adfs", "graph")},
    **{
        name: [f"*.{name}"]
        for name in ("blob", "table", "queue", "vault", "adminvault", "hosting", "adminhosting", "dbadapter")
    },
}


def begin(draft: Draft) -> None:
    """Write the certificates of the base: the first root replaces one of a pilot, and the second the first."""
    draft.add("CreateCertificateAuthority", "installation", name="pilot", subject="CN=Pilot root", validityDays=365)
    draft.add("RotateCertificateAuthority", "the pilot is over", name="root-1", subject=f"CN=Root 1,O={REGION}",
              validityDays=3650, overlapDays=0)  # fmt: skip
    draft.add("RetireCertificateAuthority", "the pilot is over", id=f"{ROOTS}/pilot")
    for number in range(1, draft.count(70, least=4) + 1):
        name = f"fabric-{number}"
        draft.remembered[name] = _issue(draft, name, FIRST_ROOT)
    draft.add("RotateCertificateAuthority", "yearly rotation", name="root-2", subject=f"CN=Root 2,O={REGION}",
              validityDays=3650, overlapDays=90)  # fmt: skip
    for number in range(1, draft.count(30, least=2) + 1):
        _issue(draft, f"service-{number}", f"{ROOTS}/root-2")
    draft.add("PublishRevocationList", "weekly", root=FIRST_ROOT)
    for endpoint in ENDPOINTS:
        _import(draft, endpoint)
    draft.add("RemoveEndpointCertificate", "the add-on is gone", endpoint="dbadapter")


def go_on(draft: Draft) -> None:
    """Write a week of changes; certificates are known by what `record` answered."""
    reasons: tuple[Literal["keyCompromise", "superseded", "cessationOfOperation"], ...]
    reasons = ("keyCompromise", "superseded", "cessationOfOperation")
    for number in range(2, draft.count(9, least=2) + 1):
        for certificate in draft.changed(f"fabric-{number}"):
            draft.add("RevokeCertificate", "incident", id=certificate, reason=reasons[number % 3])
    draft.add("PublishRevocationList", "after the incident", root=FIRST_ROOT)
    for number in range(1, draft.count(8) + 1):
        _issue(draft, f"renewed-{number}", f"{ROOTS}/root-2")
    _import(draft, "portal", edition=2)


def _issue(draft: Draft, name: str, root: str) -> str:
    """Every other one gets a key that is made here and sealed."""
    domain = f"{name}.{REGION}.{EXTERNAL_DOMAIN}"
    key = {} if len(draft.requests[draft.part]) % 2 else {"publicKey": authority.public_key_pem(draft, name)}
    return draft.add("IssueCertificate", "infrastructure", subject=f"CN={domain}", subjectAlternativeNames=[domain],
                     validityDays=365, root=root, **key)  # fmt: skip


def _import(draft: Draft, endpoint: str, *, edition: int = 1) -> None:
    password = draft.password("pfx")
    pfx = authority.endpoint_pfx(draft, ENDPOINTS[endpoint], password, edition=edition)
    draft.add(
        "ImportEndpointCertificate", "certificates of the endpoints", endpoint=endpoint, pfx=pfx, password=password
    )
