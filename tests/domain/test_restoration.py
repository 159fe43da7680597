"""Restorations: the states of a backup as events of today, and the refusals of what can never be restored."""

import pytest

from domain.built_in_role import OWNER
from domain.control_plane import EVENTS, KINDS
from domain.errors import Refused
from domain.event import deleted
from domain.restoration import RestoredResource, RestoreResources
from domain.sealed_value import key_ids
from domain.secret import DeleteSecret, PurgeSecret
from domain.subscription_state import DisableSubscription
from domain.vault import DeleteVault, PurgeVault, UpdateVault
from tests.domain.estate import OPERATOR, estate
from tests.domain.restoring import SOURCE, differences, restore, restored, vetted
from tests.domain.scenario import ControlPlane
from tests.domain.tenants import (
    PROVIDER_GUID,
    SECRET,
    TENANT_GUID,
    TENANT_SUBSCRIPTION,
    VAULT,
    create_vault,
    set_secret,
    types,
    with_vault,
)
from tests.domain.test_role_assignment import assign

FROM = {
    "deploymentId": SOURCE.deployment_id,
    "manifestSequence": 7,
    "checkpointRoot": "cm9vdA==",
    "signerTrust": "Named",
    "position": 42,
    "recordedAt": SOURCE.recorded_at,
}


def with_secret() -> tuple[ControlPlane, str]:
    plane = with_vault()
    return plane, set_secret(plane)


def test_a_changed_resource_gets_its_whole_state_back_and_says_from_where() -> None:
    then = with_vault()
    live = with_vault().given(UpdateVault(id=VAULT, tags={"owner": "x"}, sku_name="premium"))
    [event] = restored(live, then, "vaults")
    assert (event.type, event.resource) == ("vault.restored", VAULT)
    assert event.payload == {"source": FROM, "state": then.state(VAULT)}
    assert live.state(VAULT) == then.state(VAULT)
    assert "tags" not in live.state(VAULT)


def test_what_was_purged_comes_back_whole_and_goes_on_in_its_history() -> None:
    (then, _), (live, version) = with_secret(), with_secret()
    found = live.find(SECRET)
    assert found is not None
    live.given(DeleteSecret(id=SECRET), PurgeSecret(id=SECRET))
    assert types(restored(live, then, "vaults")) == [("secret.restored", SECRET), ("secret-version.restored", version)]
    assert live.resources().keys() == then.resources().keys()
    again = live.find(SECRET)
    assert again is not None
    assert again.sequence == found.sequence + 3
    assert list(live.world.sources(SECRET, "secret")) == [version.lower()]
    assert list(key_ids(live.state(version))) == ["k1"]


def test_what_was_made_since_ends_by_the_event_of_its_kind() -> None:
    then, live = with_vault(), with_vault().given(create_vault("keys-2"))
    set_secret(live)
    assert {event.type for event in restored(live, then, "vaults")} == {
        "vault.purged",
        "secret.purged",
        "secret-version.purged",
    }
    assert live.resources() == then.resources() | {VAULT.lower(): live.resources()[VAULT.lower()]}


def test_a_resource_that_is_deleted_then_and_now_in_another_way_is_as_it_was_then() -> None:
    then, live = with_vault().given(DeleteVault(id=VAULT)), with_vault()
    assert types(restored(live, then, "vaults")) == [("vault.restored", VAULT)]
    assert "deletionDate" in live.state(VAULT)
    live.given(PurgeVault(id=VAULT))
    assert types(restored(live, then, "vaults")) == [("vault.restored", VAULT)]
    assert live.state(VAULT) == then.state(VAULT)


def test_other_services_stay_as_they_are() -> None:
    then = with_vault()
    disable = DisableSubscription(provider_subscription_id=PROVIDER_GUID, subscription_id=TENANT_GUID)
    live = with_vault().given(UpdateVault(id=VAULT, tags={"a": "b"}), disable)
    restored(live, then, "vaults")
    assert live.state(TENANT_SUBSCRIPTION)["state"] == "Disabled"
    assert live.state(VAULT) == then.state(VAULT)


def test_what_is_as_it_was_is_no_event() -> None:
    then, live = with_vault(), with_vault()
    assert differences(live, then) == []
    assert live.when(restore([])) == []
    live.given(UpdateVault(id=VAULT, tags={"a": "b"}))
    command = restore(vetted(live, then, "vaults").accepted)
    assert len(live.when(command)) == 1
    assert live.when(command) == []


def test_somebody_remains_owner_at_the_root() -> None:
    then, live = estate(), estate().given(assign("/", OPERATOR, OWNER))
    refusal = live.refuses(restore(differences(live, then, "roles")), "an-owner-remains")
    assert "nobody" in str(refusal)


@pytest.mark.parametrize("kind", ["deployment", "backup-recipient", "unknown", "secret"])
def test_a_kind_that_cannot_be_restored_there_is_refused(kind: str) -> None:
    command = RestoreResources(source=SOURCE, resources=(RestoredResource(id=VAULT, kind=kind, state=None),))
    with_vault().refuses(command, "kind-restorable")


def test_what_stays_for_ever_is_not_ended() -> None:
    gone = RestoredResource(id=TENANT_SUBSCRIPTION, kind="subscription", state=None)
    with_vault().refuses(RestoreResources(source=SOURCE, resources=(gone,)), "stays-for-ever")


def test_a_state_of_another_form_or_of_another_resource_is_refused() -> None:
    plane = with_vault()
    for state in ({"id": VAULT}, {**plane.state(VAULT), "further": 1}):
        one = RestoredResource(id=VAULT, kind="vault", state=state)
        plane.refuses(RestoreResources(source=SOURCE, resources=(one,)), "event-well-formed")
    other = {"source": FROM, "state": {**plane.state(VAULT), "id": "/other"}}
    event_type = EVENTS["vault.restored"][1]
    with pytest.raises(Refused) as caught:
        event_type.evolve(None, VAULT, event_type(VAULT, other).payload)
    assert caught.value.rule == "event-order"


def test_every_kind_but_those_of_the_installation_can_be_restored() -> None:
    assert {kind.name for kind in KINDS.values() if kind.restored is None} == {"deployment", "backup-recipient"}


def test_every_kind_ends_by_its_event_or_stays_for_ever() -> None:
    stay = {"deployment", "subscription", "ca-root", "issued-certificate", "revocation-list"}
    assert {kind.name for kind in KINDS.values() if kind.ended is None} == stay
    for kind in KINDS.values():
        endings = [event for event in kind.events if event.evolve is deleted]
        assert endings == ([] if kind.ended is None else [kind.ended])
