"""Restorations into a store: what is recorded, what has changed meanwhile, and what is refused."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.built_in_role import OWNER
from domain.errors import Conflict, Corrupt, Refused, ResurgamError
from domain.restoration_rules import Vetted
from infra.backup import memory
from infra.control_plane import log_verification, restoration
from infra.control_plane.batch import Batch
from infra.control_plane.recovery import Wish
from infra.database.url import open_database
from infra.keys.signer import Signer
from infra.log import event_table
from tests.backup_estate import (
    FIRST_USE,
    VAULT,
    Estate,
    estate,
    lived_in,
    records_of,
    recovered,
    set_secret,
    vault_requests,
)
from tests.infra.control_plane.installation import (
    ACTOR,
    INPUTS,
    OPERATOR_ID,
    install,
    request,
    user_id,
    user_request,
)
from tests.restoration_estate import (
    SECRET,
    USER,
    current,
    position,
    proposed,
    purge,
    restore,
    rules,
    state_of,
    value_of,
)


@pytest.fixture
def made(tmp_path: Path, store_url: str) -> Iterator[Estate]:
    """A vault with a secret and three users, backed up once, on each engine in turn."""
    with estate(tmp_path, store_url) as one:
        one.record(*vault_requests(), *map(user_request, range(3)))
        one.back_up()
        yield one


def test_each_record_says_who_restored_what_from_where_and_why(made: Estate) -> None:
    then, at = state_of(made, USER), position(made)
    made.record(request("UpdateUser", objectId=user_id(1), displayName="Ruined"))
    restore(made, "identity")
    with made.database.read() as session:
        recorded = event_table.record_at(session, position(made))
    assert recorded is not None
    event = recorded.event
    assert (event["type"], event["command"]["name"]) == ("user.restored", "RestoreResources")
    assert event["actor"]["os_user"] == ACTOR.os_user
    assert event["reason"] == f"restored identity as of position {at} of {made.deployment}: ticket 17"
    of = made.newest
    assert event["payload"]["source"] == {
        "deploymentId": made.deployment,
        "manifestSequence": of.sequence,
        "checkpointRoot": of.opened_checkpoint().body().split("\n")[2],
        "signerTrust": "Named",
        "position": at,
        "recordedAt": of.recorded_at,
    }
    assert event["payload"]["state"] == state_of(made, USER) == then
    assert log_verification.verify(made.database)


def test_what_is_done_elsewhere_meanwhile_stays(made: Estate) -> None:
    made.record(request("UpdateUser", objectId=user_id(1), displayName="Ruined"))
    with proposed(made, "identity") as proposal:
        made.record(set_secret("Other", "x"))
        outcome = restoration.apply(made.database, made.root_key, proposal, ACTOR)
    assert outcome.last - outcome.first == 0
    assert state_of(made, USER)["displayName"] == "User 1"
    assert state_of(made, f"{VAULT}/secrets/Other") is not None


@pytest.mark.parametrize(
    "meanwhile",
    [
        request("UpdateUser", objectId=user_id(1), displayName="Ruined again"),
        user_request(9),
        request("UpdateUser", objectId=user_id(1), displayName="User 1"),
        request("DeleteUser", objectId=user_id(2)),
    ],
    ids=["the same resource", "a new one", "repaired by hand", "another one gone"],
)
def test_nothing_is_restored_that_is_not_what_was_shown(made: Estate, meanwhile: Any) -> None:
    made.record(request("UpdateUser", objectId=user_id(1), displayName="Ruined"))
    with proposed(made, "identity") as proposal:
        made.record(meanwhile)
        before = records_of(made.database)
        with pytest.raises(Conflict, match="look at it again"):
            restoration.apply(made.database, made.root_key, proposal, ACTOR)
    assert records_of(made.database) == before


def test_a_reference_that_goes_meanwhile_is_seen_too(made: Estate) -> None:
    made.record(request("SetAccessPolicy", id=VAULT, objectId=user_id(1), permissions={"secrets": ["get"]}))
    made.back_up()
    made.record(request("RemoveAccessPolicy", id=VAULT, objectId=user_id(1)))
    with proposed(made, "vaults") as proposal:
        made.record(request("DeleteUser", objectId=user_id(1)))
        with pytest.raises(Conflict):
            restoration.apply(made.database, made.root_key, proposal, ACTOR)


def test_a_crash_leaves_nothing(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    purge(made)
    at, before = position(made), records_of(made.database)

    def write(self: Batch, root_key: object) -> None:
        written(self, root_key)  # type: ignore[arg-type]  # the root key goes through
        raise KeyboardInterrupt

    written = Batch.write
    with proposed(made, "vaults") as proposal:
        monkeypatch.setattr(Batch, "write", write)
        with pytest.raises(KeyboardInterrupt):
            restoration.apply(made.database, made.root_key, proposal, ACTOR)
        monkeypatch.undo()
        assert (position(made), records_of(made.database)) == (at, before)
        restoration.apply(made.database, made.root_key, proposal, ACTOR)
    assert value_of(made, current(made)) == b"first value"


def test_a_recovered_deployment_restores_from_the_backups_of_its_ancestor(tmp_path: Path) -> None:
    with estate(tmp_path) as lost, recovered(lived_in(lost).root, tmp_path / "new") as (found, _):
        found.record(user_request(9), request("DeleteSecret", id=SECRET), request("PurgeSecret", id=SECRET))
        wish = replace(FIRST_USE, deployment=lost.deployment)
        proposal = restore(found, "all", wish=wish)
        assert proposal.is_same_log
        assert proposal.vetted.skipped == []
        assert state_of(found, f"/providers/Microsoft.Graph/directoryObjects/{user_id(9)}") is None
        assert value_of(found, current(found)) == b"second value"


def test_of_another_deployment_nothing_is_taken_away(made: Estate) -> None:
    other = open_database(f"sqlite:///{made.folder}/other.db", create=True)
    try:
        install(other, recipients={})
        into = Estate(made.folder, other, type(made.plane)(other, made.root_key))
        into.record(user_request(9))
        proposal = restore(into, "all", wish=FIRST_USE)
        assert not proposal.is_same_log
        assert "made-here" in rules(proposal)
        version = current(into)
        assert state_of(into, version) == state_of(made, version), "its key was never destroyed here"
        assert value_of(into, version) == b"first value"
        assert state_of(into, f"/providers/Microsoft.Graph/directoryObjects/{user_id(9)}") is not None
        assert value_of(into, USER).startswith(b"$argon2id$")
    finally:
        other.close()


def test_a_store_that_went_back_has_parted_from_its_backups(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        made.record(*vault_requests())
        made.database.close()
        copy = Path(shutil.copy(tmp_path / "store.db", tmp_path / "copy.db"))
        database = open_database(f"sqlite:///{tmp_path}/store.db")
        made.database, made.plane = database, type(made.plane)(database, made.root_key)
        made.record(user_request(1))
        made.back_up()
        older = open_database(f"sqlite:///{copy}")
        back = Estate(tmp_path, older, type(made.plane)(older, made.root_key))
        try:
            for ruin in ([], [user_request(2), user_request(3)]):
                back.record(*ruin)
                with pytest.raises(Refused) as caught, proposed(back, "identity"):
                    pass
                assert caught.value.rule == "log-parted"
        finally:
            older.close()
            database.close()


def test_the_own_signer_is_known_and_another_is_not_believed_in_its_place(
    made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proposed(made, "vaults") as proposal:
        assert proposal.origin.plan.trust.reason == "Named"
    with (
        estate(made.folder / "x", f"sqlite:///{made.folder}/foreign.db") as foreign,
        foreign.database.read() as session,
    ):
        wish = restoration.wish_for(session, foreign.root_key, made.repository, Wish())
        assert wish.verifier is None, "the signer of another deployment is not its own"
    own = Signer.generate("resurgam/another")
    monkeypatch.setattr(memory, "get_signer", lambda *_: own)
    with pytest.raises(Corrupt, match=r"not .* that was named"), proposed(made, "vaults"):
        pass


def test_another_region_is_refused(made: Estate) -> None:
    west = open_database(f"sqlite:///{made.folder}/west.db", create=True)
    try:
        install(west, {**INPUTS, "region": "west"})
        into = Estate(made.folder, west, type(made.plane)(west, made.root_key))
        with pytest.raises(Refused) as caught, proposed(into, "all", wish=FIRST_USE):
            pass
        assert caught.value.rule == "deployment-input-immutable"
    finally:
        west.close()


def test_nobody_is_locked_out(made: Estate) -> None:
    """The backup's last owner is a user who was disabled since, for another one who was made since."""
    made.record(
        request("AssignRole", scopeId="/", roleDefinitionId=OWNER, principalId=user_id(1)),
        request("DisableUser", objectId=OPERATOR_ID),
    )
    with pytest.raises(Refused) as caught, proposed(made, "roles"):
        pass
    assert caught.value.rule == "an-owner-remains"
    restore(made, "all")
    assert state_of(made, f"/providers/Microsoft.Graph/directoryObjects/{OPERATOR_ID}")["accountEnabled"]


def unchanged(*_: object) -> None:
    """Check nothing."""


@pytest.mark.parametrize(
    ("module", "check", "without", "shown_by"),
    [
        (restoration, "check_immutable", unchanged, test_another_region_is_refused),
        (restoration, "must_leave_an_owner", unchanged, test_nobody_is_locked_out),
        (restoration, "_is_same_log", lambda *_: True, test_of_another_deployment_nothing_is_taken_away),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_every_check_is_missed_where_it_is_left_out(
    made: Estate, monkeypatch: pytest.MonkeyPatch, module: Any, check: str, without: Any, shown_by: Any
) -> None:
    monkeypatch.setattr(module, check, without)
    with pytest.raises((AssertionError, ResurgamError, pytest.fail.Exception)):
        shown_by(made)


def test_a_difference_that_is_not_looked_for_again_is_recorded(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vetted, "__ne__", lambda *_: False)
    with pytest.raises(pytest.fail.Exception):
        test_nothing_is_restored_that_is_not_what_was_shown(made, user_request(9))
