"""A small directory to start from: the ids, commands and facts that the tests of identity and federation share."""

from typing import Any

from pydantic import SecretStr

from domain.application import CreateApplication
from domain.claims_provider_trust import CreateClaimsProviderTrust
from domain.group import CreateGroup
from domain.service_principal import CreateServicePrincipal
from domain.user import CreateUser
from tests.domain.scenario import ControlPlane, sealed

OPERATOR = "11111111-1111-4111-8111-111111111111"
GROUP_A = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
GROUP_B = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
GROUP_C = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
APP = "dddddddd-dddd-4ddd-8ddd-dddddddddddd"
SERVICE = "eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee"
KEY = "ffffffff-ffff-4fff-8fff-ffffffffffff"

CERTIFICATE = "MIIB"
SECRET = SecretStr("correct horse")


def facts(thumbprint: str = "AB01", not_after: str = "2027-11-03T14:00:00Z") -> dict[str, Any]:
    """Return what preparing reads from a certificate."""
    return {
        "thumbprint": thumbprint,
        "notBefore": "2026-01-01T00:00:00Z",
        "notAfter": not_after,
        "subject": "CN=signing.customer.example",
    }


def create_operator(name: str = "operator-1@region.example", object_id: str = OPERATOR) -> CreateUser:
    """Return the command for a user with a password."""
    return CreateUser(user_principal_name=name, display_name="Operator", object_id=object_id, password=SECRET)


def with_operator(plane: ControlPlane | None = None, key: str = "k1") -> ControlPlane:
    """Return a control plane that has one user with a password."""
    plane = plane or ControlPlane()
    plane.when(create_operator(), sealed={"password": sealed("password-hash", key)})
    return plane


def with_groups(plane: ControlPlane | None = None) -> ControlPlane:
    """Return a control plane that has three empty groups."""
    groups = [CreateGroup(display_name=n, object_id=i) for n, i in (("A", GROUP_A), ("B", GROUP_B), ("C", GROUP_C))]
    return (plane or ControlPlane()).given(*groups)


def with_service(plane: ControlPlane | None = None) -> ControlPlane:
    """Return a control plane that has an application and its service principal."""
    return (plane or ControlPlane()).given(
        CreateApplication(display_name="Backup agent", app_id=APP),
        CreateServicePrincipal(app_id=APP, object_id=SERVICE),
    )


def with_trust(plane: ControlPlane | None = None, name: str = "customer", thumbprint: str = "AB01") -> ControlPlane:
    """Return a control plane that trusts an identity provider."""
    plane = plane or ControlPlane()
    trust = CreateClaimsProviderTrust(
        name=name, metadata_url="https://adfs.customer.example/metadata.xml", certificates=(CERTIFICATE,)
    )
    plane.when(trust, facts={"certificates": [facts(thumbprint)]})
    return plane
