"""Credentials of applications: when they begin and end, and what they are made of."""

import pytest
from pydantic import ValidationError

from domain.application import (
    AddKeyCredential,
    AddPasswordCredential,
    RemoveKeyCredential,
    RemovePasswordCredential,
)
from domain.application_credential import key_credential_id, password_credential_id
from domain.errors import Usage
from domain.event import Event
from tests.domain.identity import APP, CERTIFICATE, KEY, OPERATOR, SECRET, facts, with_service
from tests.domain.scenario import NOW, ControlPlane, sealed

SEALED = {"secret_text": sealed("client-secret-hash")}


def add_secret(start: str | None = None, end: str | None = None, key_id: str | None = KEY) -> AddPasswordCredential:
    return AddPasswordCredential(
        app_id=APP, key_id=key_id, secret_text=SECRET, start_date_time=start, end_date_time=end
    )


def add_certificate(key_id: str = KEY) -> AddKeyCredential:
    return AddKeyCredential(app_id=APP, key_id=key_id, certificate=CERTIFICATE)


def refuses_secret(plane: ControlPlane, command: AddPasswordCredential, rule: str) -> None:
    plane.refuses(command, rule, sealed=SEALED)


def test_a_client_secret_is_valid_for_two_years_from_now_unless_told_otherwise() -> None:
    plane = with_service()
    plane.when(add_secret(), sealed=SEALED)
    assert plane.state(password_credential_id(APP, KEY)) == {
        "id": password_credential_id(APP, KEY),
        "appId": APP,
        "keyId": KEY,
        "startDateTime": NOW,
        "endDateTime": "2028-11-02T14:00:00.000000Z",
        "secret": SEALED["secret_text"],
    }


def test_a_client_secret_keeps_its_name_hint_and_instants() -> None:
    plane = with_service()
    command = AddPasswordCredential(
        app_id=APP,
        key_id=KEY,
        secret_text=SECRET,
        display_name="rotation",
        hint="lon",
        start_date_time="2026-12-01T00:00:00+01:00",
        end_date_time="2027-01-01T00:00:00Z",
    )
    (event,) = plane.when(command, sealed=SEALED)
    assert event.payload["displayName"] == "rotation"
    assert event.payload["hint"] == "lon"
    assert event.payload["startDateTime"] == "2026-11-30T23:00:00.000000Z"


def test_a_client_secret_is_sealed_into_its_credential() -> None:
    (sealing,) = add_secret(key_id=None).sealings(KEY)
    assert (sealing.field, sealing.purpose) == ("secret_text", "client-secret-hash")
    assert sealing.resource == password_credential_id(APP, KEY)


def test_a_client_secret_ends_after_it_starts() -> None:
    plane = with_service()
    start = "2027-01-01T00:00:00Z"
    refuses_secret(plane, add_secret(start, start), "credential-ends-after-start")
    plane.when(add_secret(start, "2027-01-01T00:00:01Z"), sealed=SEALED)


def test_a_client_secret_that_has_expired_is_refused() -> None:
    plane = with_service()
    refuses_secret(plane, add_secret("2026-01-01T00:00:00Z", NOW), "credential-not-expired")
    plane.when(add_secret("2026-01-01T00:00:00Z", "2026-11-03T14:00:01Z"), sealed=SEALED)


def test_a_key_id_is_new() -> None:
    plane = with_service()
    plane.when(add_secret(), sealed=SEALED)
    refuses_secret(plane, add_secret(), "id-is-new")
    plane.when(add_certificate(), facts=facts())
    plane.refuses(add_certificate(), "id-is-new", facts=facts("AB02"))


def test_a_certificate_is_kept_with_its_facts() -> None:
    plane = with_service()
    plane.when(add_certificate(), facts=facts())
    assert plane.state(key_credential_id(APP, KEY)) == {
        "id": key_credential_id(APP, KEY),
        "appId": APP,
        "keyId": KEY,
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "certificate": CERTIFICATE,
        "thumbprint": "AB01",
        "subject": "CN=signing.customer.example",
        "notBefore": "2026-01-01T00:00:00.000000Z",
        "notAfter": "2027-11-03T14:00:00.000000Z",
    }


def test_a_certificate_that_has_expired_is_refused() -> None:
    plane = with_service()
    plane.refuses(add_certificate(), "certificate-not-expired", facts=facts(not_after=NOW))
    plane.when(add_certificate(), facts=facts(not_after="2026-11-03T14:00:01Z"))


def test_an_application_has_a_certificate_once() -> None:
    plane = with_service()
    plane.when(add_certificate(), facts=facts("AB01"))
    plane.refuses(add_certificate(OPERATOR), "one-credential-per-certificate", facts=facts("ab01"))
    plane.when(add_certificate(OPERATOR), facts=facts("AB02"))


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----", "MII B", "A" * 16_385])
def test_a_certificate_is_base64_in_one_line(text: str) -> None:
    with pytest.raises(ValidationError):
        AddKeyCredential(app_id=APP, certificate=text)


def test_credentials_are_removed_one_by_one() -> None:
    plane = with_service()
    plane.when(add_secret(), sealed=SEALED)
    plane.when(add_certificate(), facts=facts())
    removed: list[Event] = [
        *plane.when(RemovePasswordCredential(app_id=APP, key_id=KEY)),
        *plane.when(RemoveKeyCredential(app_id=APP, key_id=KEY)),
    ]
    assert [event.type for event in removed] == ["password-credential.deleted", "key-credential.deleted"]
    plane.when(add_certificate(OPERATOR), facts=facts("AB01"))


def test_a_secret_that_would_end_after_the_year_9999_needs_an_end() -> None:
    start, end = "9999-06-01T00:00:00Z", "9999-06-02T00:00:00Z"
    with pytest.raises(Usage, match="years 1 to 9999"):
        with_service().when(add_secret(start), sealed=SEALED)
    with_service().when(add_secret(start, end), sealed=SEALED)
