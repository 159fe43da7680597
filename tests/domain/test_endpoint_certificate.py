"""Endpoint certificates: what may be imported for which endpoint."""

from typing import Any, get_args

import pytest
from pydantic import SecretStr, ValidationError

from domain.command import Sealing
from domain.deployment import DEPLOYMENT_ID, DeploymentCreated, DeploymentCreation
from domain.deployment_inputs import DeploymentInputsFields
from domain.endpoint_certificate import (
    ENDPOINTS,
    EndpointCertificateImported,
    EndpointCertificateRemoved,
    EndpointName,
    ImportEndpointCertificate,
    RemoveEndpointCertificate,
    covers,
    endpoint_certificate_id,
)
from domain.errors import Refused
from domain.event import Event, Nothing
from domain.instant import plus_days
from domain.sealed_value import key_ids
from tests.domain.scenario import NOW, ControlPlane, sealed

PORTAL = endpoint_certificate_id("portal")
REMOVE = RemoveEndpointCertificate(endpoint="portal")

INPUTS: DeploymentInputsFields = {
    "region": "East",
    "externalDomainName": "cloud.example",
    "internalDomainName": "azurestack.local",
    "namingPrefix": "azs",
    "networks": {
        "publicVip": "192.0.2.0/24",
        "switchInfrastructure": "198.51.100.0/26",
        "infrastructure": "10.1.0.0/24",
        "bmc": "10.2.0.0/26",
        "switchManagement": "10.3.0.0/29",
    },
    "permittedNetworks": [],
    "dnsForwarders": [],
    "timeServer": "192.0.2.1",
    "identityStore": "ADFS",
    "nodes": [{"name": "node-1"}],
    "timezone": "UTC",
}


def deployed() -> ControlPlane:
    creation = DeploymentCreation(deploymentId="d", epoch="e", release="1", inputs=INPUTS)
    return ControlPlane().given(DeploymentCreated(DEPLOYMENT_ID, creation))


def importing(endpoint: EndpointName = "portal") -> ImportEndpointCertificate:
    return ImportEndpointCertificate(endpoint=endpoint, pfx=SecretStr("MII="), password=SecretStr("secret-pfx"))


def facts(*names: str, thumbprint: str = "AA", days: int = 365, **checked: Any) -> dict[str, Any]:
    """Return the facts of a certificate that is fit for these names, or for the portal."""
    certificate = {
        "chain": ["-----BEGIN CERTIFICATE-----"],
        "thumbprint": thumbprint,
        "serialNumber": "7",
        "subject": "CN=portal",
        "issuer": "CN=Region CA",
        "notBefore": NOW,
        "notAfter": plus_days(NOW, days),
        "subjectAlternativeNames": list(names or ("portal.east.cloud.example",)),
    }
    fit = {
        "certificate": certificate,
        "selfSigned": False,
        "signatureHashAlgorithms": ["sha256"],
        "publicKeyAlgorithm": "RSA",
        "keyUsage": ["digitalSignature", "keyEncipherment"],
        "extendedKeyUsage": ["serverAuth", "clientAuth"],
    }
    return {**fit, **checked}


def key(name: str = "k1") -> dict[str, Any]:
    return {"private_key": sealed("endpoint-private-key", name)}


def refuses(rule: str, plane: ControlPlane | None = None, **checked: Any) -> Refused:
    refusal = (plane or deployed()).refuses(importing(), rule, sealed=key(), facts=facts(**checked))
    assert refusal.resource == PORTAL
    return refusal


def test_an_imported_certificate_keeps_its_chain_and_its_sealed_key() -> None:
    events = deployed().when(importing(), sealed=key(), facts=facts())
    kept = {**facts()["certificate"], "endpoint": "portal", "privateKey": sealed("endpoint-private-key")}
    assert events == [Event(EndpointCertificateImported.name, PORTAL, kept)]


def test_the_key_is_sealed_into_the_endpoint_and_neither_pfx_nor_password_is() -> None:
    assert importing().sealings("any") == [Sealing("private_key", "endpoint-private-key", PORTAL)]


def test_pfx_and_password_are_not_shown() -> None:
    assert "MII=" not in repr(importing())
    assert "secret-pfx" not in importing().model_dump_json()


def test_importing_again_replaces_certificate_and_key() -> None:
    plane = deployed()
    plane.when(importing(), sealed=key("old"), facts=facts())
    plane.when(importing(), sealed=key("new"), facts=facts(thumbprint="BB"))
    assert plane.state(PORTAL)["thumbprint"] == "BB"
    assert list(key_ids(plane.state(PORTAL))) == ["new"]


