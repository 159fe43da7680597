"""Restorations into a store: what is recorded, which keys it takes, what has changed meanwhile, what is refused."""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.built_in_role import OWNER
from domain.errors import Conflict, Corrupt, Refused, ResurgamError
from domain.restoration_rules import Vetted
from domain.sealed_value import key_ids, sealed_values
from infra.backup import memory
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.cli import state
from infra.control_plane import log_verification, recovery, restoration, restoration_report, verified_backup
from infra.control_plane.batch import Batch
from infra.control_plane.clock import host_clock
from infra.control_plane.recovery import Wish
from infra.control_plane.restoration import Proposal
from infra.control_plane.restored_values import BackupKeys, Values
from infra.database.url import open_database
from infra.keys import keyring
from infra.keys.signer import Signer
from infra.log import event_table
from tests.backup_estate import (
    FIRST_USE,
    IDENTITY,
    VAULT,
    Estate,
    estate,
    lived_in,
    records_of,
    recovered,
    set_password,
    set_secret,
    vault_requests,
)
from tests.infra.control_plane.installation import (
    ACTOR,
    INPUTS,
    OPERATOR_ID,
    PASSWORD,
    install,
    request,
    user_id,
    user_request,
)

SECRET = f"{VAULT}/secrets/Database"
USER = f"/providers/Microsoft.Graph/directoryObjects/{user_id(1)}"


@pytest.fixture
def made(tmp_path: Path, store_url: str) -> Iterator[Estate]:
    """A vault with a secret and three users, backed up once, on each engine in turn."""
    with estate(tmp_path, store_url) as one:
        one.record(*vault_requests(), *map(user_request, range(3)))
        one.back_up()
        yield one


@contextmanager
def proposed(made: Estate, service: str, at: int | None = None, wish: Wish | None = None) -> Iterator[Proposal]:
    """Propose to restore a service from the newest backup, as of a position if one is given."""
    repository = Repository.open(DirectoryStore(made.root))
    with made.database.read() as session:
        wanted = restoration.wish_for(session, made.root_key, repository, wish or Wish())
    wanted = replace(wanted, at=None if at is None else str(at))
    planned = recovery.plan(repository, [IDENTITY], wanted, host_clock())
    with verified_backup.scratch() as scratch:
        origin = restoration.replayed(scratch, repository, [IDENTITY], wanted, planned)
        yield restoration.propose(made.database, made.root_key, origin, service)


def restore(made: Estate, service: str, at: int | None = None, wish: Wish | None = None) -> Proposal:
    with proposed(made, service, at, wish) as proposal:
        restoration.apply(made.database, made.root_key, proposal, ACTOR, "ticket 17")
    return proposal


def state_of(made: Estate, resource: str) -> Any:
    with made.plane.read() as reading:
        found = reading.state.find(resource)
    return None if found is None else found.state


def value_of(made: Estate, resource: str) -> bytes:
    """The one sealed value in a resource's state, opened."""
    with made.plane.read() as reading:
        found = reading.state.find(resource)
        assert found is not None
        [sealed] = sealed_values(found.state)
        return made.plane.open_sealed(reading.session, sealed, sealed["purpose"], found.id)


def position(made: Estate) -> int:
    return made.plane.head().position


def current(made: Estate) -> str:
    return f"{SECRET}/versions/{state_of(made, SECRET)['currentVersion']}"


def purge(made: Estate) -> None:
    made.record(request("DeleteSecret", id=SECRET), request("PurgeSecret", id=SECRET))


def rules(proposal: Proposal) -> set[str]:
    return {one.rule for one in proposal.vetted.skipped}


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


def test_what_was_there_all_along_keeps_its_key(made: Estate) -> None:
    version = current(made)
    made.record(request("DeleteVault", id=VAULT), set_password(1, "a ruined password"))
    keys, ruined = list(key_ids(state_of(made, version))), value_of(made, USER)
    proposal = restore(made, "vaults")
    assert (proposal.brought_back, proposal.destroyed) == ([], [])
    assert list(key_ids(state_of(made, version))) == keys
    assert value_of(made, version) == b"first value"
    assert value_of(made, USER) == ruined, "of another service not even the ruin is touched"


