"""`backup doctor` at the command line: what is said of a place, and with which exit code."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3  # type: ignore[import-untyped]  # it comes with moto, and brings no annotations
import pytest

from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.url import open_store
from tests import store_servers
from tests.infra.cli.command_line import CommandLine
from tests.store_servers import Place

Enter = Callable[[Place], str]


def test_every_kind_of_place_is_examined_before_there_is_a_repository(cli: CommandLine, repository_url: str) -> None:
    open_store(repository_url, create=True)
    result = cli.done("backup", "doctor", "--repository", repository_url, "--json").json
    assert result["location"] == repository_url
    assert result["verdict"] == "lacking"
    levels = {finding["check"]: finding["level"] for finding in result["findings"]}
    assert {levels[check] for check in ("list", "write", "read", "create-only", "race", "order", "delete")} == {"good"}
    assert "bad" not in levels.values()
    assert ("credentials" in levels) is not repository_url.startswith("file:")


def test_in_text_what_is_lacking_is_said_in_words(cli: CommandLine) -> None:
    (cli.folder / "backups").mkdir()
    *_, versions, retention, capacity, delete, last = cli.done("backup", "doctor", "--repository", "backups").out.split(
        "\n"
    )[:-1]
    assert versions.split(maxsplit=2) == ["lacking", "versions", "deleted objects are gone: keep a copy"]
    assert retention.startswith("lacking  retention")
    assert "GiB are free" in capacity
    assert delete.startswith("good     delete")
    assert last.endswith("; 2 things that would protect them are lacking, or cannot be seen")
    assert [path for path in (cli.folder / "backups").rglob("*") if path.is_file()] == []


def test_a_place_that_replaces_objects_ends_it_with_8(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    root = cli.folder / "backups"

    def overwrite(self: DirectoryStore, name: str, data: bytes) -> None:
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_bytes(data)

    root.mkdir()
    monkeypatch.setattr(DirectoryStore, "put_new", overwrite)
    result = cli("backup", "doctor", "--repository", "backups")
    assert result.code == 8
    assert "bad      create-only   a second writer replaces an object" in result.out
    assert "is not fit for backups with these credentials, see create-only, race" in result.err
    in_json = cli("backup", "doctor", "--repository", "backups", "--json")
    assert (in_json.code, in_json.json["verdict"], in_json.error["class"]) == (8, "bad", "Unavailable")


def test_a_place_that_is_not_there_is_named_and_not_made(cli: CommandLine) -> None:
    result = cli("backup", "doctor", "--repository", "nowhere")
    assert (result.code, result.out) == (8, "")
    assert not Path("nowhere").exists()
    assert cli("backup", "doctor").code == 2


@pytest.mark.parametrize(
    ("permissions", "code", "levels"),
    [
        ("rl", 8, {"list": "good", "write": "bad", "read": "good"}),
        ("rcl", 0, {"write": "good", "create-only": "good", "delete": "lacking"}),
    ],
)
def test_a_signature_with_fewer_rights_is_told_for_what_it_is(
    cli: CommandLine, azure_server: Place, store_environment: Enter, permissions: str, code: int, levels: dict[str, str]
) -> None:
    place = azure_server.fresh()
    open_store(store_environment(place)).put_new("resurgam-repository.json", b"{}")
    signed = store_servers.azure_signed(place, permissions, datetime.now(UTC) + timedelta(days=20, hours=1))
    result = cli("backup", "doctor", "--repository", store_environment(signed), "--json")
    found = {finding["check"]: finding for finding in result.json["findings"]}
    assert result.code == code, result
    assert {check: found[check]["level"] for check in levels} == levels
    assert "in 20 days: renew it now" in found["credentials"]["words"]
    assert "sig=" not in result.out + result.err


def test_a_bucket_with_versions_lacks_less(cli: CommandLine, s3_server: Place, store_environment: Enter) -> None:
    store_environment(s3_server)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="doctored")
    client.put_bucket_versioning(Bucket="doctored", VersioningConfiguration={"Status": "Enabled"})
    found = cli.done("backup", "doctor", "--repository", "s3://doctored/region-1", "--json").json["findings"]
    assert next(one["level"] for one in found if one["check"] == "versions") == "good"
