"""Logging in: who may authenticate now, with what, and why not."""

import pytest

from domain.application import AddKeyCredential, AddPasswordCredential
from domain.application_credential import key_credential_id, password_credential_id
from domain.claims_provider_trust import claims_provider_trust_id
from domain.group import CreateGroup
from domain.instant import plus_days
from domain.principal import principal_id
from domain.service_principal import DeleteServicePrincipal, DisableServicePrincipal
from domain.user import CreateUser, DeleteUser, DisableUser
from projections.login import Credential, LoginAllowed, LoginRefused, Reason, login
from tests.domain.identity import (
    APP,
    CERTIFICATE,
    GROUP_A,
    KEY,
    OPERATOR,
    SECRET,
    SERVICE,
    facts,
    with_operator,
    with_service,
    with_trust,
)
from tests.domain.scenario import NOW, ControlPlane, sealed

HASH = sealed("client-secret-hash", "k2")
OTHER_KEY = "99999999-9999-4999-8999-999999999999"


def with_credentials(secret_end: str = "2026-12-03T00:00:00Z", start: str | None = None) -> ControlPlane:
    plane = with_service()
    secret = AddPasswordCredential(
        app_id=APP, key_id=KEY, secret_text=SECRET, start_date_time=start, end_date_time=secret_end
    )
    plane.when(secret, sealed={"secret_text": HASH})
    plane.when(AddKeyCredential(app_id=APP, key_id=OTHER_KEY, certificate=CERTIFICATE), facts=facts())
    return plane


def refused(plane: ControlPlane, name: str, now: str = NOW) -> Reason:
    answer = login(plane.world, name, now)
    assert isinstance(answer, LoginRefused)
    assert answer.message
    return answer.reason


@pytest.mark.parametrize("name", ["operator-1@region.example", "Operator-1@REGION.example", OPERATOR])
def test_a_user_is_found_by_name_and_object_id_and_checked_against_its_password(name: str) -> None:
    plane = with_operator()
    user = principal_id(OPERATOR)
    password = Credential(OPERATOR, "password-hash", user, sealed=sealed("password-hash"))
    assert login(plane.world, name, NOW) == LoginAllowed(user, (password,))


@pytest.mark.parametrize("name", [APP, SERVICE, APP.upper()])
def test_an_application_is_found_by_client_id_and_object_id_and_checked_against_all_its_credentials(name: str) -> None:
    secret = Credential(KEY, "client-secret-hash", password_credential_id(APP, KEY), sealed=HASH)
    certificate = Credential(OTHER_KEY, "certificate", key_credential_id(APP, OTHER_KEY), thumbprint="AB01")
    expected = LoginAllowed(principal_id(SERVICE), (secret, certificate))
    assert login(with_credentials().world, name, NOW) == expected


@pytest.mark.parametrize("name", ["", "nobody@region.example", OTHER_KEY, GROUP_A, "a/b", "100%", "#?", "a" * 5000])
def test_nobody_logs_in_under_any_other_name(name: str) -> None:
    plane = with_operator(with_service()).given(CreateGroup(display_name="A", object_id=GROUP_A))
    assert refused(plane, name) == "unknown"


def test_a_deleted_user_is_unknown() -> None:
    plane = with_operator().given(DeleteUser(object_id=OPERATOR))
    assert refused(plane, OPERATOR) == "unknown"
    assert refused(plane, "operator-1@region.example") == "unknown"


def test_an_application_without_its_service_principal_is_unknown() -> None:
    plane = with_credentials().given(DeleteServicePrincipal(object_id=SERVICE))
    assert refused(plane, APP) == "unknown"


def test_a_disabled_principal_does_not_log_in() -> None:
    assert refused(with_operator().given(DisableUser(object_id=OPERATOR)), OPERATOR) == "disabled"
    assert refused(with_credentials().given(DisableServicePrincipal(object_id=SERVICE)), APP) == "disabled"


def test_a_federated_user_is_sent_to_its_trust() -> None:
    name = "tenant-1@customer.example"
    plane = with_trust().given(
        CreateUser(user_principal_name=name, display_name="Tenant", claims_provider_trust="customer")
    )
    answer = login(plane.world, name, NOW)
    assert isinstance(answer, LoginRefused)
    assert (answer.reason, answer.resource) == ("federated", claims_provider_trust_id("customer"))


def test_a_service_principal_without_a_credential_does_not_log_in() -> None:
    assert refused(with_service(), APP) == "no-credential"


def test_an_expired_credential_is_left_out() -> None:
    plane = with_credentials()
    last = login(plane.world, APP, "2026-12-02T23:59:59.999999Z")
    after = login(plane.world, APP, "2026-12-03T00:00:00.000000Z")
    assert isinstance(last, LoginAllowed)
    assert isinstance(after, LoginAllowed)
    assert [c.purpose for c in last.credentials] == ["client-secret-hash", "certificate"]
    assert [c.purpose for c in after.credentials] == ["certificate"]


def test_a_credential_that_has_not_begun_is_left_out() -> None:
    plane = with_credentials(start="2026-11-10T00:00:00Z")
    now = login(plane.world, APP, NOW)
    assert isinstance(now, LoginAllowed)
    assert [c.purpose for c in now.credentials] == ["certificate"]


def test_a_service_principal_whose_credentials_have_all_expired_does_not_log_in() -> None:
    assert refused(with_credentials(), APP, plus_days(NOW, 2000)) == "no-valid-credential"
