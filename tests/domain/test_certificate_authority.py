"""Certificate authorities: one active root, rotation with overlap, and retirement."""

import pytest
from pydantic import ValidationError

from domain.certificate_authority import (
    CertificateAuthorityCreated,
    CertificateAuthorityRetired,
    CertificateAuthoritySuperseded,
    CreateCertificateAuthority,
    RetireCertificateAuthority,
    RotateCertificateAuthority,
    active_root,
    root_id,
)
from domain.command import Sealing
from domain.event import Event, Nothing
from domain.instant import plus_days
from domain.sealed_value import SealedValue, key_ids
from tests.domain.certificate_facts import root_facts
from tests.domain.scenario import NOW, ControlPlane, sealed

FIRST = root_id("root-1")
SECOND = root_id("root-2")
CREATE = CreateCertificateAuthority(name="root-1", subject="CN=Root", validity_days=3650)
ROTATE = RotateCertificateAuthority(name="root-2", subject="CN=Root 2", validity_days=3650, overlap_days=30)
RETIRE = RetireCertificateAuthority(id=FIRST)


def key(name: str = "k1") -> dict[str, SealedValue]:
    return {"private_key": sealed("ca-private-key", name)}


def with_root() -> ControlPlane:
    plane = ControlPlane()
    plane.when(CREATE, sealed=key(), facts=root_facts("a1"))
    return plane


def rotated() -> ControlPlane:
    plane = with_root()
    plane.when(ROTATE, sealed=key("k2"), facts=root_facts("b2"))
    return plane


def test_a_root_begins_as_the_active_one_with_its_facts_and_its_sealed_key() -> None:
    plane = ControlPlane()
    events = plane.when(CREATE, sealed=key(), facts=root_facts("a1"))
    assert events == [
        Event(
            CertificateAuthorityCreated.name,
            FIRST,
            {
                **root_facts("a1"),
                "keyType": "EC-P384",
                "state": "Active",
                "privateKey": sealed("ca-private-key"),
            },
        )
    ]
    assert active_root(plane.world) == plane.state(FIRST)


def test_the_key_is_sealed_into_the_root() -> None:
    assert CREATE.sealings("any") == [Sealing("private_key", "ca-private-key", FIRST)]
    assert ROTATE.sealings("any") == [Sealing("private_key", "ca-private-key", SECOND)]


def test_a_second_active_root_is_refused() -> None:
    second = CreateCertificateAuthority(name="root-2", subject="CN=Root 2", validity_days=10)
    assert with_root().refuses(second, "one-active-root", sealed=key(), facts=root_facts()).resource == FIRST


def test_rotating_makes_a_new_root_active_and_lets_the_old_one_retire() -> None:
    plane = with_root()
    events = plane.when(ROTATE, sealed=key("k2"), facts=root_facts("b2"))
    assert events[0] == CertificateAuthoritySuperseded(
        FIRST, {"state": "Retiring", "successor": SECOND, "overlapUntil": plus_days(NOW, 30)}
    )
    assert [event.resource for event in events] == [FIRST, SECOND]
    assert plane.state(FIRST)["state"] == "Retiring"
    assert active_root(plane.world) == plane.state(SECOND)
    assert plane.world.sources(SECOND, "successor") == [FIRST.lower()]


def test_rotating_needs_an_active_root() -> None:
    ControlPlane().refuses(ROTATE, "active-root-exists", sealed=key(), facts=root_facts())


def test_rotating_needs_a_new_name() -> None:
    again = RotateCertificateAuthority(name="Root-1", subject="CN=Root", validity_days=1, overlap_days=0)
    with_root().refuses(again, "id-is-new", sealed=key("k2"), facts=root_facts("b2"))


def test_an_active_root_cannot_be_retired() -> None:
    with_root().refuses(RETIRE, "root-is-superseded")


def test_a_root_cannot_be_retired_before_its_overlap_has_ended() -> None:
    rotated().after_days(29).refuses(RETIRE, "overlap-has-ended")


def test_a_root_that_does_not_exist_cannot_be_retired() -> None:
    ControlPlane().refuses(RETIRE, "root-exists")


def test_retiring_destroys_the_key_and_keeps_the_certificate() -> None:
    plane = rotated().after_days(30)
    assert list(key_ids(plane.state(FIRST))) == ["k1"]
    assert plane.when(RETIRE) == [CertificateAuthorityRetired(FIRST, Nothing())]
    after = plane.state(FIRST)
    assert after["state"] == "Retired"
    assert after["certificate"] == root_facts("a1")["certificate"]
    assert list(key_ids(after)) == []


def test_retiring_twice_changes_nothing() -> None:
    plane = rotated().after_days(30)
    plane.when(RETIRE)
    assert plane.when(RETIRE) == []


@pytest.mark.parametrize("days", [0, 36_501])
def test_a_validity_out_of_bounds_is_malformed(days: int) -> None:
    with pytest.raises(ValidationError):
        CreateCertificateAuthority(name="root-1", subject="CN=Root", validity_days=days)
