"""Rotation of the root key: all is wrapped anew or nothing, whatever breaks, and nobody goes on with the old one."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Refused, ResurgamError, WrongKey
from infra.backup import memory
from infra.cli import key_rotation, settings, storage
from infra.control_plane import root_key_rotation
from infra.control_plane.plane import ControlPlane
from infra.database.sqlite import SqliteSession
from infra.keys import keyring
from infra.keys.root_key import FileRootKey, HeldRootKey
from infra.keys.root_key_change import RootKeyChange
from infra.log import local_fact, wrapping
from tests.backup_estate import IDENTITY, Estate, estate, lived_in, recovered, set_password, set_secret
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, user_request

NEW = HeldRootKey(bytes(range(1, 33)))


@pytest.fixture
def made(tmp_path: Path, store_url: str) -> Iterator[Estate]:
    with estate(tmp_path, store_url) as one:
        yield lived_in(one)


def wrapped(made: Estate) -> dict[str, bytes]:
    """Everything in the store that a root key wraps."""
    with made.database.read() as session:
        keys = {key.key_id: key.wrapped for key in keyring.changed_between(session, 0, 2**62) if key.is_live}
        facts = local_fact.with_prefix(session, "s")
    assert {name.split("/")[0] for name in facts} == {"signer", "segment-key"}, "what else is wrapped?"
    return keys | facts


def test_everything_is_wrapped_by_the_new_root_key_and_nothing_by_the_old_one(made: Estate) -> None:
    before = wrapped(made)
    rotated = root_key_rotation.rotate(made.database, ROOT_KEY, NEW)
    after = wrapped(made)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert rotated.keys == 7
    with made.database.read() as session:
        assert keyring.check_all(session, NEW) == 7
        memory.check_all(session, NEW)
        assert wrapping.read(session) == wrapping.Wrapping(NEW.id, rotated.since)
        with pytest.raises(WrongKey):
            keyring.check_all(session, ROOT_KEY)
        with pytest.raises(WrongKey):
            memory.check_all(session, ROOT_KEY)


def test_the_deployment_goes_on_with_its_chain_and_is_recovered(made: Estate, tmp_path: Path) -> None:
    root_key_rotation.rotate(made.database, ROOT_KEY, NEW)
    made.root_key = NEW
    made.plane = ControlPlane(made.database, NEW)
    made.record(set_secret("Database", "third value"), set_password(1, "a third long password"))
    assert made.back_up().manifest.sequence == 4
    made.verify()
    with recovered(made.root, tmp_path / "new") as (_, report):
        assert {measure.result for measure in report.measures} == {"equal"}


def test_whoever_holds_the_old_root_key_is_refused_by_name_and_writes_nothing(made: Estate) -> None:
    root_key_rotation.rotate(made.database, ROOT_KEY, NEW)
    before, head = wrapped(made), made.plane.head()
    for attempt in (
        lambda: made.record(set_secret("Other", "value")),
        lambda: made.record(user_request(20)),
        made.back_up,
        lambda: root_key_rotation.rotate(made.database, ROOT_KEY, HeldRootKey(bytes(32))),
    ):
        with pytest.raises(WrongKey, match=f"{ROOT_KEY.id}|root key"):
            attempt()
    assert (wrapped(made), made.plane.head()) == (before, head)


def test_a_writer_that_was_about_to_commit_is_refused_for_each_of_its_commands(made: Estate) -> None:
    made.record(user_request(19))  # the writer knows the store, and has no need to read it again
    root_key_rotation.rotate(made.database, ROOT_KEY, NEW)
    answers = made.plane.execute_all([user_request(20), user_request(21)], ACTOR)
    assert [type(answer) for answer in answers] == [WrongKey, WrongKey]
    assert f"this process holds {ROOT_KEY.id}, the store is wrapped by {NEW.id}" in str(answers[0])


def test_a_run_that_began_before_keeps_no_file_key_under_the_old_root_key(
    made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "put_segment_key", lambda *given: pytest.fail("it was not refused"))
    made.record(user_request(20))
    monkeypatch.setattr(
        "infra.backup.draft.Draft.put_keyring",
        lambda *_, **__: root_key_rotation.rotate(made.database, ROOT_KEY, NEW).keys,
    )
    with pytest.raises(WrongKey, match="the root key was changed"):
        made.back_up()


def test_a_key_that_does_not_open_stops_the_rotation_and_nothing_changes(made: Estate) -> None:
    with made.database.write() as session:
        [(key_id,)] = session.execute("SELECT max(key_id) FROM keyring WHERE shredded_at = 0")
        session.execute("UPDATE keyring SET wrapped = ? WHERE key_id = ?", (bytes(60), key_id))
    before = wrapped(made)
    with pytest.raises(WrongKey, match=key_id):
        root_key_rotation.rotate(made.database, ROOT_KEY, NEW)
    assert wrapped(made) == before


class Crash(BaseException):
    """The machine stops here."""


class Crashing:
    """Counts the calls by which a rotation changes anything, and stops at one of them, before or after it."""

    CALLS = ("link", "replace", "fsync", "unlink", "open")

    def __init__(self, patch: pytest.MonkeyPatch, at: int) -> None:
        self.count = 0
        self._at = at
        for name in self.CALLS:
            patch.setattr(os, name, self._counted(getattr(os, name)))
        patch.setattr(SqliteSession, "commit", self._counted(SqliteSession.commit))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self._step()
            answer = real(*arguments, **options)
            self._step()
            return answer

        return call

    def _step(self) -> None:
        self.count += 1
        if self.count == self._at:
            raise Crash


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and its root key's file."""
    folder = tmp_path_factory.mktemp("region")
    with estate(folder) as made:
        lived_in(made)
        key = FileRootKey.create(folder / "root-key")
        root_key_rotation.rotate(made.database, ROOT_KEY, key)
    return folder


