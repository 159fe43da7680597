"""Divergence: where a log and its own backup part is named as exactly as can be, and what only one of them has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.backup import divergence
from infra.backup.divergence import Diverged, Divergence
from infra.backup.repository import Repository, Stored
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.log import event_table, head
from infra.log.merkle import Frontier, leaf_hash
from tests.backup_estate import Estate, estate, lived_in
from tests.infra.control_plane.installation import ROOT_KEY, user_request
from tests.store_copy import copied


@pytest.fixture(params=["sqlite", "postgresql"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Estate]:
    """22 records, all backed up in three manifests."""
    url: str | None = None if request.param == "sqlite" else request.getfixturevalue("fresh_postgres_url")
    with estate(tmp_path, url) as one:
        yield lived_in(one)


def url_of(made: Estate, request: pytest.FixtureRequest) -> str:
    if made.database.engine == "sqlite":
        return f"sqlite:///{made.folder}/store.db"
    url: str = request.getfixturevalue("fresh_postgres_url")
    return url


@pytest.fixture
def set_back(made: Estate, request: pytest.FixtureRequest) -> Iterator[Estate]:
    """A copy of the store when it had 22 records, all of them backed up."""
    with copied(url_of(made, request), made.folder) as url:
        database = open_database(url)
        yield Estate(made.folder, database, ControlPlane(database, ROOT_KEY, cost=TEST_COST))
        database.close()


def newest(made: Estate) -> Stored:
    stored = made.repository.newest(made.deployment)
    assert stored is not None
    return stored


def parted(made: Estate) -> Divergence:
    with pytest.raises(Diverged) as refusal:
        made.back_up()
    found = refusal.value.found
    assert str(refusal.value).splitlines()[1:] == found.lines()
    return found


def edit(made: Estate, position: int, old: bytes, new: bytes, *, hides_it: bool = False) -> None:
    """Change a record in the table; if that `hides_it`, give the head the root of what is there now."""
    with made.database.write() as session:
        [(record,)] = session.execute("SELECT record FROM events WHERE position = ?", (position,))
        assert old in record
        session.execute("UPDATE events SET record = ? WHERE position = ?", (record.replace(old, new), position))
        if hides_it:
            frontier = Frontier()
            frontier.extend(leaf_hash(one) for one in event_table.records(session))
            session.execute("UPDATE log_head SET frontier = ?", (frontier.to_bytes(),))


def test_a_store_that_was_only_set_back_parts_at_its_end(made: Estate, set_back: Estate) -> None:
    made.record(user_request(10), user_request(11))
    made.back_up()
    found = parted(set_back)
    assert (found.agreed, found.is_exact, found.only_backup, found.only_log) == (22, True, range(23, 25), range(23, 23))
    text = "\n".join(found.lines())
    assert f"up to position 22, recorded at {found.agreed_at}" in text
    assert f"only the backup has positions 23 to 24 (2 records), the last recorded at {made.newest.recorded_at}" in text
    assert "the log has nothing that the backup has not" in text
    assert f"resurgam recover {made.root.as_uri()} --identity FILE --deployment {made.deployment} --verifier" in text
    assert f"resurgam fork --repository {made.root.as_uri()}" in text


def test_a_store_that_went_another_way_is_told_what_each_has(made: Estate, set_back: Estate) -> None:
    made.record(user_request(10))
    made.back_up()
    set_back.record(user_request(11), user_request(12))
    found = parted(set_back)
    assert (found.agreed, found.is_exact, found.only_backup, found.only_log) == (22, True, range(23, 24), range(23, 25))
    text = "\n".join(found.lines())
    assert "only the backup has position 23 (1 record)" in text
    assert "only the log has positions 23 to 24 (2 records)" in text
    assert "(`resurgam log export`) is then sent again" in text


def test_between_two_backups_nobody_can_tell_and_that_is_said(made: Estate, request: pytest.FixtureRequest) -> None:
    made.record(user_request(10))
    with copied(url_of(made, request), made.folder) as url:
        made.record(user_request(11))
        made.back_up()
        database = open_database(url)
        older = Estate(made.folder, database, ControlPlane(database, ROOT_KEY, cost=TEST_COST))
        older.record(user_request(12), user_request(13))
        found = parted(older)
        database.close()
    assert (found.agreed, found.differs, found.is_exact) == (22, 24, False)
    assert "up to position 22, recorded at" in found.lines()[0]
    assert found.lines()[0].endswith("at least; at position 24 they no longer do")
    assert "only the backup has positions 23 to 24 (2 records at most)" in found.lines()[1]


def test_an_edited_record_is_found_by_the_file_key_of_its_segment(made: Estate) -> None:
    made.record(user_request(10), user_request(11), user_request(12))
    made.back_up()
    edit(made, 24, b"User 11", b"User l1", hides_it=True)
    found = parted(made)
    assert (found.agreed, found.differs, found.is_exact, found.is_sound) == (23, 24, True, True)
    assert found.record is not None
    assert found.record.event["resource"].endswith("000000000011")
    said = "only the backup has positions 24 to 25 (2 records), the last recorded at"
    assert said in found.lines()[1]
    assert "; the first is user.created of /" in found.lines()[1]


def test_a_log_that_is_damaged_itself_has_one_way_out(made: Estate) -> None:
    edit(made, 22, b"deleted", b"Deleted")
    with made.database.read() as session:
        at = head.read_open(session)
        found = divergence.find(session, at, made.repository, newest(made), ROOT_KEY)
    assert found is not None
    assert (found.agreed, found.is_sound) == (21, False)
    assert "the log itself is damaged" in "\n".join(found.lines())
    assert "resurgam fork" not in "\n".join(found.lines())


def test_a_log_that_holds_all_that_was_backed_up_does_not_part(made: Estate) -> None:
    made.record(user_request(10))
    with made.database.read() as session:
        assert divergence.find(session, head.read_open(session), made.repository, newest(made), ROOT_KEY) is None


@pytest.mark.parametrize(
    ("has_keys", "said"),
    [(True, "they have not even the first record in common"), (False, "they part before position")],
)
def test_a_log_with_another_beginning_has_nothing_in_common(made: Estate, has_keys: bool, said: str) -> None:
    edit(made, 1, b"deployment.created", b"deployment.Created", hides_it=True)
    if not has_keys:
        with made.database.write() as session:
            session.execute("DELETE FROM local_facts WHERE name LIKE 'segment-key/%'")
    found = parted(made)
    assert (found.agreed, found.agreed_at, found.is_exact) == (0, "", has_keys)
    assert found.lines()[0].startswith(said)


class Counting(DirectoryStore):
    """A directory that counts the manifests that are read."""

    read = 0

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        self.read += "/manifests/" in name
        return super().get(name, start=start, length=length)


def test_of_many_manifests_few_are_read_and_damaged_ones_are_passed_over(made: Estate, set_back: Estate) -> None:
    for number in range(10, 42):
        made.record(user_request(number))
        made.back_up()
    for number in range(10, 20):
        set_back.record(user_request(number, displayName="Another"))
    made.objects("manifests")[3].write_bytes(b"damaged")
    made.objects("manifests")[16].write_bytes(b"damaged")
    store = Counting(made.root)
    with set_back.database.read() as session:
        at = head.read_open(session)
        found = divergence.find(session, at, Repository.open(store), newest(made), ROOT_KEY)
    assert found is not None
    assert (found.agreed, found.is_exact) == (22, False)
    assert found.differs == 24, "manifest 4, of position 23, is damaged"
    assert store.read <= 10


def test_a_segment_that_cannot_be_read_costs_only_exactness(made: Estate) -> None:
    made.record(user_request(10), user_request(11), user_request(12))
    made.back_up()
    edit(made, 24, b"User 11", b"User l1", hides_it=True)
    for path in made.objects("segments"):
        path.write_bytes(b"damaged")
    found = parted(made)
    assert (found.agreed, found.differs, found.record) == (22, 25, None)
