"""What goes wrong on the way to a store is named, bounded in time, and never a Conflict with the store's own write."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from domain.errors import Conflict, NotFound, Unavailable, Usage, WrongKey
from infra.backup.stores.url import open_store
from tests import store_servers
from tests.contracts.store import ROOT, large_object
from tests.fault_proxy import Fault, http_faults
from tests.store_servers import QUICK, Place, free_port

Enter = Callable[[Place], str]

ENDPOINTS = {"s3": "AWS_ENDPOINT_URL_S3", "azure": "AZURE_STORAGE_ENDPOINT"}
SECRETS = ("secret-key-of-the-tests", store_servers.AZURE_KEY, store_servers.SMB_PASSWORD)
ERROR = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>told</Message></Error>"

# After a try that was heard and whose answer was lost, the name is taken by what it wrote.
UNSEEN = {"an answer is lost": Fault(True), "a gateway gives up": Fault(True, 503), "it is busy": Fault(False, 503)}


@pytest.fixture(params=["s3", "azure"])
def served(request: pytest.FixtureRequest) -> Place:
    """A fresh place on each object service in turn."""
    server: Place = request.getfixturevalue(f"{request.param}_server")
    return server.fresh()


def endpoint_of(place: Place) -> str:
    """The variable that holds a place's endpoint."""
    return ENDPOINTS[urlsplit(place.url).scheme]


def at(place: Place, endpoint: str) -> Place:
    """The same place by another way."""
    return replace(place, environment={**place.environment, endpoint_of(place): endpoint})


@pytest.mark.parametrize("name", UNSEEN)
def test_a_put_that_succeeded_unseen_is_no_conflict(served: Place, store_environment: Enter, name: str) -> None:
    def plan(method: str, number: int) -> Fault | None:
        return UNSEEN[name] if (method, number) == ("PUT", 1) else None

    with http_faults(served.environment[endpoint_of(served)], plan) as endpoint:
        store = open_store(store_environment(at(served, endpoint)), patience=QUICK)
        store.put_new("d/manifest", b"ours")
        assert store.get("d/manifest") == b"ours"
        with pytest.raises(Conflict):
            store.put_new("d/manifest", b"their")
        with pytest.raises(Conflict):
            store.put_new("d/manifest", b"other")


def test_a_name_that_is_said_to_be_taken_and_is_free_is_unavailable(served: Place, store_environment: Enter) -> None:
    def plan(method: str, number: int) -> Fault | None:
        return Fault(False, 412) if method == "PUT" else None

    with http_faults(served.environment[endpoint_of(served)], plan) as endpoint:
        store = open_store(store_environment(at(served, endpoint)), patience=QUICK)
        with pytest.raises(Unavailable, match="another writer is at it"):
            store.put_new("d/manifest", b"ours")


@pytest.mark.parametrize("fault", [Fault(False, 503), Fault(False, 500), Fault(False)])
def test_a_storm_that_does_not_end_is_unavailable(served: Place, store_environment: Enter, fault: Fault) -> None:
    storm = False

    def plan(method: str, number: int) -> Fault | None:
        return fault if storm else None

    with http_faults(served.environment[endpoint_of(served)], plan) as endpoint:
        store = open_store(store_environment(at(served, endpoint)), patience=QUICK)
        store.put_new("a", b"1")
        storm = True
        for ask in (store.get, store.head, store.delete, store.open, lambda _: list(store.list())):
            with pytest.raises(Unavailable, match=store.location):
                ask("a")
        with pytest.raises(Unavailable, match=store.location):
            store.put_new("b", b"1")
        storm = False
        assert list(store.list()) == ["a"]


