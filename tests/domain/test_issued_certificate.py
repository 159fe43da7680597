"""Issued certificates: who may sign them, for how long, and how they are revoked."""

import pytest
from pydantic import ValidationError

from domain.certificate_authority import RetireCertificateAuthority, root_id
from domain.command import Sealing
from domain.event import Event
from domain.issued_certificate import (
    CertificateIssued,
    CertificateRevoked,
    IssueCertificate,
    RevokeCertificate,
    issued_certificate_id,
    serial_number,
)
from tests.domain.certificate_facts import issued_facts, root_facts
from tests.domain.scenario import NOW, ControlPlane, sealed
from tests.domain.test_certificate_authority import FIRST, ROTATE, SECOND, key, rotated, with_root

FROM_KEY = IssueCertificate(subject="CN=host", validity_days=365, public_key="-----BEGIN PUBLIC KEY-----")
GENERATED = IssueCertificate(subject="CN=host", validity_days=365, root=FIRST)


def issue(plane: ControlPlane, command: IssueCertificate = FROM_KEY, *, signed_by: str = "a1", days: int = 365) -> str:
    """Issue a certificate and return its id."""
    serial = serial_number(plane.fresh_id())
    private_key = {} if command.public_key else {"private_key": sealed("endpoint-private-key", "leaf")}
    [event] = plane.when(command, sealed=private_key, facts=issued_facts(serial, signed_by=signed_by, days=days))
    return event.resource


def test_a_certificate_is_a_resource_below_the_active_root_under_its_serial_number() -> None:
    plane = with_root()
    serial = serial_number(plane.fresh_id())
    certificate = issue(plane)
    assert certificate == f"{FIRST}/certificates/{serial:x}"
    assert plane.state(certificate) == {"id": certificate, **issued_facts(serial), "issuer": FIRST}
    assert plane.world.sources(FIRST, "issuer") == [certificate.lower()]


def test_a_generated_key_is_sealed_into_the_certificate() -> None:
    plane = with_root()
    fresh = plane.fresh_id()
    certificate = issue(plane, GENERATED)
    assert GENERATED.sealings(fresh) == [Sealing("private_key", "endpoint-private-key", certificate)]
    assert plane.state(certificate)["privateKey"] == sealed("endpoint-private-key", "leaf")


def test_a_given_public_key_seals_nothing() -> None:
    assert FROM_KEY.sealings("any") == ()


def test_a_generated_key_without_a_named_root_is_malformed() -> None:
    with pytest.raises(ValidationError, match="name the root"):
        IssueCertificate(subject="CN=host", validity_days=1)


def test_serial_numbers_are_positive_differ_and_have_159_bits_at_most() -> None:
    serials = {serial_number(f"00000000-0000-4000-8000-{n:012d}") for n in range(1000)}
    assert len(serials) == 1000
    assert all(0 < serial < 2**159 for serial in serials)
    assert max(serials) > 2**158


def test_issuing_without_any_root_is_refused() -> None:
    ControlPlane().refuses(FROM_KEY, "active-root-exists", facts=issued_facts(1))


def test_issuing_from_an_unknown_root_is_refused() -> None:
    unknown = GENERATED.model_copy(update={"root": root_id("nowhere")})
    with_root().refuses(unknown, "root-exists", facts=issued_facts(1))


def test_a_retiring_root_issues_nothing_more() -> None:
    refusal = rotated().refuses(GENERATED, "root-is-active", facts=issued_facts(1))
    assert SECOND in str(refusal)


def test_what_the_old_root_signed_while_it_was_rotated_is_refused() -> None:
    rotated().refuses(FROM_KEY, "root-unchanged-since-signing", facts=issued_facts(1, signed_by="a1"))


def test_after_rotation_the_new_root_issues() -> None:
    assert issue(rotated(), signed_by="b2").startswith(SECOND)


def test_a_certificate_that_would_outlive_its_root_is_refused() -> None:
    refusal = with_root().refuses(FROM_KEY, "certificate-within-root", facts=issued_facts(1, days=3651))
    assert refusal.resource == FIRST


def test_a_certificate_may_end_with_its_root() -> None:
    issue(with_root(), days=3650)


def test_revoking_names_the_reason_and_is_found_from_the_root() -> None:
    plane = with_root()
    certificate = issue(plane)
    issue(plane)
    events = plane.when(RevokeCertificate(id=certificate, reason="keyCompromise"))
    assert events == [CertificateRevoked(certificate, {"revokedOn": NOW, "revocationReason": "keyCompromise"})]
    assert plane.world.sources(FIRST, "revoked_by") == [certificate.lower()]
    assert len(plane.world.sources(FIRST, "issuer")) == 2


def test_revoking_again_for_the_same_reason_changes_nothing() -> None:
    plane = with_root()
    certificate = issue(plane)
    plane.when(RevokeCertificate(id=certificate))
    assert plane.when(RevokeCertificate(id=certificate)) == []


def test_revoking_again_for_another_reason_is_refused() -> None:
    plane = with_root()
    certificate = issue(plane)
    plane.when(RevokeCertificate(id=certificate))
    plane.refuses(RevokeCertificate(id=certificate, reason="superseded"), "revocation-is-final")


def test_revoking_an_unknown_certificate_is_refused() -> None:
    with_root().refuses(RevokeCertificate(id=issued_certificate_id(FIRST, 1)), "certificate-exists")


def test_an_expired_certificate_cannot_be_revoked_and_one_on_its_last_day_can() -> None:
    plane = with_root()
    expired, current = issue(plane, days=9), issue(plane, days=10)
    plane.after_days(10)
    plane.refuses(RevokeCertificate(id=expired), "certificate-has-not-expired")
    assert plane.when(RevokeCertificate(id=current))


def test_a_retiring_root_still_revokes_and_a_retired_one_does_not() -> None:
    plane = with_root()
    first, second = issue(plane), issue(plane)
    plane.when(ROTATE, sealed=key("k2"), facts=root_facts("b2"))
    assert plane.when(RevokeCertificate(id=first))
    plane.after_days(30).when(RetireCertificateAuthority(id=FIRST))
    assert plane.refuses(RevokeCertificate(id=second), "root-can-publish").resource == FIRST


@pytest.mark.parametrize("reason", ["certificateHold", "removeFromCRL", "other"])
def test_a_reason_that_is_not_final_is_malformed(reason: str) -> None:
    with pytest.raises(ValidationError):
        RevokeCertificate.model_validate({"id": FIRST, "reason": reason})


def test_a_certificate_of_malformed_facts_is_refused() -> None:
    facts = {**issued_facts(1), "notAfter": "2027-01-01", "certificate": None}
    with_root().refuses(FROM_KEY, "event-well-formed", facts=facts)


def test_an_issued_certificate_is_one_event() -> None:
    plane = with_root()
    facts = issued_facts(serial_number(plane.fresh_id()))
    events = plane.when(FROM_KEY, facts=facts)
    assert events == [Event(CertificateIssued.name, events[0].resource, {**facts, "issuer": FIRST})]
