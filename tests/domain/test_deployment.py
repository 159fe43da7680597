"""The deployment: inputs that fit together, what is for ever, recoveries and updates."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.deployment import (
    DEPLOYMENT_ID,
    ChangeDeploymentInputs,
    CreateDeployment,
    RecordFork,
    RecordRecovery,
    RecordRootKeyRestoration,
    RecordUpdate,
)
from domain.deployment_inputs import DeploymentInputs
from tests.domain.identity import APP, OPERATOR
from tests.domain.scenario import ControlPlane

NETWORKS = {
    "publicVip": "192.0.2.0/24",
    "switchInfrastructure": "10.0.0.0/26",
    "infrastructure": "10.0.1.0/24",
    "private": "10.1.0.0/20",
    "bmc": "10.0.0.64/26",
    "switchManagement": "10.0.0.128/29",
}
NODES = [{"name": "node-1", "ipAddress": "10.0.1.1"}, {"name": "node-2", "ipAddress": "10.0.1.2"}]


def inputs(networks: dict[str, str | None] | None = None, **changed: Any) -> DeploymentInputs:
    """Return sample inputs, as they stand in a file, with some of them changed; None leaves a network out."""
    merged = {name: network for name, network in {**NETWORKS, **(networks or {})}.items() if network is not None}
    given = {
        "region": "east",
        "externalDomainName": "cloud.fabrikam.example",
        "networks": merged,
        "permittedNetworks": ["203.0.113.0/24"],
        "dnsForwarders": ["10.9.0.1"],
        "timeServer": "10.9.0.2",
        "identityStore": "ADFS",
        "nodes": NODES,
    }
    return DeploymentInputs.model_validate({**given, **changed})


def create(given: DeploymentInputs | None = None) -> CreateDeployment:
    return CreateDeployment(inputs=given or inputs(), deployment_id=OPERATOR, epoch="epoch-1", release="1.0")


def change(given: DeploymentInputs) -> ChangeDeploymentInputs:
    return ChangeDeploymentInputs(inputs=given)


def recovery(**changed: Any) -> RecordRecovery:
    given = {
        "deployment_id": APP,
        "ancestor_deployment_id": OPERATOR,
        "epoch": "epoch-2",
        "parent_epoch": "epoch-1",
        "manifest_sequence": 3,
        "backup_position": 900,
        "backup_recorded_at": "2026-11-03T12:00:00Z",
        "recovered_position": 900,
        "checkpoint_root": "cm9vdA==",
        "signer_trust": "Endorsed",
        "from_release": "1.0",
        "to_release": "1.1",
    }
    return RecordRecovery.model_validate({**given, **changed})


def fork(**changed: Any) -> RecordFork:
    given = {
        "deployment_id": APP,
        "ancestor_deployment_id": OPERATOR,
        "epoch": "epoch-2",
        "parent_epoch": "epoch-1",
        "manifest_sequence": 3,
        "backup_position": 900,
        "backup_recorded_at": "2026-11-03T12:00:00Z",
        "backup_root": "cm9vdA==",
        "log_position": 800,
        "log_root": "cm9vdDI=",
        "agreed_position": 750,
    }
    return RecordFork.model_validate({**given, **changed})


def created() -> ControlPlane:
    return ControlPlane().given(create())


def test_a_deployment_is_created_from_its_inputs() -> None:
    assert created().state(DEPLOYMENT_ID) == {
        "id": DEPLOYMENT_ID,
        "deploymentId": OPERATOR,
        "epoch": "epoch-1",
        "release": "1.0",
        "inputs": {
            "region": "east",
            "externalDomainName": "cloud.fabrikam.example",
            "internalDomainName": "azurestack.local",
            "namingPrefix": "azs",
            "networks": NETWORKS,
            "permittedNetworks": ["203.0.113.0/24"],
            "dnsForwarders": ["10.9.0.1"],
            "timeServer": "10.9.0.2",
            "identityStore": "ADFS",
            "nodes": NODES,
            "timezone": "UTC",
        },
    }


def test_a_log_has_one_deployment() -> None:
    created().refuses(create(), "id-is-new")


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("publicVip", "192.0.0.0/21"),
        ("publicVip", "192.0.2.0/27"),
        ("switchInfrastructure", "10.0.0.0/27"),
        ("infrastructure", "10.0.1.0/25"),
        ("private", "10.1.0.0/21"),
        ("bmc", "10.0.0.64/27"),
        ("switchManagement", "10.0.0.128/30"),
    ],
)
def test_a_network_of_a_wrong_size_is_refused(name: str, network: str) -> None:
    refusal = ControlPlane().refuses(create(inputs({name: network})), "network-prefix-length")
    assert f"network {name} is {network}: its prefix must be /" in str(refusal)


def test_the_refusal_of_a_network_says_which_sizes_are_right() -> None:
    plane = ControlPlane()
    assert str(plane.refuses(create(inputs({"bmc": "10.0.0.64/27"})), "network-prefix-length")).endswith("must be /26")
    public = plane.refuses(create(inputs({"publicVip": "192.0.2.0/27"})), "network-prefix-length")
    assert str(public).endswith("must be /26 to /22")


@pytest.mark.parametrize("network", ["192.0.0.0/22", "192.0.2.0/26"])
def test_a_public_network_may_be_of_several_sizes(network: str) -> None:
    ControlPlane().given(create(inputs({"publicVip": network})))


def test_networks_that_overlap_are_refused() -> None:
    refusal = ControlPlane().refuses(create(inputs({"bmc": "10.0.1.192/26"})), "networks-do-not-overlap")
    assert "infrastructure 10.0.1.0/24 overlaps network bmc 10.0.1.192/26" in str(refusal)


def test_nodes_that_are_named_or_addressed_twice_are_refused() -> None:
    plane = ControlPlane()
    plane.refuses(create(inputs(nodes=[{"name": "node-1"}, {"name": "NODE-1"}])), "nodes-distinct")
    same = [{"name": "node-1", "ipAddress": "10.0.1.1"}, {"name": "node-2", "ipAddress": "10.0.1.1"}]
    plane.refuses(create(inputs(nodes=same)), "nodes-distinct")
    plane.given(create(inputs(nodes=[{"name": "node-1"}, {"name": "node-2"}])))


@pytest.mark.parametrize(
    "malformed",
    [
        {"region": "east.west"},
        {"externalDomainName": "cloud_fabrikam"},
        {"networks": {"publicVip": "192.0.2.1/24"}},
        {"permittedNetworks": ["everywhere"]},
        {"dnsForwarders": ["10.9.0"]},
        {"timeServer": "10.9.0.300"},
        {"identityStore": "LDAP"},
        {"nodes": []},
        {"nodes": [{"name": f"node-{number}"} for number in range(65)]},
        {"colour": "blue"},
    ],
)
def test_malformed_inputs_are_no_command(malformed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        inputs(**malformed)


def test_inputs_are_changed_as_a_whole() -> None:
    plane = ControlPlane().given(create(inputs(companyName="Fabrikam")))
    (event,) = plane.when(change(inputs(timeServer="time.fabrikam.example")))
    assert event.type == "deployment.inputs-changed"
    after = plane.state(DEPLOYMENT_ID)["inputs"]
    assert after["timeServer"] == "time.fabrikam.example"
    assert "companyName" not in after


def test_the_same_inputs_record_nothing() -> None:
    assert created().when(change(inputs())) == []


def test_changed_inputs_fit_together_too() -> None:
    created().refuses(change(inputs({"bmc": "10.0.0.0/26"})), "networks-do-not-overlap")


def test_the_private_network_may_be_added_later() -> None:
    plane = ControlPlane().given(create(inputs({"private": None})))
    plane.given(change(inputs()))
    assert plane.state(DEPLOYMENT_ID)["inputs"]["networks"]["private"] == "10.1.0.0/20"


@pytest.mark.parametrize(
    "changed",
    [{"region": "west"}, {"externalDomainName": "cloud.contoso.example"}, {"identityStore": "AzureAD"}],
)
def test_region_domain_and_identity_store_are_for_ever(changed: dict[str, Any]) -> None:
    refusal = created().refuses(change(inputs(**changed)), "deployment-input-immutable")
    assert next(iter(changed)) in str(refusal)


def test_other_inputs_may_change_with_the_place_and_the_hardware() -> None:
    moved = inputs({"bmc": "10.8.0.0/26"}, nodes=[{"name": "other-1"}], namingPrefix="dr", timezone="Europe/Berlin")
    assert created().when(change(moved))


def test_a_recovery_leaves_its_provenance() -> None:
    plane = created()
    (event,) = plane.when(recovery())
    assert event.type == "deployment.recovered"
    state = plane.state(DEPLOYMENT_ID)
    assert (state["deploymentId"], state["epoch"], state["release"]) == (APP, "epoch-2", "1.1")
    assert state["inputs"]["region"] == "east"
    assert state["lastRecovery"] == {
        "deploymentId": APP,
        "ancestorDeploymentId": OPERATOR,
        "epoch": "epoch-2",
        "parentEpoch": "epoch-1",
        "manifestSequence": 3,
        "backupPosition": 900,
        "backupRecordedAt": "2026-11-03T12:00:00.000000Z",
        "recoveredPosition": 900,
        "checkpointRoot": "cm9vdA==",
        "signerTrust": "Endorsed",
        "fromRelease": "1.0",
        "toRelease": "1.1",
    }


def test_only_the_last_recovery_is_in_the_state() -> None:
    plane = created().given(recovery(), recovery(epoch="epoch-3", parent_epoch="epoch-2", manifest_sequence=1))
    assert plane.state(DEPLOYMENT_ID)["lastRecovery"]["epoch"] == "epoch-3"


def test_a_recovery_begins_a_new_epoch() -> None:
    plane = created()
    plane.refuses(recovery(epoch="epoch-1"), "epoch-is-new")
    plane.refuses(recovery(epoch="epoch-0", parent_epoch="epoch-0"), "epoch-is-new")


def test_no_more_is_recovered_than_was_backed_up() -> None:
    created().refuses(recovery(recovered_position=901), "recovered-position-in-backup")
    created().given(recovery(recovered_position=1))


def restoration(**changed: Any) -> RecordRootKeyRestoration:
    given = {
        "deployment_id": APP,
        "ancestor_deployment_id": OPERATOR,
        "epoch": "epoch-2",
        "parent_epoch": "epoch-1",
        "manifest_sequence": 3,
        "backup_position": 900,
        "checkpoint_root": "cm9vdA==",
        "signer_trust": "Remembered",
        "restored_keys": 7,
        "lost_keys": 0,
    }
    return RecordRootKeyRestoration.model_validate({**given, **changed})


def test_a_restored_root_key_makes_a_new_deployment_of_the_same_release() -> None:
    plane = created()
    (event,) = plane.when(restoration())
    assert event.type == "deployment.root-key-restored"
    state = plane.state(DEPLOYMENT_ID)
    assert (state["deploymentId"], state["epoch"], state["release"]) == (APP, "epoch-2", "1.0")
    assert state["lastRootKeyRestoration"] == event.payload
    assert (event.payload["restoredKeys"], event.payload["lostKeys"]) == (7, 0)


def test_a_restored_root_key_begins_a_new_epoch() -> None:
    plane = created()
    plane.refuses(restoration(epoch="epoch-1"), "epoch-is-new")
    plane.refuses(restoration(epoch="epoch-0", parent_epoch="epoch-0"), "epoch-is-new")


def test_an_update_changes_the_release() -> None:
    plane = created()
    (event,) = plane.when(RecordUpdate(to_release="1.1"))
    assert event.payload == {"fromRelease": "1.0", "toRelease": "1.1"}
    assert plane.state(DEPLOYMENT_ID)["release"] == "1.1"
    assert plane.when(RecordUpdate(to_release="1.1")) == []


def test_nothing_happens_to_a_deployment_that_was_never_created() -> None:
    plane = ControlPlane()
    for command in (change(inputs()), recovery(), restoration(), RecordUpdate(to_release="1.1")):
        plane.refuses(command, "deployment-exists")


def test_a_fork_leaves_both_checkpoints_and_keeps_the_rest() -> None:
    plane = created().given(recovery(epoch="epoch-0", to_release="1.0"))
    (event,) = plane.when(fork())
    assert event.type == "deployment.forked"
    state = plane.state(DEPLOYMENT_ID)
    assert (state["deploymentId"], state["epoch"], state["release"]) == (APP, "epoch-2", "1.0")
    assert state["inputs"]["region"] == "east"
    assert state["lastRecovery"]["epoch"] == "epoch-0"
    assert state["lastFork"] == {
        "deploymentId": APP,
        "ancestorDeploymentId": OPERATOR,
        "epoch": "epoch-2",
        "parentEpoch": "epoch-1",
        "manifestSequence": 3,
        "backupPosition": 900,
        "backupRecordedAt": "2026-11-03T12:00:00.000000Z",
        "backupRoot": "cm9vdA==",
        "logPosition": 800,
        "logRoot": "cm9vdDI=",
        "agreedPosition": 750,
    }


def test_a_fork_begins_a_new_epoch_and_a_new_deployment() -> None:
    plane = created()
    plane.refuses(fork(epoch="epoch-1"), "epoch-is-new")
    plane.refuses(fork(deployment_id=OPERATOR), "fork-is-new")


@pytest.mark.parametrize("position", [801, 901])
def test_what_a_fork_has_in_common_is_in_both(position: int) -> None:
    created().refuses(fork(agreed_position=position), "agreed-position-in-both")
    assert created().when(fork(agreed_position=0))


def test_only_a_deployment_that_is_there_is_forked() -> None:
    ControlPlane().refuses(fork(), "deployment-exists")
