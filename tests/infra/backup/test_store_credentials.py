"""Credentials come by the usual chains, from the environment and from files, and are shown nowhere."""

import configparser
import getpass
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import Conflict, Unavailable, Usage, WrongKey
from infra.backup.stores import aws_profile, smb_credentials
from infra.backup.stores.url import open_store
from tests import store_servers
from tests.store_servers import QUICK, Place

Enter = Callable[[Place], str]

KEYS = {"aws_access_key_id": "access-key-of-a-profile", "aws_secret_access_key": "hunter2"}


def without(place: Place, *names: str) -> Place:
    """A place with less in its environment."""
    return replace(place, environment={name: value for name, value in place.environment.items() if name not in names})


def profiles(path: Path, **sections: dict[str, str]) -> str:
    """Write a file of profiles, and return its path."""
    written = configparser.ConfigParser(interpolation=None)
    written.read_dict({name.replace("_", " "): values for name, values in sections.items()})
    with path.open("w") as file:
        written.write(file)
    return str(path)


@pytest.fixture
def profile_place(s3_server: Place, tmp_path: Path, store_environment: Enter) -> str:
    """A place on S3 that only a profile's files open: its keys, its region and its endpoint."""
    endpoint = s3_server.environment["AWS_ENDPOINT_URL_S3"]
    place = without(
        s3_server.fresh(), "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL_S3"
    )
    shared = profiles(tmp_path / "credentials", default=KEYS, backups=KEYS)
    settings = {"region": "eu-west-1", "endpoint_url": endpoint}
    config = profiles(tmp_path / "config", default=settings, profile_backups=settings, profile_sso={"sso_session": "a"})
    files = {"AWS_SHARED_CREDENTIALS_FILE": shared, "AWS_CONFIG_FILE": config}
    return store_environment(replace(place, environment={**place.environment, **files}))


@pytest.mark.parametrize("profile", [None, "backups"])
def test_a_profile_opens_s3(profile_place: str, monkeypatch: pytest.MonkeyPatch, profile: str | None) -> None:
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    store = open_store(profile_place, patience=QUICK)
    store.put_new("a", b"1")
    assert store.get("a") == b"1"
    found = aws_profile.find()
    assert found is not None
    assert found()["access_key_id"] == KEYS["aws_access_key_id"]


def test_keys_that_are_rotated_in_the_file_are_read_again(profile_place: str) -> None:
    provider = aws_profile.find()
    assert provider is not None
    rotated = {**KEYS, "aws_access_key_id": "the-next-key", "aws_session_token": "token"}
    profiles(Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]), default=rotated)
    assert (provider()["access_key_id"], provider()["token"]) == ("the-next-key", "token")


@pytest.mark.parametrize(
    ("profile", "said"), [("nobody", "there is no AWS profile nobody"), ("sso", "export-credentials")]
)
def test_a_profile_that_gives_no_keys_is_named(
    profile_place: str, monkeypatch: pytest.MonkeyPatch, profile: str, said: str
) -> None:
    monkeypatch.setenv("AWS_PROFILE", profile)
    with pytest.raises(Usage, match=said):
        open_store(profile_place, patience=QUICK)


def test_a_profile_without_a_secret_is_wrong(profile_place: str) -> None:
    profiles(Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]), default={"aws_access_key_id": "alone"})
    with pytest.raises(WrongKey, match="aws_secret_access_key"):
        open_store(profile_place, patience=QUICK)


def test_a_file_that_holds_no_profiles_is_named(profile_place: str) -> None:
    Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text("hunter2")
    with pytest.raises(Usage, match="credentials as a file of AWS profiles") as raised:
        open_store(profile_place, patience=QUICK)
    assert "hunter2" not in str(raised.value)


def test_the_environment_goes_before_a_profile(
    profile_place: str, monkeypatch: pytest.MonkeyPatch, s3_server: Place
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, s3_server.environment[name])
    open_store(profile_place, patience=QUICK).put_new("a", b"1")


@pytest.mark.parametrize(
    ("kind", "variable", "path", "keys"),
    [
        ("s3", "AWS_METADATA_ENDPOINT", "", ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        ("azure", "AZURE_MSI_ENDPOINT", "/metadata/identity/oauth2/token", ("AZURE_STORAGE_ACCOUNT_KEY",)),
    ],
)
def test_without_any_credentials_the_ways_to_give_them_are_named(
    kind: str, variable: str, path: str, keys: tuple[str, ...], request: pytest.FixtureRequest, store_environment: Enter
) -> None:
    place = without(request.getfixturevalue(f"{kind}_server"), *keys)
    nobody = {variable: f"http://127.0.0.1:{store_servers.free_port()}{path}"}
    with pytest.raises(WrongKey, match="no usable credentials are found"):
        open_store(store_environment(replace(place, environment={**place.environment, **nobody})), patience=QUICK)


def connection_string(place: Place, **other: str) -> str:
    environment = place.environment
    parts = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": environment["AZURE_STORAGE_ACCOUNT_NAME"],
        "AccountKey": environment["AZURE_STORAGE_ACCOUNT_KEY"],
        "BlobEndpoint": environment["AZURE_STORAGE_ENDPOINT"],
    }
    return ";".join(f"{key}={value}" for key, value in {**parts, **other}.items())


