"""Claims provider trusts: one source of metadata, valid certificates, and no deletion under a user's feet."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.claims_provider_trust import (
    CreateClaimsProviderTrust,
    DeleteClaimsProviderTrust,
    ReplaceClaimsProviderTrustCertificates,
    UpdateClaimsProviderTrust,
    claims_provider_trust_id,
)
from domain.user import CreateUser, DeleteUser, UpdateUser
from tests.domain.identity import CERTIFICATE, OPERATOR, facts, with_trust
from tests.domain.scenario import NOW, ControlPlane

TRUST = claims_provider_trust_id("customer")
URL = "https://adfs.customer.example/metadata.xml"
FEDERATED_USER = CreateUser(
    user_principal_name="tenant-1@customer.example",
    display_name="Tenant",
    object_id=OPERATOR,
    claims_provider_trust="Customer",
)


def create(count: int = 1, **fields: Any) -> CreateClaimsProviderTrust:
    return CreateClaimsProviderTrust(name="customer", certificates=(CERTIFICATE,) * count, **fields)


def replace(count: int = 1) -> ReplaceClaimsProviderTrustCertificates:
    return ReplaceClaimsProviderTrustCertificates(name="customer", certificates=(CERTIFICATE,) * count)


def prepared(*thumbprints: str, not_after: str = "2027-11-03T14:00:00Z") -> dict[str, Any]:
    return {"certificates": [facts(thumbprint, not_after) for thumbprint in thumbprints]}


def thumbprints(plane: ControlPlane) -> list[str]:
    return [certificate["thumbprint"] for certificate in plane.state(TRUST)["certificates"]]


def test_a_trust_is_recorded_with_the_facts_of_its_certificates() -> None:
    plane = with_trust()
    assert plane.state(TRUST) == {
        "id": TRUST,
        "name": "customer",
        "metadataUrl": URL,
        "claimRules": "",
        "tokenLifetimeMinutes": 1440,
        "certificates": [
            {
                "certificate": CERTIFICATE,
                "thumbprint": "AB01",
                "subject": "CN=signing.customer.example",
                "notBefore": "2026-01-01T00:00:00.000000Z",
                "notAfter": "2027-11-03T14:00:00.000000Z",
            }
        ],
    }


def test_a_name_is_new() -> None:
    with_trust().refuses(create(metadata_url=URL), "id-is-new", facts=prepared("AB01"))


def test_metadata_has_exactly_one_source() -> None:
    plane = ControlPlane()
    plane.refuses(create(), "one-source-of-metadata", facts=prepared("AB01"))
    both = create(metadata_url=URL, metadata_document="<EntityDescriptor/>")
    plane.refuses(both, "one-source-of-metadata", facts=prepared("AB01"))
    plane.when(create(metadata_document="<EntityDescriptor/>"), facts=prepared("AB01"))


def test_metadata_is_fetched_over_tls_only() -> None:
    with pytest.raises(ValidationError):
        create(metadata_url="http://adfs.customer.example/metadata.xml")


def test_a_metadata_document_takes_the_place_of_a_url_and_the_other_way_round() -> None:
    plane = with_trust()
    plane.when(UpdateClaimsProviderTrust(name="customer", metadata_document="<EntityDescriptor/>"))
    assert "metadataUrl" not in plane.state(TRUST)
    assert plane.state(TRUST)["metadataDocument"] == "<EntityDescriptor/>"
    plane.when(UpdateClaimsProviderTrust(name="customer", metadata_url=URL))
    assert "metadataDocument" not in plane.state(TRUST)
    assert plane.state(TRUST)["metadataUrl"] == URL


def test_an_update_gives_at_most_one_source_of_metadata() -> None:
    command = UpdateClaimsProviderTrust(name="customer", metadata_url=URL, metadata_document="<EntityDescriptor/>")
    with_trust().refuses(command, "one-source-of-metadata")


def test_only_given_fields_are_changed() -> None:
    plane = with_trust()
    (event,) = plane.when(UpdateClaimsProviderTrust(name="customer", claim_rules="=> issue", metadata_url=URL))
    assert event.payload == {"claimRules": "=> issue"}
    assert plane.state(TRUST)["metadataUrl"] == URL
    assert plane.when(UpdateClaimsProviderTrust(name="customer", token_lifetime_minutes=1440)) == []


def test_a_trust_has_one_to_eight_certificates() -> None:
    for count in (0, 9):
        with pytest.raises(ValidationError):
            create(count, metadata_url=URL)
    eight = [f"AB0{number}" for number in range(8)]
    plane = ControlPlane()
    plane.when(create(8, metadata_url=URL), facts=prepared(*eight))
    assert thumbprints(plane) == eight


def test_a_certificate_that_has_expired_is_refused() -> None:
    expired = prepared("AB02", not_after=NOW)
    ControlPlane().refuses(create(metadata_url=URL), "certificate-not-expired", facts=expired)
    with_trust().refuses(replace(), "certificate-not-expired", facts=expired)


def test_a_certificate_is_named_once() -> None:
    with_trust().refuses(replace(2), "certificates-distinct", facts=prepared("AB02", "AB02"))


def test_rotated_certificates_replace_all_before() -> None:
    plane = with_trust()
    (event,) = plane.when(replace(2), facts=prepared("AB01", "AB02"))
    assert event.type == "claims-provider-trust.certificates-replaced"
    plane.when(replace(), facts=prepared("AB02"))
    assert thumbprints(plane) == ["AB02"]
    assert plane.when(replace(), facts=prepared("AB02")) == []


def test_a_trust_that_does_not_exist_is_not_changed() -> None:
    plane = ControlPlane()
    rule = "claims-provider-trust-exists"
    plane.refuses(UpdateClaimsProviderTrust(name="customer"), rule)
    plane.refuses(DeleteClaimsProviderTrust(name="customer"), rule)
    plane.refuses(replace(), rule, facts=prepared("AB01"))


def test_a_trust_that_a_user_logs_in_through_is_not_deleted() -> None:
    plane = with_trust().given(FEDERATED_USER)
    refusal = plane.refuses(DeleteClaimsProviderTrust(name="customer"), "claims-provider-trust-unused")
    assert OPERATOR in refusal.resource


def test_a_trust_is_deleted_after_its_last_user_left_it() -> None:
    plane = with_trust(with_trust(), "partner").given(FEDERATED_USER)
    plane.given(UpdateUser(object_id=OPERATOR, claims_provider_trust="partner"))
    plane.when(DeleteClaimsProviderTrust(name="customer"))
    assert plane.state(TRUST) is None
    plane.given(DeleteUser(object_id=OPERATOR))
    plane.when(DeleteClaimsProviderTrust(name="partner"))
