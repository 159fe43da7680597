"""The history that benchmarks run on: real records of a cloud in all its areas, the same for the same seed."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
import zstandard

from domain.control_plane import EVENTS
from domain.resource_id import fold
from domain.sealed_value import sealed_values
from infra.canonical_json import encode
from infra.control_plane import log_verification
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.keys.sealing import unseal
from infra.log.mapper import present_events
from infra.log.record import decode_record
from projections.fold import change
from projections.version import Version
from scripts.benchmark import changes, history, store, workload

COUNT = 20_000
SERVICES = {"deployment", "identity", "federation", "certificates", "subscriptions", "vaults", "roles"}


@cache
def records() -> Sequence[bytes]:
    return list(history.records(COUNT))


@cache
def newest() -> dict[str, Version]:
    """Fold the history as a recovery does, and check every payload on the way."""
    versions: dict[str, Version] = {}
    for position, record in enumerate(records(), 1):
        recorded = decode_record(record)
        inner = recorded.event
        assert recorded.position == position
        EVENTS[inner["type"]][1].adapter.validate_python(inner["payload"])
        resource = fold(inner["resource"])
        events = present_events(inner["type"], inner["schema"], inner["resource"], inner["payload"])
        after = change(versions.get(resource), position, events, encode).after
        assert after.sequence == inner["sequence"]
        versions[resource] = after
    return versions


def test_every_record_decodes_folds_and_has_a_valid_payload() -> None:
    assert len(records()) == COUNT
    assert COUNT / 6 < len(newest()) < COUNT / 3


def test_recorded_at_never_falls_and_commands_are_whole() -> None:
    decoded = [decode_record(record) for record in records()]
    instants = [recorded.recorded_at for recorded in decoded]
    assert instants == sorted(instants)
    open_command: list[tuple[str, int]] = []
    for recorded in decoded:
        command = recorded.event["command"]
        open_command = [*open_command, (command["id"], command["index"])]
        assert open_command == [(command["id"], index) for index in range(1, command["index"] + 1)]
        if command["index"] == command["count"]:
            open_command = []
    assert open_command == []


def test_all_seven_areas_occur() -> None:
    assert {EVENTS[decode_record(record).event["type"]][0].service for record in records()} == SERVICES


def test_the_same_seed_gives_the_same_records_and_keys_and_another_seed_others() -> None:
    assert list(history.records(2_000)) == list(history.records(2_000))
    assert list(history.data_keys(2_000)) == list(history.data_keys(2_000))
    assert set(history.records(2_000, seed=2)).isdisjoint(history.records(2_000))


def test_a_history_that_goes_on_is_gapless() -> None:
    going_on = history.History()
    positions = [decode_record(r).position for r in [*going_on.records(1_000), *going_on.records(7)]]
    assert positions == list(range(1, 1_008))


def test_a_history_shorter_than_its_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with"):
        list(history.records(10))


def test_records_have_a_realistic_size_and_compressibility() -> None:
    size_bytes = sum(map(len, records()))
    compressed = zstandard.ZstdCompressor(level=3).compress(b"\n".join(records()))
    assert 600 < size_bytes / COUNT < 750
    assert 3 < size_bytes / len(compressed) < 5


def test_a_few_in_a_hundred_events_delete_and_a_tenth_set_secrets() -> None:
    types = [decode_record(record).event["type"] for record in records()]
    deletions = sum(EVENTS[name][1].evolve({"id": "/x"}, "/x", {}) is None for name in types if _takes_nothing(name))
    assert 0.01 < deletions / COUNT < 0.03
    assert 0.08 < types.count("secret-version.created") / COUNT < 0.12


def test_every_live_key_opens_a_value_and_every_value_has_one() -> None:
    keys = {key.key_id: key for key, _, shredded_at in history.data_keys(COUNT) if not shredded_at}
    opened = set()
    for version in newest().values():
        for sealed in sealed_values(version.state or {}):
            assert version.state is not None
            unseal(sealed, keys[sealed["keyId"]], purpose=sealed["purpose"], resource=str(version.state["id"]))
            opened.add(sealed["keyId"])
    assert opened == keys.keys()


def test_a_filled_store_is_in_order(store_url: str) -> None:
    store.fill(store_url, 2_000)
    database = open_database(store_url)
    assert log_verification.verify(database).head.position == 2_000
    database.close()


def test_changes_in_all_areas_are_accepted_after_a_history_and_after_each_other(sqlite_url: str) -> None:
    store.fill(sqlite_url, 1_000)
    database = open_database(sqlite_url)
    plane = ControlPlane(database, store.ROOT_KEY, cost=TEST_COST)
    installation = history.History().installation
    outcomes = [
        outcome
        for seed in (1, 2)
        for outcome in plane.execute_all(changes.requests(50, seed, installation), workload.ACTOR)
    ]
    assert workload.recorded(outcomes) == plane.head().position - 1_000
    with plane.read() as reading:
        new = reading.session.execute("SELECT DISTINCT topic FROM events WHERE position > 1000")
    assert {EVENTS[topic][0].service for (topic,) in new} == SERVICES
    database.close()


def test_a_filled_file_is_made_once(tmp_path: Path) -> None:
    path = store.sqlite(1_000, tmp_path)
    made = path.stat().st_mtime_ns
    assert store.sqlite(1_000, tmp_path) == path
    assert path.stat().st_mtime_ns == made
    assert list(tmp_path.iterdir()) == [path]


def _takes_nothing(name: str) -> bool:
    return not EVENTS[name][1].payload.__annotations__