def test_a_value_that_was_destroyed_is_sealed_again_under_a_fresh_key(made: Estate) -> None:
    version, at = current(made), position(made)
    [old] = key_ids(state_of(made, version))
    purge(made)
    made.back_up()
    proposal = restore(made, "vaults", at)
    assert proposal.brought_back == [(version, at + 2)]
    [new] = key_ids(state_of(made, version))
    assert new != old
    assert value_of(made, version) == b"first value"
    with made.database.read() as session:
        row = keyring.find(session, old)
    assert row is not None
    assert not row.is_live, "what was destroyed stays so"
    made.back_up()
    with recovered(made.root, made.folder / "new") as (again, report):
        assert value_of(again, version) == b"first value"
        assert report.lost == []
    assert restoration_changes(made, "vaults", at) == 0, "the same value under another key is no difference"


def restoration_changes(made: Estate, service: str, at: int | None = None) -> int:
    with proposed(made, service, at) as proposal:
        return len(proposal.vetted.accepted)


def test_the_keyring_of_the_first_backup_that_covers_the_position_is_tried(made: Estate) -> None:
    version, at = current(made), position(made)
    purge(made)
    made.record(user_request(7))
    made.back_up()
    made.record(user_request(8))
    made.back_up()
    for newer in made.objects("keyrings")[1:]:
        assert newer.exists()
    assert restore(made, "vaults", at).brought_back == [(version, at + 2)]


def test_a_value_that_no_backup_holds_any_more_is_listed_and_its_secret_stays_away(made: Estate) -> None:
    version, at = current(made), position(made)
    purge(made)
    verified_backup.make(made.database, made.root_key, made.repository, host_clock)
    base = made.newest.keyring
    for keyring_file in made.objects("keyrings"):
        if base[0].sha256 not in keyring_file.name:
            keyring_file.unlink()  # as a prune does, after its grace
    with proposed(made, "vaults", at) as proposal:
        assert proposal.vetted.accepted == []
        assert {one.alteration.id: one.rule for one in proposal.vetted.skipped} == {
            version: "value-destroyed",
            SECRET: "secret-version-exists",
        }


def test_no_secret_is_shown(made: Estate, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    at, version = position(made), current(made)
    made.record(set_secret("Database", "second value"), set_password(1, "another long password"))
    purge(made)
    proposal = restore(made, "all", at)
    assert value_of(made, version) == b"first value"
    output = capfd.readouterr()
    told = [repr(proposal), json.dumps(restoration_report.describe(proposal, state.changes)), caplog.text, *output]
    secrets = ("first value", "second value", PASSWORD, "another long password", "$argon2id$")
    assert [secret for secret in secrets if any(secret in text for text in told)] == []
    assert not any("ciphertext" in text for text in told[1:])


def test_a_password_of_then_opens_again_and_that_of_now_is_destroyed(made: Estate) -> None:
    made.record(set_password(1, "another long password"))
    old = list(key_ids(state_of(made, USER)))
    proposal = restore(made, "identity")
    assert proposal.destroyed == [USER]
    assert [resource for resource, _ in proposal.brought_back] == [USER]
    assert value_of(made, USER).startswith(b"$argon2id$")
    with made.database.read() as session:
        row = keyring.find(session, old[0])
    assert row is not None
    assert not row.is_live


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


def test_a_key_that_is_not_where_it_should_be_is_corrupt(made: Estate) -> None:
    version = current(made)
    [key_id] = key_ids(state_of(made, version))
    purge(made)
    with made.database.write() as session:
        session.execute("UPDATE keyring SET shredded_at = 0 WHERE key_id = ?", (key_id,))
    with proposed(made, "vaults") as proposal, pytest.raises(Corrupt, match="verify the log"):
        restoration.apply(made.database, made.root_key, proposal, ACTOR)


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
        (Values, "lost", unchanged, test_a_value_that_no_backup_holds_any_more_is_listed_and_its_secret_stays_away),
        (Values, "kept", lambda _, one: one, test_a_value_that_was_destroyed_is_sealed_again_under_a_fresh_key),
        (Values, "sealed_again", lambda _, one: one, test_a_password_of_then_opens_again_and_that_of_now_is_destroyed),
        (BackupKeys, "_covering", lambda _: (), test_the_keyring_of_the_first_backup_that_covers_the_position_is_tried),
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
