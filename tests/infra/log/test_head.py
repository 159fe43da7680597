"""The head: what it says is read back, and a store that this program may not use is refused by name."""

from collections.abc import Iterator

import pytest

from domain.errors import Corrupt, Refused, Unavailable
from domain.release import RELEASE
from infra.control_plane import store
from infra.database.session import Database
from infra.database.url import open_database
from infra.log import head
from infra.log.head import EMPTY, LOADING, NEW, OPEN, Head
from infra.log.merkle import Frontier, leaf_hash
from projections.digest import Digest
from tests.infra.log.stores import change_head

FRONTIER = Frontier()
FRONTIER.extend(leaf_hash(b"%d" % number) for number in range(5))
FULL = Head(
    deployment="deployment-1",
    epoch="epoch-2",
    parent_epoch="epoch-1",
    position=5,
    recorded_at=1_795_363_445_123_456,
    frontier=FRONTIER,
    digest=Digest(2**256 - 1, 7),
    mode=OPEN,
)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """A store on each engine in turn, without anything in it."""
    opened = open_database(store_url, create=True)
    with opened.write() as session:
        store.create(session)
    yield opened
    opened.close()


def read(database: Database, *, lock: bool = False) -> Head:
    with database.write() if lock else database.read() as session:
        return head.read_open(session, lock=lock)


def test_a_new_store_is_empty(database: Database) -> None:
    with database.read() as session:
        assert head.read(session) == NEW


def test_the_head_is_read_back_as_it_was_written(database: Database) -> None:
    with database.write() as session:
        head.write(session, FULL)
    assert read(database) == read(database, lock=True) == FULL
    assert FULL.instant == "2026-11-22T16:04:05.123456Z"
    assert FULL.root == FRONTIER.root()


def test_a_head_grows_apart_from_the_one_before() -> None:
    grown = FULL.grown([leaf_hash(b"5"), leaf_hash(b"6")], FULL.recorded_at + 1, Digest(1, 2))
    assert (grown.position, FULL.position, FRONTIER.size) == (7, 5, 5)
    assert grown.frontier.size == 7


@pytest.mark.parametrize("lock", [False, True], ids=["on reading", "on appending"])
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"release": "0.9"}, f"release 0.9, this is {RELEASE}"),
        ({"release": "9.0", "store_format": 7}, "release 9.0"),
        ({"store_format": 7}, "format 7"),
        ({"fold_generation": 8}, "fold generation 8"),
        ({"mode": EMPTY}, "resurgam init"),
        ({"mode": LOADING + "plan"}, "a recovery is filling"),
        ({"mode": "shut"}, "a recovery is filling"),
    ],
    ids=str,
)
def test_a_store_that_this_program_may_not_use_is_refused_by_name(
    database: Database, fields: dict[str, object], named: str, lock: bool
) -> None:
    change_head(database, **{"mode": OPEN, **fields})
    with pytest.raises(Refused, match=named):
        read(database, lock=lock)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE log_head SET position = position + 1",
        "UPDATE log_head SET frontier = digest",
        "UPDATE log_head SET digest = frontier",
        "DELETE FROM log_head",
    ],
)
def test_a_damaged_head_is_corrupt(database: Database, damage: str) -> None:
    with database.write() as session:
        head.write(session, FULL)
        session.execute(damage)
    with pytest.raises(Corrupt):
        read(database)


def test_a_database_without_a_store_is_unavailable(store_url: str) -> None:
    database = open_database(store_url, create=True)
    with pytest.raises(Unavailable, match="resurgam init"):
        read(database)
    database.close()


def test_a_store_that_a_recovery_fills_names_its_plan() -> None:
    assert head.describe(LOADING + "plan-1") == "being filled by recovery plan plan-1"
    assert head.describe(EMPTY) == "empty"
