"""Ransomware with the rights of the writer: what each thing that it can do must give, and how all of it comes back."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any

import boto3  # type: ignore[import-untyped]  # it comes with moto, and brings no annotations
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from domain.errors import Corrupt, NotFound, Refused, ResurgamError
from infra.backup import layout, manifest, run
from infra.backup.freshness import freshness
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.url import open_store
from infra.backup.verification import Expectation
from infra.control_plane import verified_backup
from infra.control_plane.clock import host_clock
from tests.attestations import forged
from tests.backup_estate import Estate, estate, lived_in, recovered, verify
from tests.fault_proxy import http_faults
from tests.forgery import re_signed, stranger
from tests.infra.backup.aging import DAY, Aging, check_whole
from tests.infra.control_plane.installation import user_request
from tests.store_servers import Place
from tests.system.documentation import blocks, text_of

Enter = Callable[[Place], str]
VOIDS = 3_000
PAGE = Path("docs/how-to/after-an-attack-on-the-repository.md")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path) as one:
        yield lived_in(one)


def refused_run(made: Estate) -> ResurgamError:
    made.record(user_request(90))
    with pytest.raises(ResurgamError) as refused:
        run.run(made.database, made.root_key, Repository.open(DirectoryStore(made.root)), host_clock)
    return refused.value


def expectation(made: Estate) -> Expectation:
    stated = made.newest.opened_checkpoint()
    return Expectation(stated.size, stated.root)


def test_overwritten_objects_are_found_and_never_recovered_from(made: Estate, tmp_path: Path) -> None:
    for path in made.files():
        path.write_bytes(b"PAY" * 100)
    with pytest.raises(Corrupt, match=r"resurgam-repository\.json"):
        made.verify()
    assert isinstance(refused_run(made), Corrupt)
    with pytest.raises(Corrupt), recovered(made.root, tmp_path / "recovered"):
        pass


def test_a_writer_goes_on_after_overwritten_segments_and_only_reading_them_tells(made: Estate) -> None:
    harmed = made.objects("segments")[0]
    harmed.write_bytes(b"PAY")
    made.record(user_request(90))
    made.back_up()
    with pytest.raises(Corrupt, match=harmed.name):
        made.verify()
    with pytest.raises(Corrupt, match=harmed.name):
        verified_backup.make(made.database, made.root_key, made.repository, host_clock)


def test_deleted_newest_backups_are_noticed_by_the_deployment_and_by_whoever_expects_them(made: Estate) -> None:
    expected = expectation(made)
    for path in made.objects("manifests")[-2:]:
        path.unlink()
    error = refused_run(made)
    assert isinstance(error, Refused)
    assert error.rule == "repository-goes-forward"
    assert made.verify().records < expected.size, "what is left is whole: a bare machine cannot know"
    with pytest.raises(Corrupt, match="newer manifests are missing"):
        made.verify(expect=expected)


def test_a_deleted_repository_is_no_empty_one(made: Estate) -> None:
    for path in made.files():
        path.unlink()
    assert isinstance(refused_run(made), NotFound)


def test_garbage_at_the_names_of_coming_backups_is_void(made: Estate) -> None:
    for ahead in (1, 2, 5, 1_000):
        (made.root / layout.manifest(made.deployment, 3 + ahead)).write_bytes(b"garbage")
    with pytest.raises(Corrupt):
        made.verify()
    made.record(user_request(90))
    outcome = made.back_up()
    assert (outcome.manifest.sequence, len(outcome.manifest.void)) == (1_004, 4)
    assert made.verify().records == made.plane.head().position


def test_void_manifests_by_the_thousands_cost_one_list(made: Estate, tmp_path: Path) -> None:
    for number in range(VOIDS):
        (made.root / layout.manifest(made.deployment, 4 + number)).write_bytes(b"garbage")
    made.record(user_request(90))
    outcome = made.back_up()
    assert len(outcome.manifest.void) == VOIDS
    made.record(user_request(91))
    assert made.back_up().manifest.void == (), "and only once"
    assert made.verify().records == made.plane.head().position
    with recovered(made.root, tmp_path / "recovered") as (_, report):
        assert report.recovered_position == made.plane.head().position


def test_the_last_number_stops_backups_by_name_until_it_is_removed(made: Estate) -> None:
    taken = made.root / layout.manifest(made.deployment, layout.SEQUENCE_MAX)
    taken.write_bytes(b"garbage")
    assert taken.name in str(refused_run(made))
    taken.unlink()
    assert made.back_up().is_new


def test_a_manifest_of_another_signer_stops_backups_by_name_until_it_is_removed(made: Estate) -> None:
    signer = stranger(made.deployment)
    forgery = re_signed(made.newest, signer).model_copy(update={"sequence": 4, "void": ()})
    (made.root / forgery.name).write_bytes(manifest.sign(forgery, signer))
    assert forgery.name in str(refused_run(made))
    (made.root / forgery.name).unlink()
    assert made.back_up().is_new


def test_forged_attestations_make_nothing_fresh_and_forged_statements_delete_nothing(made: Estate) -> None:
    good = verified_backup.make(made.database, made.root_key, made.repository, host_clock).attestation
    aging = Aging(made)
    aging.live_days(3)
    data = (made.root / good).read_bytes()
    newest = made.newest.sequence
    forgery = forged(data, stranger(made.deployment), sequence=newest)
    (made.root / layout.attestation(made.deployment, newest, sha256(forgery).hexdigest())).write_bytes(forgery)
    found = freshness(made.repository, made.deployment, aging.now)
    assert found.newest is not None
    assert (found.newest.stored.manifest.sequence, len(found.others)) == (4, 1)
    aging.prune()
    statement = aging.statement(1).read_bytes()
    aging.statement(2).write_bytes(statement)
    aging.statement(1_000_000).write_bytes(statement[:-9] + b"AAAAAAAA\n")
    with pytest.raises(Corrupt, match=r"prunes|attestations"):
        made.verify()
    aging.live_days(2)
    aging.prune()
    check_whole(made)


@pytest.fixture
def locked(s3_server: Place, store_environment: Enter) -> Iterator[tuple[str, str, Any]]:
    """A bucket with object lock: its name, the endpoint of its writer, and the attacker's client."""
    store_environment(s3_server)
    client = boto3.client("s3", endpoint_url=s3_server.environment["AWS_ENDPOINT_URL_S3"], region_name="us-east-1")
    bucket = f"attacked-{os.urandom(6).hex()}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    client.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    # moto wants a header that AWS asks for only where there is no checksum; a signature it does not check.
    names_the_checksum = {"x-amz-checksum-sha256": {"x-amz-sdk-checksum-algorithm": "SHA256"}}
    endpoint = s3_server.environment["AWS_ENDPOINT_URL_S3"]
    with http_faults(endpoint, lambda *_: None, adds=names_the_checksum) as checked:
        yield bucket, checked, client