def test_a_short_storm_is_sat_out(served: Place, store_environment: Enter) -> None:
    def plan(method: str, number: int) -> Fault | None:
        return Fault(False, 503) if number % 2 == 1 else None

    with http_faults(served.environment[endpoint_of(served)], plan) as endpoint:
        store = open_store(store_environment(at(served, endpoint)), patience=QUICK)
        store.put_new("a", b"1")
        assert (store.get("a"), store.head("a"), list(store.list())) == (b"1", 1, ["a"])
        store.delete("a")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, b"ExpiredToken", WrongKey),
        (400, b"InvalidToken", WrongKey),
        (403, b"AccessDenied", WrongKey),
        (403, b"SignatureDoesNotMatch", WrongKey),
        (401, b"InvalidAuthenticationInfo", WrongKey),
        (403, b"RequestTimeTooSkewed", Unavailable),
        (404, b"NoSuchBucket", Unavailable),
        (404, b"ContainerNotFound", Unavailable),
        (404, b"NoSuchKey", NotFound),
        (400, b"SomethingNew", Unavailable),
    ],
)
def test_an_answer_is_named_by_its_code(
    served: Place, store_environment: Enter, status: int, code: bytes, expected: type[Exception]
) -> None:
    refuses = False

    def plan(method: str, number: int) -> Fault | None:
        return Fault(False, status, ERROR % code) if refuses else None

    with http_faults(served.environment[endpoint_of(served)], plan) as endpoint:
        store = open_store(store_environment(at(served, endpoint)), patience=QUICK)
        refuses = True
        with pytest.raises(expected) as raised:
            store.get("a")
        assert expected is NotFound or code.decode() in str(raised.value) or status == 404
        assert not any(secret in str(raised.value) for secret in SECRETS)


def test_a_download_that_breaks_goes_on_where_it_was(served: Place, store_environment: Enter) -> None:
    url = store_environment(served)
    open_store(url).put_new("large", large_object())

    def plan(method: str, number: int) -> Fault | None:
        return Fault(False) if method == "GET" and number == 2 else None

    with http_faults(served.environment[endpoint_of(served)], plan) as endpoint:
        store = open_store(store_environment(at(served, endpoint)), patience=QUICK)
        with store.open("large") as reader:
            assert reader.read() == large_object()


def test_a_service_that_lists_out_of_order_is_named(s3_server: Place, store_environment: Enter) -> None:
    store = open_store(store_environment(s3_server.fresh()))
    store.put_new("a", b"")
    prefix = urlsplit(store.location).path[1:]
    keys = b"".join(
        b"<Contents><Key>%s/%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>0</Size></Contents>"
        % (prefix.encode(), name)
        for name in (b"b", b"a")
    )
    page = b"<ListBucketResult><IsTruncated>false</IsTruncated><Name>backups</Name>%s</ListBucketResult>" % keys

    def plan(method: str, number: int) -> Fault | None:
        return Fault(False, 200, page)

    with http_faults(s3_server.environment[ENDPOINTS["s3"]], plan) as endpoint:
        os.environ[ENDPOINTS["s3"]] = endpoint
        store = open_store(store.location)
        with pytest.raises(Unavailable, match="lists a after b"):
            list(store.list())


@pytest.mark.parametrize("kind", ["s3", "azure", "smb"])
def test_a_server_that_is_not_there_is_unavailable(
    kind: str, request: pytest.FixtureRequest, store_environment: Enter
) -> None:
    place: Place = request.getfixturevalue(f"{kind}_server")
    port = free_port()
    away = (
        Place(f"smb://127.0.0.1:{port}/backups", place.environment)
        if kind == "smb"
        else at(place, f"http://127.0.0.1:{port}/x")
    )
    with pytest.raises(Unavailable, match=r"refused") as raised:
        open_store(store_environment(away), patience=QUICK)
    assert away.url in str(raised.value)


@pytest.mark.parametrize("kind", ["s3", "azure", "smb"])
def test_a_server_that_never_answers_is_unavailable(
    kind: str, request: pytest.FixtureRequest, store_environment: Enter
) -> None:
    place: Place = request.getfixturevalue(f"{kind}_server")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        away = (
            Place(f"smb://127.0.0.1:{port}/backups", place.environment)
            if kind == "smb"
            else at(place, f"http://127.0.0.1:{port}/x")
        )
        with pytest.raises(Unavailable):
            open_store(store_environment(away), patience=replace(QUICK, stall_s=1, retries=1))


