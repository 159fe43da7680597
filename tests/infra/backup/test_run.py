"""A backup run: only what is new is written, several runs do not harm each other, and a crash is taken up."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Corrupt, Refused, Unavailable, WrongKey
from infra.backup import compaction, layout, lines_file, memory, run, segment
from infra.backup.age import FILE_KEY_BYTES, fingerprint
from infra.backup.compaction import KEYRINGS_MIN
from infra.backup.repository import Repository
from infra.backup.run import Outcome
from infra.backup.segment import OpenerOf
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import store
from infra.control_plane.clock import host_clock
from infra.database.url import open_database
from infra.keys.root_key import HeldRootKey
from infra.log import event_table, head, local_fact
from infra.log.merkle import Frontier, leaf_hash
from infra.log.record import decode_record
from tests.backup_estate import (
    IDENTITY,
    OTHER_IDENTITY,
    Estate,
    estate,
    lived_in,
    records_of,
    recovered,
    set_password,
    set_secret,
)
from tests.infra.control_plane.installation import PROVIDER, ROOT_KEY, install, request, user_request
from tests.observed_store import ObservedStore

RUN = """
import sys
from pathlib import Path
from infra.backup import run
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane.clock import host_clock
from infra.database.url import open_database
from tests.backup_estate import ROOT_KEY
repository = Repository.open(DirectoryStore(Path(sys.argv[2])))
print(run.run(open_database(sys.argv[1]), ROOT_KEY, repository, host_clock).is_new)
"""


@pytest.fixture
def made(tmp_path: Path, store_url: str) -> Iterator[Estate]:
    with estate(tmp_path, store_url) as one:
        yield lived_in(one)


def records_in(of: Estate, path: Path) -> list[int]:
    """The positions in a segment's file."""
    lines = lines_file.read(path.read_bytes(), lines_file.with_identities([IDENTITY]), path.name)
    return [decode_record(line).position for line in lines]


def test_a_second_run_with_nothing_new_writes_nothing(made: Estate) -> None:
    before = {path: path.read_bytes() for path in made.files()}
    outcome = made.back_up()
    assert (outcome.is_new, outcome.records, outcome.size_bytes, outcome.keys) == (False, 0, 0, 0)
    assert outcome.manifest == made.newest
    assert {path: path.read_bytes() for path in made.files()} == before


def test_increments_hold_only_new_records_and_changed_keys(made: Estate) -> None:
    assert [(o.records, o.keys) for o in made.outcomes] == [(15, 5), (5, 3), (2, 3)]
    assert [records_in(made, path) for path in made.objects("segments")] == [
        list(range(1, 16)),
        list(range(16, 21)),
        [21, 22],
    ]
    assert [(k.after, k.until, k.keys) for k in made.newest.keyring] == [(0, 22, 9)], (
        "a new one, as keys were destroyed"
    )
    found = made.verify()
    assert (found.manifests, found.records, found.keys, found.unnamed) == (3, 22, 7, ())


def test_changes_without_a_secret_need_no_keyring(made: Estate) -> None:
    made.record(request("CreateResourceGroup", subscriptionId=PROVIDER, name="more", location="east"))
    outcome = made.back_up()
    assert (outcome.records, outcome.keys) == (1, 0)
    assert len(made.objects("keyrings")) == 3
    assert made.verify().keys == 7


def test_segments_are_cut_between_commands(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "RECORDS_MAX", 2)
    made.record(*(set_secret("Database", f"value {n}") for n in range(5)), *map(user_request, range(10, 13)))
    made.back_up()
    new = made.newest.segments[3:]
    ends = {decode_record(record).command_end for record in records_of(made.database)}
    assert len(new) > 4
    assert all(entry.last in ends and entry.last - entry.first + 1 <= 3 for entry in new)
    assert made.verify().records == made.plane.head().position