def rotated_in(folder: Path) -> dict[str, Any]:
    chosen = settings.load(store=f"sqlite:///{folder}/store.db", root_key_file=folder / "root-key")
    with storage.opened(chosen) as database:
        return key_rotation.in_place(database, storage.unlock(chosen, database), chosen)


def opened(folder: Path) -> str:
    """The id of the root key that opens the store."""
    chosen = settings.load(store=f"sqlite:///{folder}/store.db", root_key_file=folder / "root-key")
    with storage.unlocked(chosen) as (database, root_key):
        with database.read() as session:
            keyring.check_all(session, root_key)
            memory.check_all(session, root_key)
        ControlPlane(database, root_key).execute(set_secret("Other", "value"), ACTOR)
        return root_key.id


def key_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("root-key"))


def test_a_crash_anywhere_leaves_a_root_key_that_opens_everything_and_the_next_run_finishes(
    prepared: Path, tmp_path: Path
) -> None:
    at, results = 0, set()
    before = opened(prepared)
    while True:
        at += 1
        folder = Path(shutil.copytree(prepared, tmp_path / str(at)))
        with pytest.MonkeyPatch.context() as patch:
            crashing = Crashing(patch, at)
            try:
                rotated_in(folder)
            except Crash:
                is_done = False
            else:
                is_done = True
        if is_done:
            break
        assert crashing.count == at
        interim = opened(folder)
        results.add((interim == before, tuple(name for name in key_files(folder) if not name.endswith(".tmp"))))
        finished = rotated_in(folder)
        assert finished["rootKey"] == opened(folder)
        assert finished["rootKey"] != before
        assert [name for name in key_files(folder) if not name.endswith(".tmp")] == ["root-key"]
        shutil.rmtree(folder)
    assert at > 20
    assert results == {
        (True, ("root-key",)),
        (True, ("root-key", "root-key.new")),
        (False, ("root-key", "root-key.new")),
        (False, ("root-key", "root-key.new", "root-key.old")),
        (False, ("root-key", "root-key.old")),
        (False, ("root-key",)),
    }


def test_the_old_file_is_overwritten_before_it_goes(prepared: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(prepared, tmp_path / "region"))
    secret = (folder / "root-key").read_bytes()
    os.link(folder / "root-key", folder / "seen")
    assert rotated_in(folder)["oldDestroyed"]
    left = (folder / "seen").read_bytes()
    assert len(left) == len(secret)
    assert not [line for line in secret.splitlines() if line in left]
    assert (folder / "root-key").stat().st_mode & 0o777 == 0o600


def test_a_file_of_an_earlier_change_is_destroyed_and_never_taken_for_the_new_key(tmp_path: Path) -> None:
    path = tmp_path / "root-key"
    FileRootKey.create(path)
    earlier = FileRootKey.create(tmp_path / "root-key.old")
    change = RootKeyChange(path)
    new = change.prepare()
    assert change.prepare().id == new.id, "two who prepare have the same key"
    assert change.finish()
    assert FileRootKey.load(path).id == new.id != earlier.id
    assert key_files(tmp_path) == ["root-key"]
    assert not change.finish()


def test_a_folder_that_cannot_be_written_stops_the_rotation_before_anything_changes(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(prepared, tmp_path / "region"))
    before = opened(folder)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(Refused, match="cannot be changed: Permission denied"):
        rotated_in(folder)
    monkeypatch.undo()
    assert opened(folder) == before


def test_what_was_recorded_and_backed_up_survives_monthly_rotations(made: Estate) -> None:
    old = ROOT_KEY
    for month in range(3):
        new = HeldRootKey(bytes([month + 1]) * 32)
        root_key_rotation.rotate(made.database, old, new)
        made.root_key = old = new
        made.plane = ControlPlane(made.database, new)
        made.record(set_secret("Database", f"value of month {month}"))
        made.back_up()
    assert made.verify(IDENTITY).keys == 10


def test_an_error_leaves_the_old_root_key_where_it_is(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(prepared, tmp_path / "region"))
    before = (folder / "root-key").read_bytes()

    def fail(*_: object) -> int:
        raise WrongKey("it does not open")

    monkeypatch.setattr(keyring, "check_all", fail)
    with pytest.raises(ResurgamError):
        rotated_in(folder)
    assert (folder / "root-key").read_bytes() == before
