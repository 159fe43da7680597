"""Recovery: what was backed up comes back, on whichever engine, at whichever earlier position; and what is refused."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import Conflict, Corrupt, NotFound, Refused, ResurgamError, Unavailable, Usage
from domain.instant import from_microseconds
from domain.release import RELEASE
from domain.resource import Resource
from domain.sealed_value import sealed_values
from infra.backup import memory, run
from infra.backup.age import generate_identity
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.canonical_json import encode
from infra.control_plane import log_verification, recovery, store
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.control_plane.recovery import Wish
from infra.database.session import Session
from infra.database.url import open_database
from infra.log import local_fact
from infra.log.record import decode_record
from tests.backup_estate import (
    FIRST_USE,
    IDENTITY,
    TABLES,
    VAULT,
    Estate,
    estate,
    is_empty,
    lived_in,
    records_of,
    recover,
    recovered,
    rows_of,
    set_password,
    set_secret,
    vault_requests,
)
from tests.forgery import re_sign
from tests.infra.control_plane.installation import ACTOR, PASSWORD, request, user_id, user_request

DATABASE_SECRET = f"{VAULT}/secrets/Database"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        yield lived_in(one)


def at(when: object) -> Wish:
    return replace(FIRST_USE, at=str(when))


def secret_values(of: Estate) -> dict[str, bytes]:
    """Every sealed secret value of an estate that can still be opened, by its resource."""
    with of.plane.read() as reading:
        versions = reading.state.of_kind("secret-version")
        return {one.id: opened(of, reading.session, one) for one in versions}


def opened(of: Estate, session: Session, resource: Resource) -> bytes:
    """The one sealed value in a resource's state."""
    [sealed] = sealed_values(resource.state)
    return of.plane.open_sealed(session, sealed, sealed["purpose"], resource.id)


@pytest.mark.parametrize("source", ["sqlite_url", "fresh_postgres_url"])
def test_records_and_rows_are_the_same_in_either_engine(
    tmp_path: Path, request: pytest.FixtureRequest, source: str
) -> None:
    target = {"sqlite_url": "fresh_postgres_url", "fresh_postgres_url": "sqlite_url"}[source]
    with (
        estate(tmp_path, request.getfixturevalue(source)) as lost,
        recovered(lived_in(lost).root, tmp_path / "new", request.getfixturevalue(target)) as (found, report),
    ):
        end = lost.plane.head().position
        assert records_of(found.database, end) == records_of(lost.database)
        for table in TABLES:
            assert rows_of(found.database, table, end) == rows_of(lost.database, table), table
        assert secret_values(found) == secret_values(lost)
        assert {measure.result for measure in report.measures} == {"equal"}
        assert report.lost == []


def test_the_planner_of_postgresql_knows_what_was_recovered(tmp_path: Path, fresh_postgres_url: str) -> None:
    with (
        estate(tmp_path) as lost,
        recovered(lived_in(lost).root, tmp_path / "new", fresh_postgres_url) as (found, _),
        found.database.read() as session,
    ):
        known = session.execute("SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = current_schema()")
    assert {table for (table,) in known} == set(store.LARGE_TABLES)


def test_the_new_deployment_begins_with_what_it_was_recovered_from(made: Estate, tmp_path: Path) -> None:
    with recovered(made.root, tmp_path / "new") as (found, report):
        before, now = made.plane.head(), found.plane.head()
        assert now.deployment not in (before.deployment, "")
        assert now.epoch not in (before.epoch, "")
        assert (now.parent_epoch, now.position) == (before.epoch, before.position + 1)
        event = decode_record(records_of(found.database)[-1]).event
        assert event["type"] == "deployment.recovered"
        assert event["payload"]["ancestorDeploymentId"] == before.deployment
        assert event["payload"]["recoveredPosition"] == event["payload"]["backupPosition"] == before.position
        assert event["payload"]["signerTrust"] == "FirstUse"
        assert report.last is not None
        assert report.last.position == before.position
        with found.database.read() as session:
            signer = memory.get_signer(session, found.root_key)
        assert str(signer.verifier) != made.newest.verifier


