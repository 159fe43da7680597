"""Directory services: where the directory is, and the account that reads it."""

import pytest
from pydantic import ValidationError

from domain.directory_service import (
    RegisterDirectoryService,
    SetDirectoryServiceCredential,
    UnregisterDirectoryService,
    UpdateDirectoryService,
    directory_service_id,
)
from domain.sealed_value import key_ids
from tests.domain.identity import SECRET
from tests.domain.scenario import ControlPlane, sealed

SERVICE = directory_service_id("customer")
REGISTER = RegisterDirectoryService(
    name="customer", global_catalog="corp.customer.example", username="CORP\\graphservice", password=SECRET
)
SET_CREDENTIAL = SetDirectoryServiceCredential(name="customer", username="CORP\\graphservice-2", password=SECRET)


def registered() -> ControlPlane:
    plane = ControlPlane()
    plane.when(REGISTER, sealed={"password": sealed("secret-value", "old")})
    return plane


def test_a_directory_service_is_registered_with_the_ports_of_ldap() -> None:
    assert registered().state(SERVICE) == {
        "id": SERVICE,
        "name": "customer",
        "globalCatalog": "corp.customer.example",
        "ports": [389, 636, 3268, 3269],
        "username": "CORP\\graphservice",
        "password": sealed("secret-value", "old"),
    }


def test_the_password_is_sealed_into_the_directory_service() -> None:
    for command in (REGISTER, SET_CREDENTIAL):
        (sealing,) = command.sealings("fresh")
        assert (sealing.field, sealing.purpose, sealing.resource) == ("password", "secret-value", SERVICE)


def test_a_name_is_new() -> None:
    registered().refuses(REGISTER, "id-is-new", sealed={"password": sealed("secret-value")})


@pytest.mark.parametrize("ports", [(), (0,), (65_536,), tuple(range(1, 10))])
def test_impossible_ports_are_no_command(ports: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        UpdateDirectoryService(name="customer", ports=ports)


@pytest.mark.parametrize("name", ["", "corp customer", "-corp.example", "10.0.0.300"])
def test_a_global_catalog_is_a_dns_name(name: str) -> None:
    with pytest.raises(ValidationError):
        UpdateDirectoryService(name="customer", global_catalog=name)


def test_only_given_fields_are_changed() -> None:
    plane = registered()
    (event,) = plane.when(
        UpdateDirectoryService(name="customer", global_catalog="corp.customer.example", ports=(3269,))
    )
    assert event.payload == {"ports": [3269]}
    assert plane.when(UpdateDirectoryService(name="customer", ports=(3269,))) == []


def test_a_new_credential_leaves_no_key_of_the_old_one() -> None:
    plane = registered()
    plane.when(SET_CREDENTIAL, sealed={"password": sealed("secret-value", "new")})
    assert plane.state(SERVICE)["username"] == "CORP\\graphservice-2"
    assert list(key_ids(plane.state(SERVICE))) == ["new"]


def test_a_directory_service_that_is_not_registered_is_not_changed() -> None:
    plane = ControlPlane()
    rule = "directory-service-exists"
    plane.refuses(UpdateDirectoryService(name="customer"), rule)
    plane.refuses(SET_CREDENTIAL, rule, sealed={"password": sealed("secret-value")})
    plane.refuses(UnregisterDirectoryService(name="customer"), rule)


def test_a_directory_service_is_unregistered() -> None:
    plane = registered()
    (event,) = plane.when(UnregisterDirectoryService(name="CUSTOMER"))
    assert event.resource == SERVICE
    assert plane.state(SERVICE) is None
