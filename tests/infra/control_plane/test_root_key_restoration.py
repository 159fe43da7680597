"""A lost root key over an intact store: the newest backup's keys bring it back, and nothing is lost in silence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Corrupt, NotFound, Refused, ResurgamError, WrongKey
from infra.backup import memory
from infra.backup.age import AgeIdentity
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import log_verification, root_key_restoration, successor
from infra.control_plane.plane import ControlPlane
from infra.control_plane.recovery import Wish
from infra.control_plane.root_key_restoration import Restored
from infra.keys import keyring
from infra.keys.password import TEST_COST
from infra.keys.root_key import FileRootKey, HeldRootKey
from infra.keys.signer import Verifier
from infra.log import local_fact
from tests.backup_estate import (
    IDENTITY,
    OTHER_IDENTITY,
    VAULT,
    Estate,
    estate,
    lived_in,
    records_of,
    recovered,
    set_password,
    set_secret,
)
from tests.forgery import re_sign, stranger
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, request, user_id, user_request


@pytest.fixture
def made(tmp_path: Path, store_url: str) -> Iterator[Estate]:
    with estate(tmp_path, store_url) as one:
        yield lived_in(one)


@pytest.fixture
def simple(tmp_path: Path) -> Iterator[Estate]:
    """The same on SQLite alone, where the engine makes no difference."""
    with estate(tmp_path) as one:
        yield lived_in(one)


def restore(
    made: Estate,
    identity: AgeIdentity = IDENTITY,
    named: Verifier | None = None,
    *,
    root: Path | None = None,
    first_use: bool = False,
    accepts_loss: bool = False,
) -> Restored:
    repository = Repository.open(DirectoryStore(root or made.root))
    source = root_key_restoration.find(made.database, repository, [identity], named, first_use=first_use)
    restored = root_key_restoration.restore(
        made.database, made.folder / "root-key", source, ACTOR, accepts_loss=accepts_loss
    )
    made.root_key = FileRootKey.load(made.folder / "root-key")
    made.plane = ControlPlane(made.database, made.root_key, cost=TEST_COST)
    return restored


def everything(made: Estate) -> list[object]:
    with made.database.read() as session:
        return [
            session.execute(f"SELECT * FROM {table} ORDER BY 1") for table in ("log_head", "keyring", "local_facts")
        ]


def secrets(made: Estate, name: str) -> set[str]:
    """The values of a secret's versions; of a destroyed one, what is said of it."""
    found = set()
    with made.plane.read() as reading:
        for version in [r for r in reading.state.of_kind("secret-version") if f"/{name}/" in r.id]:
            sealed: Any = version.state["value"]
            try:
                found.add(made.plane.open_sealed(reading.session, sealed, "secret-value", version.id).decode())
            except NotFound as error:
                found.add(str(error).removeprefix(f"the value of {version.id} "))
    return found


def test_every_value_opens_under_a_new_root_key_and_the_log_goes_on(made: Estate) -> None:
    before, records = made.plane.head(), records_of(made.database)
    restored = restore(made)
    at = made.plane.head()
    assert (restored.keys, restored.lost, restored.source.trust) == (7, [], "Remembered")
    assert (at.position, at.parent_epoch) == (before.position + 1, before.epoch)
    assert at.deployment != before.deployment
    assert records_of(made.database, until=before.position) == records
    with made.database.read() as session:
        assert keyring.check_all(session, made.root_key) == 7
    with made.plane.read() as reading:
        [deployment] = reading.state.of_kind("deployment")
    said: Any = deployment.state["lastRootKeyRestoration"]
    assert (said["ancestorDeploymentId"], said["restoredKeys"], said["lostKeys"]) == (before.deployment, 7, 0)
    made.record(set_secret("Database", "third value"))
    assert log_verification.verify(made.database).head.position == made.plane.head().position


def test_the_first_backup_afterwards_begins_a_chain_that_names_its_ancestor_and_is_recovered(
    made: Estate, tmp_path: Path
) -> None:
    ancestor = made.newest
    restore(made)
    made.record(set_secret("Database", "third value"))
    outcome = made.back_up()
    assert (outcome.manifest.sequence, outcome.manifest.segments[0].first) == (1, 1)
    assert outcome.manifest.ancestor is not None
    assert (outcome.manifest.ancestor.deployment, outcome.manifest.ancestor.position) == (ancestor.deployment, 22)
    made.record(user_request(30))
    assert made.back_up().manifest.sequence == 2
    made.verify()
    wish = Wish(deployment=made.deployment, trust_first_use=True)
    with recovered(made.root, tmp_path / "new", wish=wish) as (after, report):
        assert {measure.result for measure in report.measures} == {"equal"}
        assert secrets(after, "Database") == {"first value", "second value", "third value"}
        assert after.back_up().manifest.sequence == 1


