"""Rebuilding: records give the same rows and digest again, in whichever pages they are written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import Corrupt, Refused
from infra.backup import keyring_file, lines_file, rebuild, segment
from infra.backup.comparison import compare
from infra.backup.keyring_file import Contents
from infra.backup.rebuild import Limit, Rebuilt
from infra.backup.segment import Damaged, OpenerOf
from infra.canonical_json import decode, encode
from infra.control_plane import store
from infra.database.session import Database
from infra.database.url import open_database
from infra.log.record import Recorded, decode_record
from tests.backup_estate import IDENTITY, TABLES, Estate, estate, lived_in, records_of, rows_of

OPENER_OF = OpenerOf(lines_file.with_identities([IDENTITY]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        yield lived_in(one)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/target.db", create=True)
    yield database
    database.close()


def rebuilt(target: Database, records: Iterator[tuple[bytes, Recorded]], limit: Limit = Limit()) -> Rebuilt:  # noqa: B008
    with target.write() as session:
        store.create(session, with_indexes=False)
        found = rebuild.rebuild(session, records, limit)
        store.create_indexes(session)
    return found


def pairs(made: Estate) -> Iterator[tuple[bytes, Recorded]]:
    return segment.read_all(made.repository, made.newest, OPENER_OF)


@pytest.mark.parametrize("page_rows", [1, 7, 5_000])
def test_rows_and_digest_are_the_same_in_pages_of_any_size(
    made: Estate, target: Database, page_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "PAGE_ROWS", page_rows)
    found = rebuilt(target, pairs(made))
    assert found.digest == made.plane.head().digest
    assert found.frontier == made.plane.head().frontier
    assert {measure.result for measure in compare(found, made.newest)} == {"equal"}
    assert records_of(target) == records_of(made.database)
    for table in TABLES:
        assert rows_of(target, table) == rows_of(made.database, table)


def test_another_digest_than_the_backup_s_is_refused(made: Estate, target: Database) -> None:
    found = rebuilt(target, pairs(made))
    with pytest.raises(Corrupt, match=r"the rebuilt state digest is .*, the backup says 00"):
        compare(found, made.newest.model_copy(update={"state_digest": "00" * 64}))


def test_a_digest_of_another_fold_generation_is_told_and_not_compared(made: Estate, target: Database) -> None:
    other = made.newest.model_copy(update={"state_digest": "00" * 64, "fold_generation": 0})
    *_, digest = compare(rebuilt(target, pairs(made)), other)
    assert digest.result == "not made: the backup has fold generation 0, this release 1"


def test_a_record_out_of_its_resource_s_turn_is_refused(made: Estate, target: Database) -> None:
    def altered() -> Iterator[tuple[bytes, Recorded]]:
        for record, recorded in pairs(made):
            if recorded.event["sequence"] == 2:
                value = decode(record, "record")
                value["event"]["sequence"] = 3
                record = encode(value)
            yield record, decode_record(record)

    with pytest.raises(Corrupt, match=r"is number 3 of .*, not 2"):
        rebuilt(target, altered())


@pytest.mark.parametrize("change", [{"type": "unheard-of.happened"}, {"schema": 99}])
def test_an_event_that_this_release_does_not_know_is_refused(
    made: Estate, target: Database, change: dict[str, object]
) -> None:
    def altered() -> Iterator[tuple[bytes, Recorded]]:
        for record, recorded in pairs(made):
            value = decode(record, "record")
            if recorded.position == 10:
                value["event"].update(change)
            yield encode(value), decode_record(encode(value))

    with pytest.raises(Refused, match="use the release that recorded it"):
        rebuilt(target, altered())


def test_damage_is_passed_over_only_beyond_the_limit(made: Estate, target: Database) -> None:
    def damaged() -> Iterator[tuple[bytes, Recorded]]:
        for pair in pairs(made):
            if pair[1].position == 21:
                raise Damaged(Corrupt("gone"), 20)
            yield pair

    instants = [decode_record(record).recorded_at for record in records_of(made.database)]
    for limit in (Limit(), Limit(position=21), Limit(instant=instants[19])):
        with pytest.raises(Damaged, match="gone; the backup is sound up to position 20: --at 20 recovers that"):
            rebuilt(target, damaged(), limit)
    found = rebuilt(target, damaged(), Limit(position=20))
    assert (found.position, found.beyond.damage[:4]) == (20, "gone")


def test_a_limit_that_the_damaged_segment_holds_is_not_proven(made: Estate, target: Database) -> None:
    def damaged() -> Iterator[tuple[bytes, Recorded]]:
        for pair in pairs(made):
            if pair[1].position == 20:
                raise Damaged(Corrupt("gone"), 15)
            yield pair

    with pytest.raises(Damaged):
        rebuilt(target, damaged(), Limit(position=17))


def test_every_live_value_needs_its_key(made: Estate, target: Database) -> None:
    found = rebuilt(target, pairs(made))
    contents = keyring_file.read_all(made.repository, made.newest, OPENER_OF)
    assert list(rebuild.check_keys(found, contents)) == []
    for key_id, (key, added_at) in contents.live.items():
        without = Contents({k: v for k, v in contents.live.items() if k != key_id}, contents.shredded)
        with pytest.raises(Corrupt, match=f"the keyring lacks the key {key_id} of /"):
            list(rebuild.check_keys(found, without))
        other = Contents({**contents.live, key_id: (replace(key, secret=bytes(32)), added_at)}, contents.shredded)
        with pytest.raises(Corrupt, match="does not open"):
            list(rebuild.check_keys(found, other))
