"""Continuation: a log and its backups that no longer agree are found before the next backup covers it up."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Corrupt, Refused
from infra.backup import manifest, memory
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from tests.backup_estate import Estate, estate, lived_in, set_secret
from tests.forgery import re_sign, re_signed, stranger
from tests.infra.control_plane.installation import ROOT_KEY, user_request


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path) as one:
        yield lived_in(one)


def edit(made: Estate, position: int, old: bytes, new: bytes) -> None:
    """Change a record directly in the database's table."""
    with made.database.write() as session:
        [(record,)] = session.execute("SELECT record FROM events WHERE position = ?", (position,))
        assert old in record
        session.execute("UPDATE events SET record = ? WHERE position = ?", (record.replace(old, new), position))


def copy_of_store(made: Estate) -> Path:
    """An older copy of the SQLite file, as a backup tool or a snapshot of the machine makes it."""
    copy = made.folder / "older.db"
    with sqlite3.connect(made.folder / "store.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    return copy


def put_back(made: Estate, copy: Path) -> Estate:
    """The estate whose store is the older copy."""
    database = open_database(f"sqlite:///{copy}")
    return Estate(made.folder, database, ControlPlane(database, ROOT_KEY, cost=TEST_COST))


def test_a_store_that_was_set_back_is_refused_and_the_positions_are_named(made: Estate) -> None:
    copy = copy_of_store(made)
    made.record(user_request(10), user_request(11))
    made.back_up()
    older = put_back(made, copy)
    with pytest.raises(
        Corrupt, match=r"log ends at position 22, its own backup .*4.json at position 24: the store was set back"
    ):
        older.back_up()
    older.database.close()


def test_a_store_that_was_set_back_and_went_another_way_is_refused(made: Estate) -> None:
    copy = copy_of_store(made)
    made.record(user_request(10))
    made.back_up()
    older = put_back(made, copy)
    for number in (11, 12, 13):
        older.record(user_request(number))
        with pytest.raises(Corrupt, match=r"the log no longer agrees with its own backup .* up to position 23"):
            older.back_up()
    older.database.close()


def test_a_store_that_was_set_back_to_what_was_backed_up_goes_on(made: Estate) -> None:
    made.record(user_request(10))
    copy = copy_of_store(made)
    made.back_up()
    older = put_back(made, copy)
    assert older.back_up().is_new is False
    older.record(user_request(11))
    assert older.back_up().records == 1
    assert older.verify().records == 24
    older.database.close()


def test_an_edited_record_that_is_not_backed_up_yet_is_refused(made: Estate) -> None:
    made.record(user_request(10), user_request(11))
    edit(made, 23, b"User 10", b"User 1O")
    with pytest.raises(Corrupt, match="do not have the Merkle root"):
        made.back_up()
    assert made.newest.last == 22


def test_an_edited_record_that_a_forgotten_backup_covers_is_refused(made: Estate) -> None:
    copy = copy_of_store(made)
    made.record(user_request(10))
    made.back_up()
    with made.database.write() as session:  # as after a crash, before the manifest was remembered
        older = put_back(made, copy)
        with older.database.read() as old:
            stored = memory.last_manifest(old, made.repository.id)
        older.database.close()
        assert stored is not None
        session.execute("UPDATE local_facts SET value = ? WHERE name LIKE 'last-manifest/%'", (stored.data,))
    edit(made, 23, b"User 10", b"User 1O")
    with pytest.raises(Corrupt, match="the log no longer agrees with its own backup"):
        made.back_up()


def test_a_head_that_was_forged_is_refused_even_if_nothing_is_new(made: Estate) -> None:
    assert made.back_up().is_new is False
    with made.database.write() as session:
        [(frontier,)] = session.execute("SELECT frontier FROM log_head")
        session.execute("UPDATE log_head SET frontier = ?", (frontier[:-1] + bytes([frontier[-1] ^ 1]),))
    with pytest.raises(Corrupt, match="the log no longer agrees with its own backup"):
        made.back_up()


def test_a_repository_that_was_rolled_back_is_refused(made: Estate) -> None:
    made.objects("manifests")[-1].unlink()
    with pytest.raises(
        Refused, match=r"went backwards: this deployment wrote manifest 3 .*, the newest there is 2"
    ) as refusal:
        made.back_up()
    assert refusal.value.rule == "repository-goes-forward"
    made.record(set_secret("Database", "more"))
    with pytest.raises(Refused, match="went backwards"):
        made.back_up()
    for path in made.objects("manifests"):
        path.unlink()
    with pytest.raises(Refused, match="the newest there is none"):
        made.back_up()


def test_another_manifest_in_the_place_of_the_last_is_refused(made: Estate) -> None:
    with made.database.read() as session:
        signer = memory.get_signer(session, ROOT_KEY)
    re_sign(
        made.root,
        made.deployment,
        signer,
        lambda of: of.model_copy(update={"created_at": "2026-01-01T00:00:00.000000Z"}),
    )
    with pytest.raises(Corrupt, match=r"holds another manifest 3 of .* than this deployment wrote"):
        made.back_up()


def test_a_manifest_of_another_signer_is_refused_and_not_void(made: Estate) -> None:
    signer = stranger(made.deployment)
    forged = re_signed(made.newest.model_copy(update={"sequence": 4, "previous": made.outcomes[-1].sha256}), signer)
    (made.root / forged.name).write_bytes(manifest.sign(forged, signer))
    with pytest.raises(Corrupt, match=r"4.json is signed by another signer than this deployment's"):
        made.back_up()


def test_a_repository_whose_file_was_changed_is_refused_and_nothing_becomes_void(made: Estate) -> None:
    path = made.root / "resurgam-repository.json"
    data = path.read_bytes()
    digit = data.rindex(b'"')
    path.write_bytes(data[: digit - 1] + (b"0" if data[digit - 1 : digit] != b"0" else b"1") + data[digit:])
    with pytest.raises(Corrupt, match=r"belongs to repository .*was changed"):
        made.back_up()


def test_a_repository_whose_file_is_missing_is_refused_and_not_begun_anew(made: Estate) -> None:
    (made.root / "resurgam-repository.json").unlink()
    with pytest.raises(Corrupt, match="is missing: put it back from a copy"):
        made.back_up()
    with pytest.raises(Corrupt, match="is missing"):
        Repository.open(DirectoryStore(made.root))


def test_a_repository_that_was_emptied_is_begun_anew_as_another_one(made: Estate) -> None:
    shutil.rmtree(made.root)
    outcome = made.back_up()
    assert (outcome.records, outcome.manifest.sequence) == (22, 1)
