"""Secrets: versions, deletion, recovery and purge."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.instant import to_seconds
from domain.sealed_value import key_ids
from domain.secret import DeleteSecret, PurgeSecret, RecoverSecret
from domain.secret_version import SetSecret, UpdateSecretAttributes, need_readable, secret_version_id
from domain.subscription_state import DisableSubscription, EnableSubscription
from domain.vault import DeleteVault, RecoverVault, UpdateVault
from tests.domain.scenario import NOW, sealed
from tests.domain.tenants import PROVIDER_GUID, SECRET, TENANT_GUID, VAULT, set_secret, types, with_tenant, with_vault

SET = SetSecret.model_validate({"vault_id": VAULT, "name": "db-password", "value": "v4lue"})
PREPARED = {"sealed": {"value": sealed("secret-value")}}


def test_setting_a_secret_again_makes_another_version_the_current_one() -> None:
    plane = with_vault()
    first, second = set_secret(plane, "k1"), set_secret(plane, "k2")
    assert plane.state(SECRET) == {"id": SECRET, "currentVersion": second.rsplit("/", 1)[1]}
    assert list(key_ids(plane.state(first))) == ["k1"]
    assert list(key_ids(plane.state(second))) == ["k2"]
    assert list(plane.world.sources(SECRET, "secret")) == [first.lower(), second.lower()]


def test_a_value_is_sealed_into_its_version() -> None:
    plane = with_vault()
    fresh = plane.fresh_id()
    (sealing,) = SET.sealings(fresh)
    assert (sealing.field, sealing.purpose) == ("value", "secret-value")
    assert sealing.resource == secret_version_id(SECRET, fresh.replace("-", ""))
    assert plane.when(SET, **PREPARED)[1].resource == sealing.resource
    assert "v4lue" not in repr(SET)


def test_the_first_version_creates_the_secret() -> None:
    plane = with_vault()
    assert [name for name, _ in types(plane.when(SET, **PREPARED))] == ["secret.created", "secret-version.created"]
    assert [name for name, _ in types(plane.when(SET, **PREPARED))] == ["secret.changed", "secret-version.created"]


@pytest.mark.parametrize("name", ["", "a_b", "a/b", "x" * 128, "ä"])
def test_a_name_holds_letters_digits_and_hyphens_only(name: str) -> None:
    SetSecret.model_validate({"vault_id": VAULT, "name": "x" * 127, "value": "v"})
    with pytest.raises(ValidationError):
        SetSecret.model_validate({"vault_id": VAULT, "name": name, "value": "v"})


def test_a_secret_is_set_in_a_vault_that_is_there() -> None:
    with_tenant().refuses(SET, "vault-exists", **PREPARED)
    plane = with_vault().given(DeleteVault(id=VAULT))
    plane.refuses(SET, "vault-not-deleted", **PREPARED)
    plane.given(RecoverVault(id=VAULT)).when(SET, **PREPARED)


def test_a_deleted_secret_keeps_its_name_and_its_versions() -> None:
    plane = with_vault()
    version = set_secret(plane)
    assert types(plane.when(DeleteSecret(id=SECRET.upper()))) == [("secret.deleted", SECRET)]
    state = plane.state(SECRET)
    assert state["deletedDate"] == to_seconds(NOW)
    assert state["scheduledPurgeDate"] == to_seconds(NOW) + 90 * 86_400
    plane.refuses(SET, "secret-not-deleted", **PREPARED)
    plane.refuses(UpdateSecretAttributes(id=version, enabled=False), "secret-not-deleted")
    plane.refuses(DeleteSecret(id=SECRET), "secret-not-deleted")
    assert plane.state(version) is not None


def test_a_recovered_secret_is_as_before() -> None:
    plane = with_vault()
    version = set_secret(plane)
    before = plane.state(SECRET)
    plane.given(DeleteSecret(id=SECRET), RecoverSecret(id=SECRET))
    assert plane.state(SECRET) == before
    assert plane.when(RecoverSecret(id=SECRET)) == []
    assert need_readable(plane.world, SECRET)["id"] == version


def test_a_purge_takes_every_version_and_frees_the_name() -> None:
    plane = with_vault()
    first, second = set_secret(plane, "k1"), set_secret(plane, "k2")
    plane.refuses(PurgeSecret(id=SECRET), "secret-deleted")
    plane.given(DeleteSecret(id=SECRET))
    assert types(plane.when(PurgeSecret(id=SECRET))) == [
        ("secret-version.purged", first),
        ("secret-version.purged", second),
        ("secret.purged", SECRET),
    ]
    assert plane.state(first) is plane.state(second) is plane.state(SECRET) is None
    plane.refuses(RecoverSecret(id=SECRET), "secret-exists")
    set_secret(plane)


def test_purge_protection_keeps_a_deleted_secret_until_its_retention_ends() -> None:
    plane = with_vault(enable_purge_protection=True, soft_delete_retention_in_days=7)
    set_secret(plane)
    plane.given(DeleteSecret(id=SECRET)).after_days(6).refuses(PurgeSecret(id=SECRET), "purge-protection")
    plane.after_days(1).given(PurgeSecret(id=SECRET))


def test_purge_protection_keeps_what_was_deleted_before_it() -> None:
    plane = with_vault()
    set_secret(plane)
    plane.given(DeleteSecret(id=SECRET), UpdateVault(id=VAULT, enable_purge_protection=True))
    plane.refuses(PurgeSecret(id=SECRET), "purge-protection")


def test_without_soft_delete_a_deleted_secret_is_gone() -> None:
    plane = with_vault(enable_soft_delete=False)
    version = set_secret(plane)
    assert types(plane.when(DeleteSecret(id=SECRET))) == [("secret-version.purged", version), ("secret.purged", SECRET)]


@pytest.mark.parametrize("command", [DeleteSecret, RecoverSecret, PurgeSecret])
def test_a_secret_of_a_deleted_vault_stays_as_it_is(command: type[Any]) -> None:
    plane = with_vault()
    set_secret(plane)
    plane.given(DeleteVault(id=VAULT)).refuses(command(id=SECRET), "vault-not-deleted")


OPERATED = {"provider_subscription_id": PROVIDER_GUID, "subscription_id": TENANT_GUID}


def test_a_disabled_subscription_takes_no_secrets_and_lets_them_go() -> None:
    plane = with_vault()
    version = set_secret(plane)
    set_secret(plane, "k2", name="other")
    plane.given(DeleteSecret(id=SECRET), DisableSubscription(**OPERATED))
    again = SetSecret.model_validate({"vault_id": VAULT, "name": "new", "value": "v"})
    other = f"{VAULT}/secrets/other"
    current = f"{other}/versions/{plane.state(other)['currentVersion']}"
    for command in (again, RecoverSecret(id=SECRET), UpdateSecretAttributes(id=current, enabled=False)):
        plane.refuses(command, "subscription-enabled")
    assert need_readable(plane.world, other)["id"] == current
    plane.given(PurgeSecret(id=SECRET), DeleteSecret(id=other), EnableSubscription(**OPERATED), RecoverSecret(id=other))
    assert plane.state(version) is None
