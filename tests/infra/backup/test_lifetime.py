"""Lifetimes: the ends of signatures, sessions and certificates are found where they are said, and named where not."""

import configparser
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from domain.instant import from_datetime
from infra.backup import doctor
from infra.backup.doctor import Level
from infra.backup.stores.lifetime import Lifetime, lifetimes
from tests import store_servers
from tests.store_servers import Place

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = "2026-12-24T00:00:00.000000Z"
Enter = Callable[[Place], str]

S3 = {
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
}
AZURE = {"AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:9/account", "AZURE_STORAGE_ACCOUNT_NAME": "account"}
KEY = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hunter2"}


def found(enter: Enter, url: str, **environment: str) -> Lifetime:
    """The only thing that ends, of a place with this environment."""
    [one] = lifetimes(enter(Place(url, environment)))
    assert "hunter2" not in repr(one)
    return one


def certificate(folder: Path, end: datetime) -> tuple[Path, Path]:
    """A certificate for this machine that ends then, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=server")
    begin = end - timedelta(days=400)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = builder.add_extension(names, critical=False).sign(key, SHA256())
    (folder / "server.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    protection = BestAvailableEncryption(b"hunter2")
    (folder / "server.pfx").write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, made, None, protection))
    return folder / "server.pem", folder / "key.pem"


def test_a_folder_is_reached_with_nothing_that_ends(tmp_path: Path) -> None:
    assert lifetimes(tmp_path.as_uri()) == lifetimes(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("se", "end"),
    [
        ("2026-12-24", END),
        ("2026-12-24T00:00Z", END),
        ("2026-12-24T00%3A00%3A00Z", END),
        ("2026-12-24T01%3A00%3A00%2B01%3A00", END),
        ("some-day", None),
    ],
)
def test_the_end_of_a_shared_access_signature_is_read_from_it(
    store_environment: Enter, se: str, end: str | None
) -> None:
    one = found(store_environment, "azure://backups", **AZURE, AZURE_STORAGE_SAS_TOKEN=f"?sv=1&se={se}&sig=hunter2")
    assert (one.what, one.expires) == ("shared access signature", end)


def test_a_connection_string_is_read_too_and_a_stored_policy_named(store_environment: Enter) -> None:
    text = "BlobEndpoint=http://127.0.0.1:9/account;AccountName=account;SharedAccessSignature=se=2026-12-24&sig=hunter2"
    assert found(store_environment, "azure://backups", AZURE_STORAGE_CONNECTION_STRING=text).expires == END
    one = found(store_environment, "azure://backups", **AZURE, AZURE_STORAGE_SAS_TOKEN="si=writers&sig=hunter2")
    assert (one.expires, one.words.endswith("its stored access policy says so")) == (None, True)


@pytest.mark.parametrize(
    ("environment", "what", "level"),
    [
        ({"AZURE_STORAGE_ACCOUNT_KEY": "hunter2"}, "account key", Level.LACKING),
        ({"AZURE_CLIENT_ID": "a", "AZURE_CLIENT_SECRET": "hunter2"}, "client secret", Level.LACKING),
        ({"AZURE_FEDERATED_TOKEN_FILE": "/token"}, "workload identity", Level.GOOD),
        ({}, "managed identity", Level.GOOD),
    ],
)
def test_what_has_no_end_that_can_be_seen_is_named_on_azure(
    store_environment: Enter, environment: dict[str, str], what: str, level: Level
) -> None:
    one = found(store_environment, "azure://backups", **AZURE, **environment)
    assert (one.what, one.expires, doctor.lasting([one], NOW)[0].level) == (what, None, level)


@pytest.mark.parametrize("name", ["server.pem", "server.pfx"])
def test_the_end_of_a_client_certificate_is_read_from_its_file(
    store_environment: Enter, tmp_path: Path, name: str
) -> None:
    certificate(tmp_path, datetime(2026, 12, 24, tzinfo=UTC))
    named = {"AZURE_CLIENT_CERTIFICATE_PATH": str(tmp_path / name), "AZURE_CLIENT_CERTIFICATE_PASSWORD": "hunter2"}
    assert found(store_environment, "azure://backups", **AZURE, **named).expires == END


@pytest.mark.parametrize("data", [None, b"nothing of the kind"])
def test_a_client_certificate_that_cannot_be_read_is_named(
    store_environment: Enter, tmp_path: Path, data: bytes | None
) -> None:
    path = tmp_path / "client.pem"
    if data is not None:
        path.write_bytes(data)
    one = found(store_environment, "azure://backups", **AZURE, AZURE_CLIENT_CERTIFICATE_PATH=str(path))
    assert one.expires is None
    assert "cannot be seen" in one.words


def test_a_session_in_the_environment_says_its_end_or_is_named(store_environment: Enter) -> None:
    session = {**S3, **KEY, "AWS_SESSION_TOKEN": "hunter2"}
    said = found(store_environment, "s3://backups", **session, AWS_CREDENTIAL_EXPIRATION="2026-12-24T00:00:00+00:00")
    assert (said.what, said.expires, said.is_renewed) == ("session token", END, False)
    silent = found(store_environment, "s3://backups", **session)
    assert (silent.expires, "AWS_CREDENTIAL_EXPIRATION can say so" in silent.words) == (None, True)
    key = found(store_environment, "s3://backups", **S3, **KEY)
    assert (key.what, doctor.lasting([key], NOW)[0].level) == ("access key", Level.GOOD)
    assert found(store_environment, "s3://backups", **S3).what == "role"


@pytest.mark.parametrize("name", ["expiration", "aws_expiration", "x_security_token_expires"])
def test_a_session_in_a_profile_s_file_says_its_end_and_is_renewed_there(
    store_environment: Enter, tmp_path: Path, name: str
) -> None:
    written = configparser.ConfigParser(interpolation=None)
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "hunter2", "aws_session_token": "hunter2"}
    written.read_dict({"default": {**keys, name: "2026-12-24T00:00:00Z"}})
    with (tmp_path / "credentials").open("w") as file:
        written.write(file)
    environment = {**S3, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    one = found(store_environment, "s3://backups", **environment)
    assert (one.expires, one.is_renewed) == (END, True)
    assert doctor.lasting([one], NOW)[0].level is Level.GOOD


def test_the_end_of_a_share_s_password_or_ticket_cannot_be_seen(store_environment: Enter) -> None:
    user = {"RESURGAM_SMB_USERNAME": "writer", "RESURGAM_SMB_PASSWORD": "hunter2"}
    assert found(store_environment, "smb://server/share", **user).what == "password"
    assert found(store_environment, "smb://server/share").what == "Kerberos ticket"


def test_the_certificate_of_an_endpoint_is_looked_at_also_if_nobody_trusts_it(
    store_environment: Enter, tmp_path: Path
) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
    with store_servers.moto(tmp_path, tls=certificate(tmp_path, end)) as place:
        _, one = lifetimes(store_environment(place))
    assert (one.what, one.expires) == ("endpoint certificate", from_datetime(end))
    [finding] = doctor.lasting([one], datetime.now(UTC))
    assert (finding.check, finding.level) == ("certificate", Level.LACKING)
    assert "renew it now" in finding.words


def test_an_endpoint_that_shows_no_certificate_is_named(store_environment: Enter) -> None:
    port = store_servers.free_port()
    secured = {**S3, **KEY, "AWS_ENDPOINT_URL_S3": f"https://127.0.0.1:{port}"}
    _, one = lifetimes(store_environment(Place("s3://backups", secured)))
    assert (one.what, one.expires) == ("endpoint certificate", None)
    assert one.words.endswith("Connection refused")


@pytest.mark.parametrize(
    ("left", "level", "words"),
    [
        (timedelta(days=91), Level.GOOD, "in 91 days"),
        (timedelta(days=90), Level.LACKING, "in 90 days: renew it in time"),
        (timedelta(days=31), Level.LACKING, "in 31 days: renew it in time"),
        (timedelta(days=30), Level.LACKING, "in 30 days: renew it now"),
        (timedelta(hours=5), Level.LACKING, "in 5 hours: renew it now"),
        (timedelta(0), Level.BAD, "has ended at 2026-11-22T12:00:00.000000Z: renew it now"),
    ],
)
def test_warnings_begin_90_and_30_days_before_the_end(left: timedelta, level: Level, words: str) -> None:
    [finding] = doctor.lasting([Lifetime("session token", from_datetime(NOW + left), "the token")], NOW)
    assert (finding.check, finding.level) == ("credentials", level)
    assert finding.words.endswith(words)