def test_what_was_backed_up_in_small_runs_is_compacted_and_every_manifest_keeps_what_it_needs(made: Estate) -> None:
    for number in range(10, 34):
        made.record(user_request(number), *[set_password(number, f"long password {number}")] * (number % 3))
        made.back_up()
    assert len(made.newest.segments) <= 6
    assert len(made.newest.keyring) <= KEYRINGS_MIN + 4
    assert [entry.first for entry in made.newest.segments[1:]] == [e.last + 1 for e in made.newest.segments[:-1]]
    log = records_of(made.database)
    chain = list(made.repository.chain(made.deployment))
    assert len(chain) == 27
    for stored in chain:
        pages = segment.read_all(made.repository, stored.manifest, OpenerOf(lines_file.with_identities([IDENTITY])))
        assert [record for page in pages for record in page.records] == log[: stored.manifest.last]
    found = made.verify()
    assert (found.records, found.unnamed) == (len(log), ())


@settings(max_examples=5, deadline=None)
@given(runs=st.lists(st.integers(0, 6), min_size=1, max_size=8), full=st.integers(2, 12))
def test_every_manifest_recovers_to_its_own_position_after_any_runs(
    tmp_path_factory: pytest.TempPathFactory, runs: list[int], full: int
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch, estate(folder) as one:
        patch.setattr(segment, "RECORDS_MAX", full)
        patch.setattr(compaction, "KEYRINGS_MIN", 2)
        one.back_up()
        for number, new in enumerate(runs):
            users = [user_request(100 * number + n) for n in range(new)]
            one.record(*users, *[set_password(100 * number, "another long password")] * (new > 2))
            one.back_up()
        for path in reversed(one.objects("manifests")):
            stored = one.repository.newest(one.deployment)
            assert stored is not None
            with recovered(one.root, folder / path.stem) as (found, _):
                last = stored.manifest.last
                assert records_of(found.database, until=last) == records_of(one.database, until=last)
                assert found.plane.head().position == last + 1
            path.unlink()


def test_records_that_are_written_again_are_compared_with_what_was_backed_up(made: Estate) -> None:
    made.record(user_request(10), user_request(11))
    with made.database.write() as session:  # the history is forged, and the head with it
        [(record,)] = session.execute("SELECT record FROM events WHERE position = 22")
        forged = record.replace(b'"host":"host-1"', b'"host":"host-2"')
        session.execute("UPDATE events SET record = ? WHERE position = 22", (forged,))
        frontier = Frontier()
        frontier.extend(leaf_hash(record) for record in event_table.records(session))
        session.execute("UPDATE log_head SET frontier = ?", (frontier.to_bytes(),))
    with pytest.raises(Corrupt, match=r"the records from position 1 to 22 are not those that were backed up"):
        made.back_up()
    assert made.newest.last == 22


def test_what_reads_back_differently_is_named_by_no_manifest(made: Estate) -> None:
    class Careless(DirectoryStore):
        def put_file_new(self, name: str, path: Path) -> None:
            data = path.read_bytes()
            self.put_new(name, data[:-1] + bytes([data[-1] ^ 1]))

    made.record(user_request(10), set_password(10, "another long password"))
    with pytest.raises(Corrupt, match=r"segments/.* is not what its manifest says"):
        run.run(made.database, ROOT_KEY, Repository.open(Careless(made.root)), host_clock)
    assert made.newest.sequence == 3


def test_progress_is_told_up_to_the_end(made: Estate) -> None:
    told: list[tuple[str, int, int]] = []
    made.record(*map(user_request, range(10, 14)))
    run.run(made.database, ROOT_KEY, made.repository, host_clock, lambda *now: told.append(now))
    assert told[-1] == ("backing up records", 26, 26), "the last ones are compacted with all that is before them"


def test_a_segment_ends_when_it_has_its_bytes(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "BYTES_MAX", 1)
    made.record(*map(user_request, range(10, 13)))
    made.back_up()
    assert [(entry.first, entry.last) for entry in made.newest.segments[3:]] == [(23, 23), (24, 24), (25, 25)]


def test_runs_beside_each_other_and_beside_writers_make_one_chain(made: Estate) -> None:
    outcomes: list[Outcome] = []
    errors: list[BaseException] = []

    def write(number: int) -> None:
        for n in range(10):
            made.record(user_request(100 * number + n), set_password(100 * number + n, f"long password {n}"))

    def back_up() -> None:
        try:
            for _ in range(5):
                outcomes.append(run.run(made.database, ROOT_KEY, made.repository, host_clock))
        except BaseException as error:  # noqa: BLE001 (whatever it is, the test shows it)
            errors.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in (1, 2)]
    threads += [threading.Thread(target=back_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    made.back_up()
    found = made.verify()
    assert found.records == made.plane.head().position
    assert found.manifests == 3 + sum(outcome.is_new for outcome in outcomes) + made.outcomes[-1].is_new
    assert sum(outcome.records for outcome in [*made.outcomes, *outcomes]) == found.records
    assert made.back_up().is_new is False


def test_runs_of_several_processes_make_one_chain(made: Estate, store_url: str) -> None:
    made.record(*map(user_request, range(10, 20)))
    command = [sys.executable, "-c", RUN, store_url, str(made.root)]
    environment = {**os.environ, "PYTHONPATH": "."}
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    assert sorted(one.communicate()[0].strip() for one in runs) == ["False", "False", "True"]
    assert made.verify().records == 32
    assert made.back_up().is_new is False


def test_a_manifest_that_the_store_forgot_in_a_crash_is_adopted(made: Estate) -> None:
    made.record(user_request(10))
    with made.database.read() as session:
        before = local_fact.get(session, memory.LAST_MANIFEST + made.repository.id)
    assert before is not None
    made.back_up()
    with made.database.write() as session:
        local_fact.put(session, memory.LAST_MANIFEST + made.repository.id, before)
    assert made.back_up().is_new is False
    with made.database.read() as session:
        last = memory.last_manifest(session, made.repository.id)
    assert last is not None
    assert last.manifest == made.newest
    made.record(user_request(11))
    assert made.back_up().records == 1


def test_what_a_run_remembers_never_goes_back(made: Estate) -> None:
    stored = made.repository.read(made.objects("manifests")[0].relative_to(made.root).as_posix())
    with made.database.write() as session:
        memory.put_manifest(session, stored)
        last = memory.last_manifest(session, made.repository.id)
    assert last is not None
    assert last.manifest.sequence == 3


def test_the_deployment_opens_its_own_segments_without_an_identity(made: Estate) -> None:
    with made.database.read() as session:
        kept = local_fact.with_prefix(session, memory.SEGMENT_KEY)
    file_keys = {
        name.removeprefix(memory.SEGMENT_KEY): ROOT_KEY.unwrap(name, wrapped)[:FILE_KEY_BYTES]
        for name, wrapped in kept.items()
    }
    opener_of = OpenerOf(None, file_keys)
    assert sum(len(page.records) for page in segment.read_all(made.repository, made.newest, opener_of)) == 22
    with pytest.raises(WrongKey, match="an identity is needed"):
        opener_of(made.newest.keyring[0].sha256)


def test_garbage_at_a_manifest_s_name_is_listed_as_void_and_the_chain_goes_on(made: Estate) -> None:
    names = [f"{n:019d}.json" for n in (4, 7)]
    for name in names:
        (made.root / made.deployment / "manifests" / name).write_bytes(b"garbage")
    assert made.back_up().is_new, "until a manifest lists it, garbage counts as damage"
    assert made.newest.sequence == 8
    assert made.newest.void == tuple(f"{made.deployment}/manifests/{name}" for name in names)
    assert made.verify().manifests == 4
    assert made.back_up().is_new is False


def test_a_damaged_newest_manifest_is_replaced_by_one_that_says_all_it_said(made: Estate) -> None:
    newest = made.objects("manifests")[-1]
    newest.write_bytes(newest.read_bytes()[:-5])
    outcome = made.back_up()
    assert (outcome.records, outcome.manifest.void) == (2, (newest.relative_to(made.root).as_posix(),))
    found = made.verify()
    assert (found.manifests, found.records, found.keys) == (3, 22, 7)
    assert len(found.unnamed) == 2, "the segment and the keyring of the damaged one"


def test_all_manifests_damaged_begin_a_chain_anew(made: Estate) -> None:
    for path in made.objects("manifests"):
        path.write_bytes(b"")
    outcome = made.back_up()
    assert (outcome.records, outcome.keys, len(outcome.manifest.void)) == (22, 9, 3)
    assert made.verify().manifests == 1


def test_the_greatest_number_of_a_manifest_leaves_no_other(made: Estate) -> None:
    (made.root / made.deployment / "manifests" / f"{10**19 - 1}.json").write_bytes(b"garbage")
    with pytest.raises(Corrupt, match="leaves no number for another manifest"):
        made.back_up()


def test_two_repositories_are_filled_in_turn_each_by_increments(made: Estate, tmp_path: Path) -> None:
    second = Repository.open_or_create(DirectoryStore(tmp_path / "second", create=True))
    assert run.run(made.database, ROOT_KEY, second, host_clock).records == 22
    made.record(user_request(10))
    assert made.back_up().records == 1
    assert run.run(made.database, ROOT_KEY, second, host_clock).records == 1
    with made.database.read() as session:
        kept = [memory.last_manifest(session, one.id) for one in (made.repository, second)]
    assert [one.manifest.sequence for one in kept if one] == [4, 2]


def test_whoever_is_added_opens_what_is_backed_up_from_then_on(made: Estate) -> None:
    made.record(request("AddBackupRecipient", name="second", recipient=str(OTHER_IDENTITY.recipient)))
    assert made.back_up().records == 1
    assert {entry.fingerprint for entry in made.newest.recipients} == {
        fingerprint(IDENTITY.recipient),
        fingerprint(OTHER_IDENTITY.recipient),
    }
    newest = made.objects("segments")[-1]
    assert len(list(lines_file.read(newest.read_bytes(), lines_file.with_identities([OTHER_IDENTITY]), "it"))) == 1


def test_without_a_recipient_nothing_is_backed_up(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    install(database)
    repository = Repository.open_or_create(DirectoryStore(tmp_path / "repository", create=True))
    with pytest.raises(Refused, match="resurgam key generate") as refusal:
        run.run(database, ROOT_KEY, repository, host_clock)
    assert refusal.value.rule == "backup-recipient-exists"
    assert [path.name for path in (tmp_path / "repository").iterdir()] == ["resurgam-repository.json"]
    database.close()


def test_an_empty_store_is_not_backed_up(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/store.db", create=True)
    store.ensure_empty(database)
    repository = Repository.open_or_create(DirectoryStore(tmp_path / "repository", create=True))
    with pytest.raises(Refused, match="the store is empty"):
        run.run(database, ROOT_KEY, repository, host_clock)
    database.close()


def test_another_root_key_cannot_back_up(made: Estate) -> None:
    with pytest.raises(WrongKey, match="root key"):
        run.run(made.database, HeldRootKey(bytes(32)), made.repository, host_clock)


def test_a_place_without_room_for_temporary_files_is_unavailable(
    made: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    made.record(user_request(10))
    with pytest.raises(Unavailable, match="cannot make a temporary folder, TMPDIR names another place"):
        made.back_up()


def test_a_run_leaves_no_temporary_file(made: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    made.record(user_request(10))
    made.back_up()
    assert list((tmp_path / "temporary").iterdir()) == []
    assert all(path.suffix in (".json", ".age") for path in made.files())


def live_in(made: Estate) -> dict[str, set[str]]:
    """The ids of the keys that each keyring file opens, by the number of the manifest that it was written for."""
    found = {}
    for path in made.objects("keyrings"):
        lines = lines_file.read(path.read_bytes(), lines_file.with_identities([IDENTITY]), path.name)
        found[path.name.split("-")[0].lstrip("0")] = {
            entry["key_id"] for line in lines if "key" in (entry := json.loads(line))
        }
    return found


def destroyed_in(made: Estate) -> set[str]:
    with made.database.read() as session:
        return {row[0] for row in session.execute("SELECT key_id FROM keyring WHERE shredded_at > 0")}


def test_the_next_backup_after_a_key_was_destroyed_begins_a_new_keyring(made: Estate, tmp_path: Path) -> None:
    made.record(set_secret("New", "value"))
    made.back_up()
    assert [entry.after for entry in made.newest.keyring] == [0, 22], "nothing was destroyed since"
    made.record(set_password(1, "a third long password"))
    outcome = made.back_up()
    assert (outcome.is_new_base, outcome.holds_destroyed_keys) == (True, False)
    assert [(entry.after, entry.sequence) for entry in made.newest.keyring] == [(0, 5)]
    live, destroyed = live_in(made), destroyed_in(made)
    assert not live["5"] & destroyed
    assert live["1"] & destroyed, "earlier ones hold what was destroyed since"
    for path in made.objects("keyrings")[:-1]:
        path.unlink()
    with recovered(made.root, tmp_path / "recovered") as (_, report):
        assert report.keys == 8, "the newest backup needs no superseded keyring"
    with pytest.raises(Corrupt, match="the newest backup does without it"):
        made.verify()


def test_a_key_that_no_file_holds_asks_for_no_new_keyring(made: Estate) -> None:
    made.record(user_request(10), set_password(10, "another long password"))
    outcome = made.back_up()
    assert (outcome.keys, outcome.is_new_base, outcome.holds_destroyed_keys) == (2, False, False)


def test_a_large_keyring_can_be_spared_and_the_next_run_makes_up_for_it(
    made: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spared() -> run.Outcome:
        return run.run(made.database, ROOT_KEY, made.repository, host_clock, spares_keyring=True)

    made.record(set_password(1, "a third long password"))
    assert spared().is_new_base, "a small one costs too little to be spared"
    monkeypatch.setattr(run, "SMALL_KEYRING_KEYS", 5)
    made.record(set_password(1, "a fourth long password"))
    for is_new in (True, False):
        outcome = spared()
        assert (outcome.is_new, outcome.is_new_base, outcome.holds_destroyed_keys) == (is_new, False, True)
    outcome = made.back_up()
    assert (outcome.is_new, outcome.records, outcome.is_new_base) == (True, 0, True)
    assert not live_in(made)["6"] & destroyed_in(made)
    assert not made.back_up().is_new


def test_the_head_is_not_locked_while_a_backup_is_written(made: Estate) -> None:
    made.record(user_request(10))

    def clock() -> str:
        made.record(user_request(11))  # a writer commits in the middle of the run
        return host_clock()

    outcome = run.run(made.database, ROOT_KEY, made.repository, clock)
    assert (outcome.records, outcome.manifest.last) == (1, 23)
    with made.database.read() as session:
        assert head.read(session).position == 24
    assert made.back_up().records == 1


class MisreadOnce(ObservedStore):
    """Gives the file of the repository with another, well-formed id, once."""

    is_done = False

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        data = super().get(name, start=start, length=length)
        if name == layout.REPOSITORY_FILE and not self.is_done:
            self.is_done = True
            value = json.loads(data)
            last = value["repository"][-1]
            return data.replace(last.encode() + b'"', (b"0" if last != "0" else b"1") + b'"')
        return data


def test_a_misread_repository_file_begins_no_chain(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        store = DirectoryStore(made.root, create=True)
        Repository.open_or_create(store)
        misread = Repository.open(MisreadOnce(store))
        with pytest.raises(Unavailable, match="reads differently from moment to moment"):
            run.run(made.database, made.root_key, misread, host_clock)
        assert not [name for name in store.list() if "/manifests/" in name]
        made.back_up()
        assert made.verify().manifests == 1