def azure_environments(place: Place) -> list[dict[str, str]]:
    """The ways in which a key of an account can be given."""
    account, key, endpoint = place.environment.values()
    return [
        {"AZURE_STORAGE_CONNECTION_STRING": connection_string(place)},
        {"AZURE_STORAGE_ACCOUNT": account, "AZURE_STORAGE_KEY": key, "AZURE_STORAGE_ENDPOINT": endpoint},
        {"AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_STORAGE_ACCESS_KEY": key, "AZURE_STORAGE_ENDPOINT": endpoint},
    ]


@pytest.mark.parametrize("way", range(3))
def test_azure_takes_a_key_in_the_ways_of_its_own_tools(
    azure_server: Place, store_environment: Enter, way: int
) -> None:
    place = replace(azure_server.fresh(), environment=azure_environments(azure_server)[way])
    store = open_store(store_environment(place), patience=QUICK)
    store.put_new("a", b"1")
    assert list(store.list()) == ["a"]


def test_a_signature_to_read_create_and_list_is_enough_for_azure(azure_server: Place, store_environment: Enter) -> None:
    place = store_servers.azure_signed(azure_server.fresh(), "rcl", datetime.now(UTC) + timedelta(hours=1))
    store = open_store(store_environment(place), patience=QUICK)
    store.put_new("a", b"1")
    with pytest.raises(Conflict):
        store.put_new("a", b"2")
    assert (list(store.list()), store.get("a")) == (["a"], b"1")
    with pytest.raises(WrongKey, match="cannot delete a in azure://"):
        store.delete("a")


@pytest.mark.parametrize(("permissions", "hours"), [("rcl", -1), ("c", 1)])
def test_a_signature_that_has_ended_or_lacks_a_right_is_wrong_and_not_repeated(
    azure_server: Place, store_environment: Enter, permissions: str, hours: int
) -> None:
    place = store_servers.azure_signed(azure_server.fresh(), permissions, datetime.now(UTC) + timedelta(hours=hours))
    with pytest.raises(WrongKey, match="AZURE_STORAGE_SAS_TOKEN") as raised:
        open_store(store_environment(place), patience=QUICK)
    assert "sig=" not in str(raised.value)


def test_azure_without_an_account_is_named(azure_server: Place, store_environment: Enter) -> None:
    with pytest.raises(Usage, match="AZURE_STORAGE_CONNECTION_STRING"):
        open_store(store_environment(replace(azure_server, environment={})))


@pytest.fixture
def smb_file(smb_server: Place, tmp_path: Path, store_environment: Enter) -> tuple[str, Path]:
    """A place on SMB that a file of credentials opens, and the file."""
    user, password = smb_server.environment.values()
    path = tmp_path / "credentials"
    path.write_text(f"# of the share\nusername={user}\npassword={password}\n")
    path.chmod(0o600)
    place = replace(smb_server.fresh(), environment={smb_credentials.FILE: str(path)})
    return store_environment(place), path


def test_a_file_of_credentials_opens_a_share(smb_file: tuple[str, Path]) -> None:
    store = open_store(smb_file[0], create=True, patience=QUICK)
    store.put_new("a", b"1")
    assert list(store.list()) == ["a"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_of_credentials_that_others_may_read_is_refused(smb_file: tuple[str, Path], mode: int) -> None:
    smb_file[1].chmod(mode)
    with pytest.raises(WrongKey, match="chmod 600"):
        open_store(smb_file[0])


def test_a_file_of_credentials_of_another_form_is_not_repeated(smb_file: tuple[str, Path]) -> None:
    smb_file[1].write_text("hunter2\n")
    with pytest.raises(Usage, match="username=") as raised:
        open_store(smb_file[0])
    assert "hunter2" not in str(raised.value)


def test_a_file_of_credentials_that_is_not_there_is_unavailable(smb_file: tuple[str, Path]) -> None:
    smb_file[1].unlink()
    with pytest.raises(Unavailable, match=str(smb_file[1])):
        open_store(smb_file[0])


def test_a_domain_stands_before_the_user(smb_file: tuple[str, Path]) -> None:
    with smb_file[1].open("a") as file:
        file.write("domain=REGION\n")
    found = smb_credentials.find()
    assert found.username == f"REGION\\{getpass.getuser()}"
    assert store_servers.SMB_PASSWORD not in repr(found)


@pytest.mark.parametrize("name", [smb_credentials.USERNAME, smb_credentials.PASSWORD])
def test_half_of_the_credentials_is_refused(smb_server: Place, store_environment: Enter, name: str) -> None:
    with pytest.raises(Usage, match="go together"):
        open_store(store_environment(without(smb_server, name)))