def test_values_that_are_newer_than_the_backup_are_listed_and_given_up_only_if_told_to(
    made: Estate, tmp_path: Path
) -> None:
    made.record(set_secret("Late", "value"), set_password(1, "a third long password"), user_request(40))
    before = everything(made)
    with pytest.raises(Refused, match="3 sealed values are newer than backup 3") as refused:
        restore(made)
    for place in ("secrets/Late/versions", user_id(1), user_id(40), "secret-value", "password-hash"):
        assert place in str(refused.value)
    assert everything(made) == before
    assert not (made.folder / "root-key").exists()
    restored = restore(made, accepts_loss=True)
    assert len(restored.lost) == 3
    assert restored.keys == 6
    made.record(set_secret("Late", "again"))
    assert secrets(made, "Late") == {f"was destroyed at position {restored.head.position}", "again"}
    log_verification.verify(made.database)
    made.back_up()
    made.verify()


def test_what_was_destroyed_since_the_backup_stays_destroyed(simple: Estate) -> None:
    simple.record(request("DeleteUser", objectId=user_id(1)))
    with simple.database.read() as session:
        destroyed = {key.key_id for key in keyring.changed_between(session, 0, 2**62) if not key.is_live}
    restore(simple)
    with simple.database.read() as session:
        for key_id in destroyed:
            row = keyring.find(session, key_id)
            assert row is not None
            assert (row.is_live, row.wrapped) == (False, b"")


def test_another_process_that_still_holds_the_old_root_key_is_refused(simple: Estate) -> None:
    other = ControlPlane(simple.database, ROOT_KEY, cost=TEST_COST)
    restore(simple)
    with pytest.raises(WrongKey, match="the root key was changed"):
        other.execute(user_request(50), ACTOR)


def unchanged(made: Estate, error: type[ResurgamError], match: str, **wish: object) -> None:
    before = everything(made)
    with pytest.raises(error, match=match):
        restore(made, **wish)  # type: ignore[arg-type]
    assert everything(made) == before


def test_a_root_key_that_is_not_lost_is_not_replaced(simple: Estate) -> None:
    with simple.database.write() as session:
        memory.rewrap(session, ROOT_KEY, FileRootKey.create(simple.folder / "root-key"))
    unchanged(simple, Refused, "opens the store: nothing is to be restored")


def test_a_key_file_of_an_interrupted_restoration_is_taken(simple: Estate) -> None:
    created = FileRootKey.create(simple.folder / "root-key")
    assert restore(simple).root_key.id == created.id


def test_a_backup_of_another_deployment_or_none_is_refused(simple: Estate, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with estate(tmp_path / "other") as other:
        lived_in(other)
        unchanged(simple, NotFound, "holds no backup of deployment", root=other.root)


def test_a_chain_that_somebody_signed_anew_is_refused(simple: Estate) -> None:
    re_sign(simple.root, simple.deployment, stranger(simple.deployment))
    unchanged(simple, Corrupt, "is signed by another signer than this deployment's")


def test_a_repository_that_went_backwards_is_refused(simple: Estate) -> None:
    simple.objects("manifests")[-1].unlink()
    unchanged(simple, Refused, "went backwards")


def test_a_store_whose_records_are_not_those_of_the_backup_is_refused(simple: Estate) -> None:
    with simple.database.write() as session:
        session.execute("UPDATE events SET record = ? WHERE position = 20", (records_of(simple.database)[20],))
        local_fact.delete(session, local_fact.with_prefix(session, memory.LAST_MANIFEST))
    unchanged(simple, Corrupt, "the log no longer agrees with its own backup", first_use=True)


def test_an_identity_that_opens_nothing_is_refused(simple: Estate) -> None:
    unchanged(simple, WrongKey, "is encrypted to", identity=OTHER_IDENTITY)


def test_without_a_memory_of_the_signer_somebody_has_to_vouch_for_it(simple: Estate) -> None:
    verifier = simple.newest.signer()
    with simple.database.write() as session:
        local_fact.delete(session, local_fact.with_prefix(session, memory.LAST_MANIFEST))
    unchanged(simple, Corrupt, "nothing proves the signer")
    unchanged(simple, Corrupt, "that was named", named=stranger(simple.deployment).verifier)
    assert restore(simple, named=verifier).source.trust == "Named"


def test_an_altered_value_is_found_before_anything_changes(simple: Estate) -> None:
    with simple.database.write() as session:
        [(position, state)] = session.execute(
            "SELECT valid_from, state FROM versions WHERE kind = 'secret-version' ORDER BY valid_from LIMIT 1"
        )
        changed = bytes(state).replace(b'"ciphertext":"', b'"ciphertext":"A')
        session.execute("UPDATE versions SET state = ? WHERE valid_from = ?", (changed, position))
    unchanged(simple, Corrupt, f"sealed value of {VAULT}/secrets/Database")


def test_an_interruption_leaves_the_store_as_it_was(simple: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(simple)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(successor, "record", crash)
        with pytest.raises(KeyboardInterrupt):
            restore(simple)
    assert everything(simple) == before
    assert restore(simple).lost == []


def test_a_store_that_became_another_one_meanwhile_is_refused(simple: Estate) -> None:
    repository = Repository.open(DirectoryStore(simple.root))
    source = root_key_restoration.find(simple.database, repository, [IDENTITY])
    restore(simple)
    with pytest.raises(Refused, match="became another deployment meanwhile"):
        root_key_restoration.restore(simple.database, simple.folder / "third", source, ACTOR)
    assert HeldRootKey(bytes(32)).id != simple.root_key.id