def test_importing_the_same_certificate_again_changes_nothing() -> None:
    plane = deployed()
    plane.when(importing(), sealed=key("old"), facts=facts())
    assert plane.when(importing(), sealed=key("new"), facts=facts()) == []


def test_a_self_signed_certificate_is_refused() -> None:
    refuses("certificate-not-self-signed", selfSigned=True)


@pytest.mark.parametrize("algorithm", ["sha1", "md5"])
def test_a_weak_signature_anywhere_in_the_chain_is_refused(algorithm: str) -> None:
    assert algorithm in str(refuses("certificate-signature-is-strong", signatureHashAlgorithms=["sha256", algorithm]))


def test_an_rsa_certificate_needs_key_encipherment() -> None:
    assert "keyEncipherment" in str(refuses("certificate-key-usage", keyUsage=["digitalSignature"]))


def test_an_elliptic_curve_certificate_needs_no_key_encipherment() -> None:
    fit = facts(publicKeyAlgorithm="EC", keyUsage=["digitalSignature"])
    assert deployed().when(importing(), sealed=key(), facts=fit)


@pytest.mark.parametrize("usage", ["serverAuth", "clientAuth"])
def test_a_certificate_needs_both_extended_key_usages(usage: str) -> None:
    refuses("certificate-key-usage", extendedKeyUsage=[usage])


def test_another_type_of_key_is_refused() -> None:
    refuses("certificate-key-type", publicKeyAlgorithm="Ed25519PublicKey")


def test_an_expired_certificate_is_refused_and_one_on_its_last_day_is_not() -> None:
    refuses("certificate-is-valid-now", deployed().after_days(11), days=10)
    assert deployed().after_days(10).when(importing(), sealed=key(), facts=facts(days=10))


def test_a_certificate_of_the_future_is_refused() -> None:
    refuses("certificate-is-valid-now", deployed().after_days(-1))


def test_a_certificate_for_another_region_is_refused() -> None:
    plane = deployed()
    refusal = plane.refuses(
        importing(), "certificate-covers-endpoint", sealed=key(), facts=facts("portal.west.cloud.example")
    )
    assert "portal.east.cloud.example" in str(refusal).lower()


def test_a_service_endpoint_needs_the_wildcard() -> None:
    plane = deployed()
    bare, wild = facts("blob.east.cloud.example"), facts("*.blob.east.cloud.example")
    plane.refuses(importing("blob"), "certificate-covers-endpoint", sealed=key(), facts=bare)
    assert plane.when(importing("blob"), sealed=key(), facts=wild)


def test_app_service_needs_all_three_of_its_wildcards() -> None:
    domain = "east.cloud.example"
    names = [f"*.appservice.{domain}", f"*.scm.appservice.{domain}", f"*.sso.appservice.{domain}"]
    plane = deployed()
    plane.refuses(importing("appservice"), "certificate-covers-endpoint", sealed=key(), facts=facts(*names[:2]))
    assert plane.when(importing("appservice"), sealed=key(), facts=facts(*names))


def test_without_a_deployment_there_is_no_name_to_cover() -> None:
    ControlPlane().refuses(importing(), "deployment-exists", sealed=key(), facts=facts())


@pytest.mark.parametrize(
    ("name", "wanted", "served"),
    [
        ("portal.east.example", "Portal.East.Example", True),
        ("*.east.example", "portal.east.example", True),
        ("*.example", "portal.east.example", False),
        ("*.blob.east.example", "*.blob.east.example", True),
        ("*.east.example", "*.blob.east.example", False),
        ("*.east.example", "*.east.example", True),
    ],
)
def test_a_wildcard_stands_for_exactly_one_label(name: str, wanted: str, served: bool) -> None:
    assert covers([name], wanted) is served


def test_every_endpoint_has_names() -> None:
    assert set(ENDPOINTS) == set(get_args(EndpointName))
    mandatory = ["portal", "adminportal", "management", "adminmanagement", "adfs", "graph"]
    assert all(ENDPOINTS[name] == (name,) for name in mandatory)


def test_an_unknown_endpoint_is_malformed() -> None:
    with pytest.raises(ValidationError):
        ImportEndpointCertificate.model_validate({"endpoint": "mail", "pfx": "MII=", "password": "p"})


def test_removing_destroys_the_key() -> None:
    plane = deployed()
    plane.when(importing(), sealed=key(), facts=facts())
    assert plane.when(REMOVE) == [EndpointCertificateRemoved(PORTAL, Nothing())]
    assert plane.state(PORTAL) is None


def test_removing_what_is_not_there_is_refused() -> None:
    deployed().refuses(REMOVE, "endpoint-certificate-exists")
