"""Revocation lists: their numbers rise, and they name what is revoked when they are decided."""

import pytest

from domain.certificate_authority import RetireCertificateAuthority, root_id
from domain.event import Event
from domain.issued_certificate import RevokeCertificate
from domain.resource_id import name
from domain.revocation_list import PublishRevocationList, RevocationListPublished, revocation_list_id
from tests.domain.certificate_facts import list_facts, root_facts
from tests.domain.scenario import ControlPlane
from tests.domain.test_certificate_authority import FIRST, ROTATE, key, with_root
from tests.domain.test_issued_certificate import issue

PUBLISH = PublishRevocationList(root=FIRST)
CRL = revocation_list_id(FIRST)


def with_revoked(count: int = 2, *, days: int = 365) -> tuple[ControlPlane, list[str]]:
    """Return a plane with that many revoked certificates, and their serial numbers as a list names them."""
    plane = with_root()
    certificates = [issue(plane, days=days) for _ in range(count)]
    for certificate in certificates:
        plane.when(RevokeCertificate(id=certificate))
    return plane, sorted(name(certificate) for certificate in certificates)


def test_a_list_is_one_resource_with_the_signed_artefact() -> None:
    plane, revoked = with_revoked()
    facts = list_facts(1, revoked)
    kept = {"issuer": FIRST, **facts}
    del kept["authorityKeyIdentifier"], kept["revokedSerialNumbers"]
    assert plane.when(PUBLISH, facts=facts) == [Event(RevocationListPublished.name, CRL, kept)]
    assert plane.state(CRL) == {"id": CRL, **kept}


def test_an_empty_list_can_be_published() -> None:
    assert with_root().when(PUBLISH, facts=list_facts(1, []))


def test_the_next_list_has_the_next_number_and_takes_the_place_of_the_one_before() -> None:
    plane, revoked = with_revoked()
    plane.when(PUBLISH, facts=list_facts(1, revoked))
    plane.when(PUBLISH, facts=list_facts(2, revoked))
    assert plane.state(CRL)["crlNumber"] == 2


@pytest.mark.parametrize("number", [1, 3])
def test_a_list_with_another_number_was_signed_too_early(number: int) -> None:
    plane, revoked = with_revoked()
    plane.when(PUBLISH, facts=list_facts(1, revoked))
    plane.refuses(PUBLISH, "revocations-unchanged-since-signing", facts=list_facts(number, revoked))


def test_a_list_that_misses_a_revocation_is_refused() -> None:
    plane, revoked = with_revoked()
    plane.refuses(PUBLISH, "revocations-unchanged-since-signing", facts=list_facts(1, revoked[:1]))


def test_a_list_that_another_key_signed_is_refused() -> None:
    plane, revoked = with_revoked()
    plane.refuses(PUBLISH, "root-unchanged-since-signing", facts=list_facts(1, revoked, signed_by="b2"))


def test_an_expired_certificate_stays_on_one_list_after_its_end_and_then_leaves() -> None:
    plane, revoked = with_revoked(1, days=10)
    plane.after_days(11).when(PUBLISH, facts=list_facts(1, revoked, at=plane.now))
    plane.refuses(PUBLISH, "revocations-unchanged-since-signing", facts=list_facts(2, revoked, at=plane.now))
    assert plane.when(PUBLISH, facts=list_facts(2, [], at=plane.now))


def test_a_retiring_root_publishes_and_a_retired_one_does_not() -> None:
    plane, revoked = with_revoked()
    plane.when(ROTATE, sealed=key("k2"), facts=root_facts("b2"))
    assert plane.when(PUBLISH, facts=list_facts(1, revoked))
    plane.after_days(30).when(RetireCertificateAuthority(id=FIRST))
    plane.refuses(PUBLISH, "root-can-publish", facts=list_facts(2, revoked))


def test_an_unknown_root_publishes_nothing() -> None:
    with_root().refuses(PublishRevocationList(root=root_id("nowhere")), "root-exists", facts=list_facts(1, []))
