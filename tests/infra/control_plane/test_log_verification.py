"""Log verification finds every kind of change behind the writer's back."""

from collections.abc import Callable, Iterator

import pytest

from domain.errors import Corrupt
from infra.control_plane import log_verification
from infra.database.session import Database
from infra.database.url import open_database
from tests.infra.control_plane.installation import ACTOR, installed_plane, request, user_id, user_request

CHANGES = {
    "a changed record": (
        "UPDATE events SET record = CAST(replace(CAST(record AS TEXT), 'User 1', 'User X') AS BLOB) WHERE position = 9"
    ),
    "a changed column beside a record": "UPDATE events SET topic = 'user.changed' WHERE position = 9",
    "a lost command id": "UPDATE events SET command_id = NULL WHERE position = 9",
    "a record as text": "UPDATE events SET record = CAST(record AS TEXT) WHERE position = 9",
    "a state as text": "UPDATE versions SET state = CAST(state AS TEXT) WHERE valid_from = 9",
    "a missing record": "DELETE FROM events WHERE position = 9",
    "a missing last record": "DELETE FROM events WHERE position = 12",
    "a changed state": (
        "UPDATE versions SET state = CAST(replace(CAST(state AS TEXT), 'User 1', 'User "
        "X') AS BLOB) WHERE valid_from = 9"
    ),
    "a changed kind": "UPDATE versions SET kind = 'group' WHERE valid_from = 9",
    "a missing version": "DELETE FROM versions WHERE valid_from = 9",
    "a version too many": (
        "INSERT INTO versions SELECT resource, 9, kind, 99, valid_to, state FROM versions WHERE valid_from = 9"
    ),
    "an old version that never ended": "UPDATE versions SET valid_to = 9223372036854775807 WHERE valid_to = 11",
    "a current version that ended": "UPDATE versions SET valid_to = 12 WHERE valid_from = 10",
    "a missing link": "DELETE FROM links WHERE valid_from = 9",
    "a link too many": "INSERT INTO links VALUES ('/a', 'member', '/b', 9, 9223372036854775807)",
    "a link to another": "UPDATE links SET target = '/b' WHERE valid_from = 10",
    "a link that never ended": "UPDATE links SET valid_to = 9223372036854775807 WHERE valid_to = 12",
    "a head that is ahead": "UPDATE log_head SET recorded_at = recorded_at + 1",
    "another digest": (
        "UPDATE log_head SET digest = (SELECT CAST(substr(digest, 2) || substr(digest, 1, 1) AS BLOB) FROM log_head)"
    ),
    "a lost key": "DELETE FROM keyring WHERE added_at = 10",
    "a shredded key": "UPDATE keyring SET shredded_at = 12 WHERE added_at = 10",
    "a key that outlived its value": "UPDATE keyring SET shredded_at = 0 WHERE added_at = 9",
}


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """A deployment with two users, of whom the first was changed and deleted, at positions 8 to 12."""
    opened = open_database(sqlite_url, create=True)
    plane = installed_plane(opened)
    plane.execute(request("CreateGroup", objectId="group-1", displayName="Group 1"), ACTOR)
    plane.execute(user_request(1), ACTOR)
    plane.execute(user_request(2), ACTOR)
    plane.execute(request("DisableUser", objectId=user_id(1)), ACTOR)
    plane.execute(request("DeleteUser", objectId=user_id(1)), ACTOR)
    yield opened
    opened.close()


def test_an_untouched_store_agrees(database: Database) -> None:
    seen: list[tuple[str, int, int]] = []
    verified = log_verification.verify(database, lambda *step: seen.append(step))
    assert seen == [("verifying records", 12, 12)]
    assert (verified.head.position, verified.versions, verified.sealed_values) == (12, 12, 2)


@pytest.mark.parametrize("sql", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_behind_the_writers_back_is_found(database: Database, sql: str) -> None:
    with database.write() as session:
        session.execute(sql)
        changed = session.changed
    if changed == 0:
        pytest.fail("the change changed nothing, so nothing was tested")
    with pytest.raises(Corrupt):
        log_verification.verify(database)


def test_the_records_alone_give_the_root_of_the_head(database: Database) -> None:
    seen: list[tuple[str, int, int]] = []
    assert log_verification.verify_records(database, lambda *step: seen.append(step)).position == 12
    assert seen == [("verifying records", 12, 12)]


RECORD_CHANGES = {
    "a changed record": CHANGES["a changed record"],
    "a missing record": CHANGES["a missing record"],
    "a missing last record": CHANGES["a missing last record"],
    "a record too many": (
        "INSERT INTO events SELECT 13, originator_id, 99, topic, recorded_at, NULL, record FROM events "
        "WHERE position = 9"
    ),
    "two records in each other's place": (
        "UPDATE events SET record = (SELECT record FROM events AS other WHERE other.position = 13 - events.position) "
        "WHERE position IN (6, 7)"
    ),
    "a head that is behind": "UPDATE log_head SET frontier = frontier, position = 11",
    "a record as text": CHANGES["a record as text"],
}


@pytest.mark.parametrize("sql", RECORD_CHANGES.values(), ids=RECORD_CHANGES.keys())
def test_a_change_of_the_records_is_found_in_their_bytes_alone(database: Database, sql: str) -> None:
    with database.write() as session:
        session.execute(sql)
        assert session.changed
    with pytest.raises(Corrupt):
        log_verification.verify_records(database)


@pytest.mark.parametrize("verify", [log_verification.verify, log_verification.verify_records])
def test_a_record_that_is_not_stored_as_bytes_is_named(
    database: Database, verify: Callable[[Database], object]
) -> None:
    with database.write() as session:
        session.execute(CHANGES["a record as text"])
    with pytest.raises(Corrupt, match="position 9: the record is not stored as bytes"):
        verify(database)
