"""Secret versions: attributes, and whose value may be read."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.errors import Refused
from domain.instant import to_seconds
from domain.secret import DeleteSecret
from domain.secret_version import SetSecret, UpdateSecretAttributes, need_readable
from domain.vault import DeleteVault
from tests.domain.scenario import NOW, ControlPlane, sealed
from tests.domain.tenants import SECRET, VAULT, set_secret, types, with_vault

CREATED = to_seconds(NOW)


def command(**given: Any) -> SetSecret:
    return SetSecret.model_validate({"vault_id": VAULT, "name": "db-password", "value": "v4lue", **given})


def test_a_version_keeps_its_attributes() -> None:
    plane = with_vault()
    version = set_secret(plane, content_type="text/plain", tags={"a": "1"}, nbf=5, exp=9, enabled=False)
    assert plane.state(version) == {
        "id": version,
        "value": sealed("secret-value"),
        "contentType": "text/plain",
        "tags": {"a": "1"},
        "attributes": {"enabled": False, "nbf": 5, "exp": 9, "created": CREATED, "updated": CREATED},
    }


def test_a_version_is_enabled_without_limits_unless_given() -> None:
    plane = with_vault()
    version = set_secret(plane)
    assert plane.state(version)["attributes"] == {"enabled": True, "created": CREATED, "updated": CREATED}


def test_an_update_changes_what_is_given_and_says_when() -> None:
    plane = with_vault()
    version = set_secret(plane, exp=9)
    plane.after_days(1)
    update = UpdateSecretAttributes(id=version, exp=10, enabled=False, content_type="text/plain")
    assert types(plane.when(update)) == [("secret-version.changed", version)]
    state = plane.state(version)
    assert state["attributes"] == {"enabled": False, "exp": 10, "created": CREATED, "updated": CREATED + 86_400}
    assert state["contentType"] == "text/plain"
    assert state["value"] == sealed("secret-value")
    assert plane.when(update) == []
    plane.refuses(UpdateSecretAttributes(id=f"{SECRET}/versions/none", exp=10), "secret-version-exists")


@pytest.mark.parametrize("nbf", [9, 10])
def test_a_version_is_valid_at_some_time(nbf: int) -> None:
    plane = with_vault()
    plane.refuses(command(nbf=nbf, exp=9), "secret-validity", sealed={"value": sealed("secret-value")})
    version = set_secret(plane, nbf=8, exp=9)
    plane.refuses(UpdateSecretAttributes(id=version, nbf=nbf), "secret-validity")


@pytest.mark.parametrize(
    "given",
    [
        {"value": ""},
        {"value": "x" * 25_601},
        {"exp": -1},
        {"exp": 253_402_300_800},
        {"content_type": "x" * 256},
        {"tags": {f"t{number}": "" for number in range(16)}},
    ],
)
def test_what_key_vault_would_not_take_is_refused(given: dict[str, Any]) -> None:
    command(value="x" * 25_600, exp=253_402_300_799, content_type="x" * 255)
    with pytest.raises(ValidationError):
        command(**given)


def read(plane: ControlPlane, resource: str) -> str:
    return need_readable(plane.world, resource)["id"]


def test_a_secret_reads_as_its_current_version_and_a_version_as_itself() -> None:
    plane = with_vault()
    first, second = set_secret(plane), set_secret(plane)
    assert read(plane, SECRET.upper()) == second
    assert read(plane, first) == first


def test_a_disabled_or_deleted_secret_is_not_read() -> None:
    plane = with_vault()
    first, second = set_secret(plane), set_secret(plane, exp=9)
    plane.given(UpdateSecretAttributes(id=first, enabled=False))
    with pytest.raises(Refused, match="is disabled") as caught:
        read(plane, first)
    assert (caught.value.rule, caught.value.resource) == ("secret-enabled", first)
    assert read(plane, second) == second, "it has expired, which Key Vault leaves to whoever reads it"
    plane.given(DeleteSecret(id=SECRET))
    with pytest.raises(Refused, match="is deleted"):
        read(plane, second)


def test_a_secret_of_a_deleted_vault_is_not_read() -> None:
    plane = with_vault()
    version = set_secret(plane)
    plane.given(DeleteVault(id=VAULT))
    with pytest.raises(Refused, match="is deleted"):
        read(plane, version)