def test_its_own_backups_name_the_ancestor_and_recover_again(tmp_path: Path) -> None:
    with estate(tmp_path) as lost, recovered(lived_in(lost).root, tmp_path / "once") as (once, _):
        once.record(set_secret("Database", "after the disaster"))
        assert once.back_up().records == once.plane.head().position, "the first backup is a full copy"
        ancestor = once.newest.ancestor
        assert ancestor is not None
        assert (ancestor.deployment, ancestor.sequence) == (lost.deployment, 3)
        both = "holds 2 deployments, name one:\n  --deployment .*newest backup .*\n  --deployment "
        with pytest.raises(Refused, match=both):
            recovery.plan(once.repository, [IDENTITY], FIRST_USE, host_clock())
        wish = replace(FIRST_USE, deployment=once.deployment)
        with recovered(once.root, tmp_path / "twice", wish=wish) as (twice, _):
            end = once.plane.head().position
            assert records_of(twice.database, end) == records_of(once.database)
            assert secret_values(twice) == secret_values(once)
            assert b"after the disaster" in secret_values(twice).values()


def test_a_drill_finds_what_a_recovery_finds_and_makes_no_key(made: Estate, tmp_path: Path) -> None:
    scratch = open_database(f"sqlite:///{tmp_path}/scratch.db", create=True)
    report = recovery.drill(scratch, made.repository, [IDENTITY], FIRST_USE, host_clock())
    assert report.head.digest == made.plane.head().digest
    assert {measure.result for measure in report.measures} == {"equal"}
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("scratch")) == []
    scratch.close()


def ends_of_commands(of: Estate) -> list[int]:
    return sorted({decode_record(record).command_end for record in records_of(of.database)})


def test_every_position_is_recovered_as_it_was(made: Estate, tmp_path: Path) -> None:
    for position in ends_of_commands(made)[:-1]:
        with recovered(made.root, tmp_path / str(position), wish=at(position)) as (found, report):
            assert report.recovered_position == position
            assert report.beyond.count == made.plane.head().position - position
            assert records_of(found.database, position) == records_of(made.database, position)
            for table in TABLES:
                assert rows_of(found.database, table, position) == rows_of(made.database, table, position)
            assert report.measures[0].result == "equal"
            assert report.measures[1].result.startswith(f"not made: the state of position {position} was asked for")


