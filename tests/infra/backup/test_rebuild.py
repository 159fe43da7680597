"""Rebuilding: records give the same rows and digest again, in whichever pages they are written."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import Corrupt, Refused, Unavailable
from infra.backup import folding, keyring_file, lines_file, rebuild, segment
from infra.backup.comparison import compare
from infra.backup.keyring_file import Contents
from infra.backup.rebuild import Limit, Rebuilt
from infra.backup.segment import Damaged, OpenerOf
from infra.canonical_json import decode, encode
from infra.control_plane import store
from infra.database.session import Database
from infra.database.url import open_database
from infra.log.page import Page, paged
from infra.log.record import decode_record
from infra.state import newest
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


def rebuilt(
    target: Database,
    pages: Iterator[Page],
    limit: Limit = Limit(),  # noqa: B008
    keys: Contents | None = None,
    *,
    is_large: bool = False,
) -> Rebuilt:
    with target.write() as session:
        store.create(session, with_indexes=False)
        found = rebuild.rebuild(session, pages, limit, keys, is_large=is_large)
        store.create_indexes(session)
    return found


def pages(made: Estate) -> Iterator[Page]:
    return segment.read_all(made.repository, made.newest, OPENER_OF)


def single(made: Estate) -> Iterator[Page]:
    """Yield the records of the backup in pages of one."""
    return paged((record for page in pages(made) for record in page.records), 1)


def assert_same(found: Rebuilt, made: Estate, target: Database) -> None:
    assert found.digest == made.plane.head().digest
    assert found.frontier == made.plane.head().frontier
    assert {measure.result for measure in compare(found, made.newest)} == {"equal"}
    assert records_of(target) == records_of(made.database)
    for table in TABLES:
        assert rows_of(target, table) == rows_of(made.database, table)


@pytest.mark.parametrize("page_rows", [1, 7, 5_000])
@pytest.mark.parametrize("recent_max", [1, 3, newest.RECENT_MAX])
def test_rows_and_digest_are_the_same_in_pages_of_any_size(
    made: Estate, target: Database, page_rows: int, recent_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "PAGE_ROWS", page_rows)
    monkeypatch.setattr(folding, "PAGE_ROWS", page_rows)
    monkeypatch.setattr(newest, "RECENT_MAX", recent_max)
    assert_same(rebuilt(target, paged(records_of(made.database), page_rows)), made, target)


def test_a_process_that_folds_gives_the_same_rows_digest_and_sealed_values(made: Estate, target: Database) -> None:
    keys = keyring_file.read_all(made.repository, made.newest, OPENER_OF)
    assert keys.live
    assert_same(rebuilt(target, single(made), keys=keys, is_large=True), made, target)


def test_another_digest_than_the_backup_s_is_refused(made: Estate, target: Database) -> None:
    found = rebuilt(target, pages(made))
    with pytest.raises(Corrupt, match=r"the rebuilt state digest is .*, the backup says 00"):
        compare(found, made.newest.model_copy(update={"state_digest": "00" * 64}))


def test_a_digest_of_another_fold_generation_is_told_and_not_compared(made: Estate, target: Database) -> None:
    other = made.newest.model_copy(update={"state_digest": "00" * 64, "fold_generation": 0})
    *_, digest = compare(rebuilt(target, pages(made)), other)
    assert digest.result == "not made: the backup has fold generation 0, this release 1"


def test_a_record_out_of_its_resource_s_turn_is_refused(made: Estate, target: Database) -> None:
    def altered() -> Iterator[bytes]:
        for record in records_of(made.database):
            value = decode(record, "record")
            if value["event"]["sequence"] == 2:
                value["event"]["sequence"] = 3
            yield encode(value)

    with pytest.raises(Corrupt, match=r"is number 3 of .*, not 2"):
        rebuilt(target, paged(altered()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": 11}, "position 11 follows position 9"),
        ({"recorded_at": "2001-01-01T00:00:00.000000Z"}, "position 10 was recorded before the position in front of it"),
        ({"recorded_at": "soon"}, "has no position or no recorded_at"),
    ],
)
def test_a_record_that_does_not_follow_the_one_before_it_is_refused(
    made: Estate, target: Database, change: dict[str, object], message: str
) -> None:
    def altered() -> Iterator[bytes]:
        for number, record in enumerate(records_of(made.database), 1):
            yield encode({**decode(record, "record"), **(change if number == 10 else {})})

    with pytest.raises(Corrupt, match=message):
        rebuilt(target, paged(altered()))


@pytest.mark.parametrize("change", [{"type": "unheard-of.happened"}, {"schema": 99}])
def test_an_event_that_this_release_does_not_know_is_refused(
    made: Estate, target: Database, change: dict[str, object]
) -> None:
    def altered() -> Iterator[bytes]:
        for record in records_of(made.database):
            value = decode(record, "record")
            if value["position"] == 10:
                value["event"].update(change)
            yield encode(value)

    with pytest.raises(Refused, match="use the release that recorded it"):
        rebuilt(target, paged(altered()))


def test_damage_is_passed_over_only_beyond_the_limit(made: Estate, target: Database) -> None:
    def damaged() -> Iterator[Page]:
        for position, page in enumerate(single(made), 1):
            if position == 21:
                raise Damaged(Corrupt("gone"), 20)
            yield page

    instants = [decode_record(record).recorded_at for record in records_of(made.database)]
    for limit in (Limit(), Limit(position=21), Limit(instant=instants[19])):
        with pytest.raises(Damaged, match="gone; the backup is sound up to position 20: --at 20 recovers that"):
            rebuilt(target, damaged(), limit)
    found = rebuilt(target, damaged(), Limit(position=20))
    assert (found.position, found.beyond.damage[:4]) == (20, "gone")


def test_a_limit_that_the_damaged_segment_holds_is_not_proven(made: Estate, target: Database) -> None:
    def damaged() -> Iterator[Page]:
        for position, page in enumerate(single(made), 1):
            if position == 20:
                raise Damaged(Corrupt("gone"), 15)
            yield page

    with pytest.raises(Damaged):
        rebuilt(target, damaged(), Limit(position=17))


@pytest.mark.parametrize("is_large", [False, True], ids=["here", "in a process"])
def test_every_live_value_needs_its_key(made: Estate, target: Database, is_large: bool) -> None:
    keys = keyring_file.read_all(made.repository, made.newest, OPENER_OF)
    for key_id, (key, added_at) in keys.live.items():
        without = Contents({k: v for k, v in keys.live.items() if k != key_id}, keys.shredded)
        with pytest.raises(Corrupt, match=f"the keyring lacks the key {key_id} of /"):
            rebuilt(target, pages(made), keys=without, is_large=is_large)
        other = Contents({**keys.live, key_id: (replace(key, secret=bytes(32)), added_at)}, keys.shredded)
        with pytest.raises(Corrupt, match="does not open"):
            rebuilt(target, pages(made), keys=other, is_large=is_large)
    assert rebuilt(target, pages(made), keys=keys, is_large=is_large).lost == []


def test_a_process_that_folds_tells_why_it_cannot(made: Estate, target: Database) -> None:
    def altered() -> Iterator[bytes]:
        for record in records_of(made.database):
            yield record.replace(b'"schema":1,', b'"schema":7,')

    with pytest.raises(Refused, match="use the release that recorded it") as refusal:
        rebuilt(target, paged(altered(), 1), is_large=True)
    assert refusal.value.rule == "known-events"


def test_a_process_that_is_killed_while_it_folds_is_told_and_leaves_nothing(made: Estate, target: Database) -> None:
    def killing() -> Iterator[Page]:
        yield from single(made)
        for worker in Path("/proc/self/task").glob("*/children"):
            for child in worker.read_text().split():
                # The servers that other tests started are children too.
                if b"folding_process" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)

    with pytest.raises(Unavailable, match="the process that folds records ended with status -9"):
        rebuilt(target, killing(), is_large=True)
    with target.read() as session:
        assert not session.has_table("log_head")


def test_an_error_of_the_database_ends_both_processes(made: Estate, target: Database) -> None:
    with target.write() as session:
        store.create(session)
        session.execute("DROP TABLE versions")
    with pytest.raises(Exception, match="versions"), target.write() as session:
        rebuild.rebuild(session, single(made), Limit(), None, is_large=True)