@pytest.mark.parametrize("kind", ["s3", "azure", "smb"])
def test_a_server_that_never_answers_can_be_left_with_ctrl_c(
    kind: str, request: pytest.FixtureRequest, store_environment: Enter
) -> None:
    place: Place = request.getfixturevalue(f"{kind}_server")
    program = "import sys; from infra.backup.stores.url import open_store; open_store(sys.argv[1])"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = store_environment(place if kind == "smb" else at(place, f"http://127.0.0.1:{port}/x"))
        url = url.replace(urlsplit(url).netloc, f"127.0.0.1:{port}") if kind == "smb" else url
        waiting = subprocess.Popen([sys.executable, "-c", program, url], cwd=ROOT, stderr=subprocess.PIPE)
        connection, _ = silent.accept()
        assert connection.recv(1)  # it has sent its request, and waits
        waiting.send_signal(signal.SIGINT)
        _, told = waiting.communicate()
        # The connection is open until now: nothing but the signal has ended the wait.
        connection.close()
    assert b"KeyboardInterrupt" in told


@pytest.mark.parametrize("kind", ["s3", "azure"])
def test_a_bucket_that_is_not_there_is_unavailable_and_not_made(
    kind: str, request: pytest.FixtureRequest, store_environment: Enter
) -> None:
    place: Place = request.getfixturevalue(f"{kind}_server")
    store_environment(place)
    with pytest.raises(Unavailable, match="no such bucket or container"):
        open_store(f"{kind}://nowhere/a", create=True, patience=QUICK)


def test_keys_that_s3_does_not_know_are_wrong(tmp_path: Path, store_environment: Enter) -> None:
    with (
        store_servers.moto(tmp_path, checks_keys=True) as place,
        pytest.raises(WrongKey, match=r"InvalidAccessKeyId.*AWS_PROFILE") as raised,
    ):
        open_store(store_environment(place), patience=QUICK)
    assert not any(secret in str(raised.value) for secret in SECRETS)


@pytest.mark.parametrize("key", ["d3Jvbmc=", "no base64!"])
def test_a_key_that_azure_does_not_know_is_wrong(azure_server: Place, store_environment: Enter, key: str) -> None:
    wrong = replace(azure_server, environment={**azure_server.environment, "AZURE_STORAGE_ACCOUNT_KEY": key})
    with pytest.raises(WrongKey, match="AZURE_STORAGE_ACCOUNT_KEY") as raised:
        open_store(store_environment(wrong), patience=QUICK)
    assert key not in str(raised.value)


def test_plain_http_is_for_this_machine_unless_it_is_allowed(
    s3_server: Place, store_environment: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = store_environment(at(s3_server.fresh(), "http://hunter2.region.example"))
    with pytest.raises(Usage, match="AWS_ALLOW_HTTP=true") as raised:
        open_store(url)
    assert "hunter2" not in str(raised.value)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    with pytest.raises(Unavailable):
        open_store(url, patience=QUICK)


def test_a_private_authority_is_trusted_when_it_is_named(
    tmp_path: Path, store_environment: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, certificate = certificates(tmp_path)
    with store_servers.moto(tmp_path, tls=certificate) as place:
        url = store_environment(place)
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            open_store(url, patience=QUICK)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
        with pytest.raises(Unavailable, match="no such bucket"):
            open_store(url, patience=QUICK)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing"))
        with pytest.raises(Unavailable, match="missing, which AWS_CA_BUNDLE names"):
            open_store(url, patience=QUICK)


def certificates(folder: Path) -> tuple[Path, tuple[Path, Path]]:
    """An authority's certificate, and one of it for this machine with its key."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name.from_rfc4514_string(f"CN={name}") for name in ("authority", "server")]
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    extensions = [x509.BasicConstraints(ca=True, path_length=0), alternative]
    paths = [folder / f"{name}.pem" for name in ("authority", "server", "key")]
    for name, key, extension, path in zip(names, keys, extensions, paths, strict=False):
        begin, end = now - timedelta(days=1), now + timedelta(days=1)
        builder = x509.CertificateBuilder(names[0], name, key.public_key(), x509.random_serial_number(), begin, end)
        made = builder.add_extension(extension, critical=False).sign(keys[0], SHA256())
        path.write_bytes(made.public_bytes(Encoding.PEM))
    paths[2].write_bytes(keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths[0], (paths[1], paths[2])
