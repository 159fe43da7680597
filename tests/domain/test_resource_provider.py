"""Resource providers: what is installed, and who restores it."""

import pytest
from pydantic import ValidationError

from domain.resource_provider import (
    RegisterResourceProvider,
    UnregisterResourceProvider,
    UpdateResourceProvider,
    resource_provider_id,
)
from tests.domain.scenario import ControlPlane

PROVIDER = resource_provider_id("Microsoft.Compute.Admin")
REGISTER = RegisterResourceProvider(
    namespace="Microsoft.Compute.Admin", display_name="Compute", restored_by="ControlPlane"
)


def test_a_resource_provider_is_registered() -> None:
    plane = ControlPlane().given(REGISTER)
    assert plane.state(PROVIDER) == {
        "id": PROVIDER,
        "namespace": "Microsoft.Compute.Admin",
        "displayName": "Compute",
        "restoredBy": "ControlPlane",
        "enabled": True,
    }
    plane.refuses(REGISTER, "id-is-new")


@pytest.mark.parametrize("namespace", ["Compute", "Microsoft.", "Microsoft/Compute", "Microsoft Compute", ".Compute"])
def test_a_namespace_has_two_words_or_more(namespace: str) -> None:
    with pytest.raises(ValidationError):
        RegisterResourceProvider(namespace=namespace, display_name="Compute", restored_by="ByHand")


def test_only_given_fields_are_changed() -> None:
    plane = ControlPlane().given(REGISTER)
    command = UpdateResourceProvider(namespace="Microsoft.Compute.Admin", restored_by="ByHand", enabled=True)
    (event,) = plane.when(command)
    assert event.payload == {"restoredBy": "ByHand"}
    assert plane.when(command) == []


def test_a_resource_provider_is_unregistered() -> None:
    plane = ControlPlane().given(REGISTER)
    plane.when(UnregisterResourceProvider(namespace="microsoft.compute.admin"))
    assert plane.state(PROVIDER) is None


def test_a_resource_provider_that_is_not_registered_is_not_changed() -> None:
    plane = ControlPlane()
    plane.refuses(UpdateResourceProvider(namespace="Microsoft.Compute.Admin"), "resource-provider-exists")
    plane.refuses(UnregisterResourceProvider(namespace="Microsoft.Compute.Admin"), "resource-provider-exists")
