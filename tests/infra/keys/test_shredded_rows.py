"""Shredded rows: once a key is destroyed, the files of a SQLite store hold nothing of it, wrapped as it was."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.control_plane import store
from infra.database.url import open_database
from infra.keys import keyring
from infra.keys.keyring import WrappedKey
from infra.keys.sealing import DataKey
from tests.backup_estate import VAULT, Estate, estate, lived_in, set_password, set_secret
from tests.infra.control_plane.installation import ROOT_KEY, request, user_request

PIECES = (slice(0, 20), slice(20, 40), slice(40, 60))
"""What remains of a wrapped key is seldom all of it."""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path) as one:
        yield lived_in(one)


def rows(made: Estate) -> dict[str, bytes]:
    with made.database.read() as session:
        return {key.key_id: key.wrapped for key in keyring.changed_between(session, 0, 2**62) if key.is_live}


def remains(folder: Path, wrapped: bytes) -> list[str]:
    """The files of the store in which a piece of the wrapped key is found."""
    files = [path for path in folder.iterdir() if path.name.startswith("store.db")]
    assert {path.name for path in files} >= {"store.db", "store.db-wal"}
    return [path.name for path in files if any(wrapped[piece] in path.read_bytes() for piece in PIECES)]


def destroyed_by(made: Estate, *requests: object) -> list[bytes]:
    before = rows(made)
    made.record(*requests)  # type: ignore[arg-type]
    after = rows(made)
    return [wrapped for key_id, wrapped in before.items() if key_id not in after]


def test_a_purged_secret_leaves_no_wrapped_key_in_the_files(made: Estate) -> None:
    assert all(remains(made.folder, wrapped) for wrapped in rows(made).values()), "what lives is found"
    secret = f"{VAULT}/secrets/Database"
    made.record(request("DeleteSecret", id=secret))
    destroyed = destroyed_by(made, request("PurgeSecret", id=secret))
    assert len(destroyed) == 2
    assert [remains(made.folder, wrapped) for wrapped in destroyed] == [[], []]


def test_what_a_reader_still_sees_is_erased_after_the_next_commit(made: Estate) -> None:
    with made.database.read():
        [wrapped] = destroyed_by(made, set_password(1, "a third long password"))
        made.record(user_request(20))
        assert remains(made.folder, wrapped), "a reader sees what was before, so the log cannot go"
    made.record(user_request(21))
    assert remains(made.folder, wrapped) == []


def test_the_next_backup_erases_what_another_process_could_not(made: Estate) -> None:
    with made.database.read():
        [wrapped] = destroyed_by(made, set_password(1, "a third long password"))
    assert remains(made.folder, wrapped)
    made.back_up()
    assert remains(made.folder, wrapped) == []


def test_a_store_that_is_closed_meanwhile_erases_nothing_and_raises_nothing(made: Estate) -> None:
    made.record(set_secret("Database", "third value"))
    made.database.close()
    assert not made.database.erase_remains()


def test_pages_that_were_split_merged_and_moved_keep_no_destroyed_key(tmp_path: Path) -> None:
    drawn, database = random.Random(5), open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    store.ensure_empty(database)
    live: dict[str, bytes] = {}
    destroyed: list[bytes] = []
    for position in range(1, 150):
        new: list[WrappedKey] = [
            keyring.wrap(DataKey(drawn.randbytes(16).hex(), drawn.randbytes(32)), ROOT_KEY, position)
            for _ in range(drawn.randrange(20))
        ]
        live.update((key.key_id, key.wrapped) for key in new)
        victims = drawn.sample(sorted(live), min(len(live), drawn.randrange(15)))
        with database.write() as session:
            session.apply([keyring.insertion(new)])
        with database.write() as session:
            session.apply([keyring.shredding([(key_id, position) for key_id in victims])])
        destroyed += [live.pop(key_id) for key_id in victims]
    assert database.erase_remains()
    data = (tmp_path / "store.db").read_bytes()
    assert len(destroyed) > 500
    assert all(wrapped in data for wrapped in live.values())
    assert not [wrapped for wrapped in destroyed if any(wrapped[piece] in data for piece in PIECES)]
    database.close()
