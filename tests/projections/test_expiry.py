"""Expiry: what is found in which kind of resource, how urgent it is, and in which order."""

from typing import Any

import pytest

from domain.control_plane import KINDS
from domain.instant import plus_days, to_seconds
from domain.resource import Resource
from domain.secret import DeleteSecret, RecoverSecret, SecretCreated
from domain.secret_version import SecretAttributes, SecretVersionCreated
from domain.vault import DeleteVault, RecoverVault
from projections.current import Current
from projections.expiry import ENDS, SECONDS_MAX, Expiry, expiring
from tests.domain.scenario import NOW, ControlPlane, sealed
from tests.domain.tenants import SECRET, VAULT, set_secret, with_vault


def resource(kind: str, name: str = "x", **state: Any) -> Resource:
    return Resource(f"/{name}", kind, 1, {"id": f"/{name}", **state})


def certificate(days: int, subject: str = "CN=x") -> dict[str, str]:
    return {"subject": subject, "notAfter": plus_days(NOW, days)}


def endpoint(days: int, name: str = "x") -> Resource:
    return resource("endpoint-certificate", name, **certificate(days))


def found(*resources: Resource, within_days: int = 90) -> list[Expiry]:
    return expiring(Current(), resources, NOW, within_days)


def soon(plane: ControlPlane) -> list[str]:
    """Return the ids of the secret's versions that end within 90 days."""
    versions = (plane.find(version) for version in plane.world.sources(SECRET, "secret"))
    return [answer.resource for answer in expiring(plane.world, [v for v in versions if v is not None], NOW, 90)]


def test_the_soonest_comes_first_and_what_ends_together_goes_by_id() -> None:
    answers = found(endpoint(5, "b"), endpoint(9, "c"), endpoint(5, "a"), endpoint(-3, "d"))
    assert [answer.resource for answer in answers] == ["/d", "/a", "/b", "/c"]


def test_what_ends_after_the_horizon_is_left_out() -> None:
    assert [answer.resource for answer in found(endpoint(90, "in"), endpoint(91, "out"))] == ["/in"]


@pytest.mark.parametrize(
    ("days", "severity", "expired"),
    [
        (-400, "critical", True),
        (0, "critical", True),
        (30, "critical", False),
        (31, "warning", False),
        (90, "warning", False),
        (91, "information", False),
    ],
)
def test_severity_is_critical_at_30_days_and_warning_at_90(days: int, severity: str, expired: bool) -> None:
    [answer] = found(endpoint(days), within_days=365)
    assert (answer.severity, answer.expired) == (severity, expired)


def test_a_retired_root_needs_no_replacement() -> None:
    roots = [resource("ca-root", state, state=state, **certificate(5)) for state in ("Active", "Retiring", "Retired")]
    assert [answer.resource for answer in found(*roots)] == ["/Active", "/Retiring"]


def test_a_revoked_certificate_has_ended_already() -> None:
    valid = resource("issued-certificate", "valid", **certificate(5))
    revoked = resource("issued-certificate", "revoked", revokedOn=NOW, **certificate(5))
    assert [answer.resource for answer in found(valid, revoked)] == ["/valid"]


def test_each_certificate_of_a_trust_ends_by_itself() -> None:
    certificates = [certificate(5, "CN=a"), certificate(500, "CN=b"), certificate(3, "CN=c")]
    answers = found(resource("claims-provider-trust", certificates=certificates))
    assert [answer.what for answer in answers] == ["CN=c", "CN=a"]


def test_a_client_secret_ends_at_its_end_date() -> None:
    [answer] = found(resource("password-credential", displayName="nightly job", endDateTime=plus_days(NOW, 5)))
    assert (answer.what, answer.expires) == ("nightly job", plus_days(NOW, 5))


def test_a_certificate_credential_ends_with_its_certificate() -> None:
    assert found(resource("key-credential", displayName="agent", **certificate(5)))[0].what == "CN=x"


def test_a_secret_ends_at_the_exp_of_its_current_version_in_unix_seconds() -> None:
    plane, exp = with_vault(), to_seconds(plus_days(NOW, 5))
    set_secret(plane, "k1", exp=exp)
    current = plane.find(set_secret(plane, "k2", exp=exp))
    assert current is not None
    assert soon(plane) == [current.id]
    assert expiring(plane.world, [current], NOW, 90)[0].expires == plus_days(NOW, 5)
    set_secret(plane, "k3")
    assert soon(plane) == []


def test_a_deleted_secret_does_not_end() -> None:
    plane = with_vault()
    set_secret(plane, exp=to_seconds(plus_days(NOW, 5)))
    for deletion, recovery in (
        (DeleteSecret(id=SECRET), RecoverSecret(id=SECRET)),
        (DeleteVault(id=VAULT), RecoverVault(id=VAULT)),
    ):
        assert soon(plane.given(deletion)) == []
        assert len(soon(plane.given(recovery))) == 1


def test_an_exp_beyond_the_year_9999_never_comes() -> None:
    plane = with_vault()
    plane.given(SecretCreated(SECRET, {"currentVersion": "1"}))
    attributes = SecretAttributes(enabled=True, created=0, updated=0, exp=SECONDS_MAX * 1000)
    plane.given(
        SecretVersionCreated(f"{SECRET}/versions/1", {"value": sealed("secret-value"), "attributes": attributes})
    )
    assert soon(plane) == []


def test_other_kinds_do_not_end() -> None:
    assert found(resource("user", notAfter=NOW, endDateTime=NOW)) == []


@pytest.mark.parametrize("kind", ENDS)
def test_every_kind_that_ends_is_a_kind(kind: str) -> None:
    assert kind in KINDS
