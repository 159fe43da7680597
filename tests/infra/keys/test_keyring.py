"""The keyring: a live key opens its value, a shredded, lost or foreign one never does, and each says why."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import Conflict, Corrupt, NotFound, WrongKey
from domain.sealed_value import SealedValue
from infra.database.session import Database
from infra.database.url import open_database
from infra.keys import keyring
from infra.keys.keyring import LIVE, WrappedKey
from infra.keys.root_key import HeldRootKey
from infra.keys.sealing import seal

ROOT_KEY = HeldRootKey(bytes(range(32)))
OTHER_ROOT_KEY = HeldRootKey(bytes(32))
RESOURCE = "/secrets/1"
PURPOSE = "secret-value"


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """A keyring on each engine in turn."""
    opened = open_database(store_url, create=True)
    with opened.write() as session:
        keyring.create(session)
    yield opened
    opened.close()


def sealed_value(database: Database, position: int = 5) -> SealedValue:
    """Seal a value, whose key was added at the position."""
    sealed, key = seal(b"canary", purpose=PURPOSE, resource=RESOURCE, version="1")
    with database.write() as session:
        keyring.insert(session, [keyring.wrap(key, ROOT_KEY, position)])
    return sealed


def opened(
    database: Database,
    sealed: SealedValue,
    root_key: HeldRootKey = ROOT_KEY,
    *,
    purpose: str = PURPOSE,
    resource: str = RESOURCE,
) -> bytes:
    with database.read() as session:
        return keyring.open_sealed(session, root_key, sealed, purpose=purpose, resource=resource)


def test_a_live_key_opens_its_value(database: Database) -> None:
    sealed = sealed_value(database)
    assert opened(database, sealed) == b"canary"
    assert opened(database, sealed, resource=RESOURCE.upper()) == b"canary"
    with database.read() as session:
        row = keyring.find(session, sealed["keyId"])
    assert row is not None
    assert (row.root_key_id, row.added_at, row.shredded_at, row.is_live) == (ROOT_KEY.id, 5, LIVE, True)


def test_a_shredded_key_is_gone_and_says_since_when(database: Database) -> None:
    sealed, other = sealed_value(database), sealed_value(database)
    with database.write() as session:
        session.apply([keyring.shredding([(sealed["keyId"], 9)])])
    with pytest.raises(NotFound, match=f"{RESOURCE} was destroyed at position 9"):
        opened(database, sealed)
    assert opened(database, other) == b"canary"
    with database.read() as session:
        row = keyring.find(session, sealed["keyId"])
    assert row is not None
    assert (row.wrapped, row.added_at, row.shredded_at, row.is_live) == (b"", 5, 9, False)


def test_a_lost_key_is_corrupt_and_names_the_resource(database: Database) -> None:
    sealed = sealed_value(database)
    with database.write() as session:
        session.execute("DELETE FROM keyring")
    with pytest.raises(Corrupt, match=RESOURCE):
        opened(database, sealed)


def test_another_root_key_is_the_wrong_one(database: Database) -> None:
    with pytest.raises(WrongKey):
        opened(database, sealed_value(database), OTHER_ROOT_KEY)


def test_a_wrapped_key_in_the_place_of_another_is_refused(database: Database) -> None:
    first, second = sealed_value(database), sealed_value(database)
    with database.write() as session:
        session.execute(
            "UPDATE keyring SET wrapped = (SELECT wrapped FROM keyring WHERE key_id = ?) WHERE key_id = ?",
            (second["keyId"], first["keyId"]),
        )
    with pytest.raises(WrongKey):
        opened(database, first)


def test_a_value_opens_for_its_purpose_and_resource_alone(database: Database) -> None:
    with pytest.raises(Corrupt):
        opened(database, sealed_value(database), purpose="password-hash")
    with pytest.raises(Corrupt):
        opened(database, sealed_value(database), resource="/secrets/2")


def test_a_key_id_that_is_taken_is_a_conflict(database: Database) -> None:
    row = WrappedKey("key-1", ROOT_KEY.id, b"wrapped", 1)
    with database.write() as session:
        keyring.insert(session, [row])
    with pytest.raises(Conflict), database.write() as session:
        keyring.insert(session, [row])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=8),
    after=st.integers(0, 10),
    until=st.integers(0, 10),
)
def test_a_range_of_positions_yields_what_was_added_or_shredded_in_it(
    database: Database, rows: list[tuple[int, int]], after: int, until: int
) -> None:
    keys = [WrappedKey(f"key-{at}", ROOT_KEY.id, b"w", added, shredded) for at, (added, shredded) in enumerate(rows)]
    with database.write() as session:
        session.execute("DELETE FROM keyring")
        keyring.insert(session, keys)
    with database.read() as session:
        found = list(keyring.changed_between(session, after, until))
        assert keyring.count_changed(session, after, until) == len(found)
    assert found == [key for key in keys if after < key.added_at <= until or after < key.shredded_at <= until]