def test_a_position_inside_a_command_snaps_to_its_start(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        made.record(*vault_requests(), set_secret("Database", "more"))
        made.record(request("DeleteSecret", id=DATABASE_SECRET), request("PurgeSecret", id=DATABASE_SECRET))
        made.back_up()
        end = made.plane.head().position
        purge = decode_record(records_of(made.database)[-1])
        assert purge.event["command"]["count"] == 3
        for inside in (end - 2, end - 1):
            with recovered(made.root, tmp_path / f"at-{inside}", wish=at(inside)) as (_, report):
                assert report.recovered_position == purge.command_start


def test_an_instant_recovers_what_was_recorded_until_then(made: Estate, tmp_path: Path) -> None:
    instants = [decode_record(record).recorded_at for record in records_of(made.database)]
    asked = instants[12]
    with recovered(made.root, tmp_path / "new", wish=at(asked)) as (_, report):
        assert report.recovered_position == max(n for n, instant in enumerate(instants, 1) if instant <= asked)
    before = from_microseconds(made.plane.head().recorded_at + 1)
    if before <= made.newest.created_at:
        with recovered(made.root, tmp_path / "end", wish=at(before)) as (_, report):
            assert report.recovered_position == made.plane.head().position


@pytest.mark.parametrize(
    ("when", "error", "said"),
    [
        ("23", Refused, "the backup ends at position 22, before 23"),
        ("2099-01-01T00:00Z", Refused, "the backup was made at .* and knows nothing of 2099"),
        ("0", Refused, "nothing was recorded yet at 0"),
        ("2001-01-01T00:00Z", Refused, "nothing was recorded yet at 2001"),
        ("yesterday", Usage, "no point in time"),
    ],
)
def test_a_moment_that_the_backup_does_not_know_is_refused(
    made: Estate, tmp_path: Path, when: str, error: type[ResurgamError], said: str
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/target.db", create=True)
    with pytest.raises(error, match=said):
        recover(database, tmp_path, made.root, at(when))
    assert is_empty(database)
    database.close()


def test_what_was_shredded_after_an_earlier_position_is_listed_and_stays_destroyed(
    made: Estate, tmp_path: Path
) -> None:
    with recovered(made.copied(tmp_path), tmp_path / "new", wish=at(20)) as (found, report):
        assert [(lost.resource.rsplit("/", 1)[1], lost.shredded_at) for lost in report.lost] == [
            (user_id(1), 21),
            (user_id(2), 22),
        ]
        with found.plane.read() as reading:
            user = reading.state.find(report.lost[0].resource)
            assert user is not None
            with pytest.raises(NotFound, match="was destroyed at position 21"):
                opened(found, reading.session, user)
        with found.database.read() as session:
            last = session.execute("SELECT max(added_at) <= 20, max(shredded_at) FROM keyring")
        assert last == [(True, 21)], "no key belongs to a position that the log has not reached"
        log_verification.verify(found.database)
        found.record(set_password(1, "a password to begin again with"))
        assert found.back_up().keys == 9
        assert found.verify().records == 22


def test_damage_beyond_the_asked_position_is_told_and_no_reason_to_refuse(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    damaged = sorted((root / made.deployment / "segments").iterdir())[-1]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    database = open_database(f"sqlite:///{tmp_path}/target.db", create=True)
    with pytest.raises(Corrupt, match="the backup is sound up to position 20: --at 20 recovers that"):
        recover(database, tmp_path, root)
    with pytest.raises(Corrupt, match="--at 20"):
        recover(database, tmp_path, root, at(21))
    with pytest.raises(Corrupt, match="--at 20"):
        recover(database, tmp_path, root, at(made.newest.created_at))
    assert is_empty(database)
    database.close()
    for position in (20, ends_of_commands(made)[-4], 3):
        with recovered(root, tmp_path / str(position), wish=at(position)) as (found, report):
            assert records_of(found.database, position) == records_of(made.database, position)
            assert report.measures[0].result.startswith("not made: ")
            assert "was changed or cut off" in report.measures[0].result


def test_a_damaged_chain_gives_its_newest_intact_backup_to_whoever_accepts_that(made: Estate, tmp_path: Path) -> None:
    accepting = replace(FIRST_USE, accept_damage=True)
    for sequence, position in ((1, 22), (2, 22), (3, 20)):
        root = made.copied(tmp_path / str(sequence))
        path = root / made.deployment / "manifests" / f"{sequence:019d}.json"
        path.write_bytes(path.read_bytes()[:-1])
        repository = Repository.open(DirectoryStore(root))
        with pytest.raises(Corrupt, match=f"up to position {position}, is intact: --accept-damage takes it"):
            recovery.plan(repository, [IDENTITY], FIRST_USE, host_clock())
        assert recovery.plan(repository, [IDENTITY], accepting, host_clock()).manifest.last == position


def test_a_store_that_holds_a_deployment_is_refused_and_the_roads_are_named(
    made: Estate, tmp_path: Path, store_url: str
) -> None:
    with recovered(made.root, tmp_path / "new", store_url) as (found, _):
        kept = found.plane.head()
        with pytest.raises(
            Refused, match="to recover beside it, name another store; to replace it, move or drop it"
        ) as refusal:
            recover(found.database, tmp_path / "new", made.root)
        assert refusal.value.rule == "target-empty"
        assert found.plane.head() == kept


def test_a_database_with_tables_of_something_else_is_refused(made: Estate, tmp_path: Path, store_url: str) -> None:
    database = open_database(store_url, create=True)
    with database.write() as session:
        session.execute("CREATE TABLE events (id INTEGER)")
    with pytest.raises(Refused, match="holds a table events that is not of a store"):
        recover(database, tmp_path, made.root)
    with database.read() as session:
        assert not session.has_table("log_head")
    database.close()


def test_of_two_recoveries_into_one_store_one_wins(made: Estate, tmp_path: Path, store_url: str) -> None:
    errors: list[Exception] = []
    reports: list[recovery.Report] = []

    def one(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        database = open_database(store_url, create=True)
        try:
            reports.append(recover(database, folder, made.root))
        except Exception as error:  # noqa: BLE001 (whatever it is, the test shows it)
            errors.append(error)
        finally:
            database.close()

    open_database(store_url, create=True).close()
    threads = [threading.Thread(target=one, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 1, errors
    assert all(isinstance(error, Refused | Conflict | Unavailable) for error in errors), errors


def test_a_root_key_file_that_is_there_is_taken(made: Estate, tmp_path: Path) -> None:
    with recovered(made.root, tmp_path / "new") as (found, _):
        kept = found.root_key.id
    (tmp_path / "new" / "recovered.db").unlink()
    with recovered(made.root, tmp_path / "new") as (found, _):
        assert found.root_key.id == kept
        assert secret_values(found) == secret_values(made)


def test_a_backup_of_another_release_is_refused(made: Estate, tmp_path: Path) -> None:
    root = made.copied(tmp_path)
    with made.database.read() as session:
        signer = memory.get_signer(session, made.root_key)
    re_sign(root, made.deployment, signer, lambda of: of.model_copy(update={"release": "9.9"}))
    with pytest.raises(Refused, match=f"is of release 9.9, this is release {RELEASE}") as refusal:
        recovery.plan(Repository.open(DirectoryStore(root)), [IDENTITY], FIRST_USE, host_clock())
    assert refusal.value.rule == "version-gate"


@pytest.mark.parametrize("kinds", ["post-quantum", "classical", "mixed"])
def test_deployments_of_all_three_kinds_of_encryption_recover(tmp_path: Path, kinds: str) -> None:
    identities = [generate_identity(post_quantum=kinds != "classical")]
    with estate(tmp_path, None, *identities) as made:
        if kinds == "mixed":
            identities.append(generate_identity(post_quantum=False))
            recipient = str(identities[1].recipient)
            with pytest.raises(Refused, match="set mayMix"):
                made.record(request("AddBackupRecipient", name="weaker", recipient=recipient))
            made.record(request("AddBackupRecipient", name="weaker", recipient=recipient, mayMix=True))
        lived_in(made)
        assert made.newest.encryption == kinds
        assert len(made.newest.recipients) == len(identities)
        for number, identity in enumerate(identities):
            with recovered(made.root, tmp_path / str(number), identities=[identity]) as (found, _):
                assert secret_values(found) == secret_values(made)


def test_an_endorsed_signer_needs_no_other_word(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        lived_in(made)
        made.endorse()
        assert made.back_up().is_new, "the endorsement is news of its own"
        with recovered(made.root, tmp_path / "new", wish=Wish()) as (_, report):
            assert report.plan.trust.reason == "Endorsed"


def test_a_damaged_memory_of_the_last_manifest_is_corrupt_and_no_defect(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        lived_in(made)
        with made.database.write() as session:
            local_fact.put(session, memory.LAST_MANIFEST + made.repository.id, encode({"sequence": 1}) + b"\n")
        with pytest.raises(Corrupt, match="the remembered manifest"):
            made.back_up()


def test_old_passwords_authenticate_after_a_recovery(made: Estate, tmp_path: Path) -> None:
    with recovered(made.root, tmp_path / "new") as (found, _):
        assert isinstance(found.plane, ControlPlane)
        found.plane.execute(user_request(9), ACTOR)
        with found.plane.read() as reading:
            hashes = [opened(found, reading.session, user) for user in reading.state.of_kind("user")]
        assert all(PASSWORD.encode() not in one and one.startswith(b"$argon2id$") for one in hashes)
        assert run.run(found.database, found.root_key, found.repository, host_clock).is_new