def test_with_versions_all_of_it_comes_back_by_the_documented_steps(
    made: Estate, locked: tuple[str, str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, endpoint, attacker = locked
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    repository = Repository.open_or_create(open_store(f"s3://{bucket}/region-1"))
    for number in range(4):
        made.record(user_request(90 + number))
        run.run(made.database, made.root_key, repository, host_clock)
    position = made.plane.head().position
    versions = attacker.list_object_versions(Bucket=bucket)["Versions"]
    sleep(1.1)  # a service tells times in whole seconds

    for number, version in enumerate(versions):
        with pytest.raises(ClientError, match="AccessDenied"):
            attacker.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        if number % 2:
            attacker.put_object(Bucket=bucket, Key=version["Key"], Body=b"PAY", ChecksumAlgorithm="SHA256")
        attacker.delete_object(Bucket=bucket, Key=version["Key"])
    garbage = f"region-1/{layout.manifest(made.deployment, 9)}"
    attacker.put_object(Bucket=bucket, Key=garbage, Body=b"PAY", ChecksumAlgorithm="SHA256")
    with pytest.raises((Corrupt, NotFound)):
        Repository.open(open_store(f"s3://{bucket}/region-1"))

    [script] = [block.text for block in blocks(text_of(PAGE)) if block.language == "python"]
    (tmp_path / "bring_back.py").write_text(script)
    began = min(version["LastModified"] for version in attacker.list_object_versions(Bucket=bucket)["DeleteMarkers"])
    back = tmp_path / "back"
    command = [sys.executable, str(tmp_path / "bring_back.py"), bucket, "region-1", str(back), began.isoformat()]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told == f"{len(versions)} objects\n"
    assert verify(back, made.deployment).records == position
    with recovered(back, tmp_path / "recovered") as (_, report):
        assert report.recovered_position == position


def test_a_prune_under_object_lock_hides_what_it_deletes_and_the_versions_stay(
    made: Estate, locked: tuple[str, str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, endpoint, client = locked
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    store = open_store(f"s3://{bucket}/region-1")
    repository = Repository.open_or_create(store)
    aging = Aging(made)
    for _ in range(6):
        aging.back_up(store)
        aging.pass_time(DAY)
    marked = aging.prune(store=store).plan
    for _ in range(2):
        aging.pass_time(DAY)
        aging.back_up(store)
    outcome = aging.prune(store=store)
    assert (len(outcome.deleted_manifests) > 1, outcome.failures) == (True, [])
    assert outcome.deleted_manifests == marked.marked_manifests
    hidden = {*outcome.deleted_objects, *(layout.manifest(made.deployment, n) for n in outcome.deleted_manifests)}
    assert not hidden & set(store.list())
    versions = {one["Key"] for one in client.list_object_versions(Bucket=bucket)["Versions"]}
    assert {f"region-1/{name}" for name in hidden} <= versions
    kept = [stored.manifest for stored in repository.chain(made.deployment)]
    assert kept[-1].last == made.plane.head().position
    for entry in kept[-1].objects():
        repository.get_object(made.deployment, entry)
