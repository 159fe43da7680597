"""The whole story on each kind of store: backups, the machine is lost, and everything comes back from the store."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.backup.stores.url import open_store
from tests.infra.cli.command_line import CommandLine, request
from tests.infra.cli.estate import CANARY, SECOND_CANARY, SECRET, VAULT
from tests.infra.cli.watching import Watching
from tests.store_servers import Place

IDENTITY = ("--identity", "identity.txt")
RECOVERED = ("--store", "sqlite:///recovered.db", "--root-key-file", "recovered.root-key")


@pytest.fixture
def backed_up(estate: CommandLine, repository_url: str, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A deployment with two backups in a place of each kind, which RESURGAM_REPOSITORY names."""
    monkeypatch.setenv("RESURGAM_REPOSITORY", repository_url)
    recipient = estate.done("key", "generate", "--output", "identity.txt").out.strip()
    estate.record(request("AddBackupRecipient", name="safe", recipient=recipient))
    estate.done("backup", "run")
    estate.record(request("SetSecret", vaultId=VAULT, name="database", value=SECOND_CANARY))
    estate.done("backup", "run")
    return estate


def users(cli: CommandLine, *options: str) -> list[object]:
    return [one for line in cli.done("get", "user", "--json", *options).lines for one in line["resources"]]


def lose_the_machine() -> None:
    for path in (*Path().glob("resurgam.db*"), Path("resurgam.root-key")):
        path.unlink()


def test_what_was_backed_up_comes_back_and_is_backed_up_again(backed_up: CommandLine, repository_url: str) -> None:
    before = users(backed_up)
    verified = backed_up.done("backup", "verify", *IDENTITY, "--json").json
    assert verified["deployments"][0]["restorable"]["first"] == 1
    lose_the_machine()
    backed_up.done("recover", repository_url, *IDENTITY, "--trust-first-use", *RECOVERED)
    assert users(backed_up, "--store", "sqlite:///recovered.db") == before
    assert backed_up.done("secret", "read", SECRET, *RECOVERED).out == SECOND_CANARY
    backed_up.done("backup", "run", *RECOVERED)
    assert len(backed_up.done("backup", "verify", *IDENTITY, "--json").json["deployments"]) == 2


def test_nothing_readable_lies_in_the_store(backed_up: CommandLine, repository_url: str) -> None:
    store = open_store(repository_url)
    names = list(store.list())
    assert len(names) >= 6
    found = b"".join(store.get(name) for name in names)
    assert not any(secret.encode() in found for secret in (CANARY, SECOND_CANARY))


def test_a_missing_object_is_corrupt(backed_up: CommandLine, repository_url: str) -> None:
    store = open_store(repository_url)
    store.delete(next(name for name in store.list() if "/segments/" in name))
    assert backed_up("backup", "verify", *IDENTITY).code == 6


def test_a_store_that_is_not_there_is_told_without_its_credentials(
    estate: CommandLine, s3_server: Place, store_environment: Callable[[Place], str]
) -> None:
    store_environment(s3_server)
    refused = estate("backup", "list", "--repository", "s3://nowhere/a", "--json")
    assert (refused.code, refused.error["class"]) == (8, "Unavailable")
    assert not any(value in refused.err for name, value in s3_server.environment.items() if "ACCESS_KEY" in name)


def test_what_is_not_kept_is_marked_and_then_deleted(backed_up: CommandLine, repository_url: str) -> None:
    store = open_store(repository_url)
    marked = backed_up.done("backup", "prune", "--keep-last", "1", "--grace", "1s", "--json").json["markedNames"]
    assert set(marked) <= set(store.list())
    time.sleep(1.1)
    backed_up.record(request("SetSecret", vaultId=VAULT, name="database", value=CANARY))
    backed_up.done("backup", "run")
    pruned = backed_up.done("backup", "prune", "--keep-last", "1", "--grace", "1s", "--json").json
    assert pruned["deletedNames"] == marked
    assert not set(marked) & set(store.list())
    backed_up.done("backup", "verify", *IDENTITY)
    backed_up.done("backup", "drill", *IDENTITY, "--trust-first-use")


def test_a_watch_ships_and_verifies(backed_up: CommandLine, watch: Callable[..., Watching]) -> None:
    ran = watch()
    ran.until_told("verified")
    backed_up.record(request("SetSecret", vaultId=VAULT, name="database", value=CANARY))
    position = backed_up.done("get", "group", "--json").json["position"]
    ran.until_shipped(position)
    assert ran.end() == 0
    backed_up.done("backup", "status", "--max-age", "1h")
    backed_up.done("backup", "verify", *IDENTITY)
