"""What goes wrong on the way to a store is named, bounded in time, and never a Conflict with the store's own write."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
from infra.backup.stores.patience import Patience
from infra.backup.stores.store import TEMPORARY_SECONDS_MAX, Store
from infra.backup.stores.url import open_store
from tests import store_servers
from tests.contracts.store import ROOT, large_object
from tests.disk import small_disk
from tests.fault_proxy import Fault, MessageCutter, http_faults
from tests.store_servers import Place, free_port

Enter = Callable[[Place], str]

QUICK = Patience(connect_s=2, stall_s=2, request_s=5, retries=3, retry_s=5, backoff_s=0.01, backoff_max_s=0.05)
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


@pytest.mark.parametrize(("name", "value"), [("PASSWORD", "wrong-password"), ("USERNAME", "nobody-here")])
def test_a_logon_that_fails_is_wrong(smb_server: Place, store_environment: Enter, name: str, value: str) -> None:
    wrong = replace(smb_server, environment={**smb_server.environment, f"RESURGAM_SMB_{name}": value})
    with pytest.raises(WrongKey, match="RESURGAM_SMB_CREDENTIALS") as raised:
        open_store(store_environment(wrong), patience=QUICK)
    assert value not in str(raised.value)


def test_smb_without_user_or_ticket_is_wrong(smb_server: Place, store_environment: Enter) -> None:
    with pytest.raises(WrongKey, match="Kerberos"):
        open_store(store_environment(replace(smb_server, environment={})), patience=QUICK)


def test_a_share_that_is_not_there_is_unavailable(smb_server: Place, store_environment: Enter) -> None:
    url = store_environment(smb_server).replace("/backups", "/nowhere")
    with pytest.raises(Unavailable, match="no such share"):
        open_store(url, create=True, patience=QUICK)


def test_a_folder_of_a_share_is_made_only_when_asked(smb_server: Place, store_environment: Enter) -> None:
    url = store_environment(smb_server.fresh())
    with pytest.raises(Unavailable, match="No such file"):
        open_store(url)
    open_store(f"{url}/a/b", create=True).put_new("c", b"1")
    assert open_store(url).get("a/b/c") == b"1"


def test_a_file_in_the_place_of_a_share_s_folder_is_unavailable(smb_server: Place, store_environment: Enter) -> None:
    url = store_environment(smb_server.fresh())
    open_store(url, create=True).put_new("a", b"1")
    with pytest.raises(Unavailable):
        open_store(f"{url}/a")


def test_a_read_only_share_can_be_read_and_refuses_to_be_written(smb_server: Place, store_environment: Enter) -> None:
    place = smb_server.fresh()
    open_store(store_environment(place), create=True).put_new("a", b"1")
    store = open_store(place.url.replace("/backups/", "/reading/"), patience=QUICK)
    assert store.get("a") == b"1"
    with pytest.raises((WrongKey, Unavailable), match=store.location):
        store.put_new("b", b"1")
    with pytest.raises((WrongKey, Unavailable), match=store.location):
        store.delete("a")


def test_a_server_that_does_not_encrypt_is_refused(tmp_path: Path, store_environment: Enter) -> None:
    with (
        store_servers.samba(tmp_path, settings="server smb encrypt = off") as place,
        pytest.raises(Unavailable, match="SMB 3 with encryption"),
    ):
        open_store(store_environment(place), patience=QUICK)


def test_a_share_without_links_gets_its_objects_by_a_rename(
    smb_server: Place, store_environment: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FAT on a NAS answers so; no share of one can be made in a test without its tools.
    import smbclient
    from smbprotocol.exceptions import SMBOSError

    def refuse(*_: object, **__: object) -> None:
        raise SMBOSError(0xC00000BB, "link")

    monkeypatch.setattr(smbclient, "link", refuse)
    store = open_store(store_environment(smb_server.fresh()), create=True)
    store.put_new("d/a", b"1")
    with pytest.raises(Conflict):
        store.put_new("d/a", b"2")
    assert (list(store.list()), store.get("d/a")) == (["d/a"], b"1")


def test_a_full_share_is_unavailable_and_leaves_nothing(tmp_path: Path, store_environment: Enter) -> None:
    share = tmp_path / "share"
    share.mkdir()
    with small_disk(share), store_servers.samba(tmp_path) as place:
        store = open_store(store_environment(place), patience=QUICK)
        store.put_new("d/a", b"1")
        with pytest.raises(Unavailable, match=r"cannot write d/b in smb://.*no space left"):
            store.put_new("d/b", large_object())
        assert [path.name for path in share.rglob("*") if path.is_file()] == ["a"]
        store.put_new("d/b", bytes(500_000))
        assert list(store.list()) == ["d/a", "d/b"]


def test_a_sweep_of_a_share_removes_old_temporary_files_only(tmp_path: Path, store_environment: Enter) -> None:
    with store_servers.samba(tmp_path) as place:
        store = open_store(f"{store_environment(place)}/a", create=True)
        store.put_new("d/a", b"1")
        folder = tmp_path / "share" / "a"
        old = time.time() - TEMPORARY_SECONDS_MAX - 1
        for path in (folder / "d" / ".tmp-old", folder / "d" / "a", folder / ".tmp-old", folder / ".tmp-new"):
            path.touch()
            os.utime(path, (old, old) if path.name != ".tmp-new" else None)
        assert store.sweep() == 2
        assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [".tmp-new", "a"]


@pytest.fixture
def cutter(smb_server: Place) -> Iterator[MessageCutter]:
    parts = urlsplit(smb_server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    made = MessageCutter(parts.hostname, parts.port)
    yield made
    made.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of handles that were cut
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_smb_that_is_cut_at_any_message_is_made_again(
    smb_server: Place, store_environment: Enter, cutter: MessageCutter
) -> None:
    place = smb_server.fresh()
    store_environment(place)
    url = f"smb://127.0.0.1:{cutter.port}{urlsplit(place.url).path}"
    store = open_store(url, create=True, patience=QUICK)
    for count in range(1, 200):
        name = f"d{count}/manifest"
        cutter.cut_after(count)
        whole_story(store, name, b"%d" % count)
        if not cutter.has_cut:
            assert count > 20
            return
    raise AssertionError("a story never ended")


def whole_story(store: Store, name: str, data: bytes) -> None:
    store.put_new(name, data)
    with pytest.raises(Conflict):
        store.put_new(name, b"another")
    assert store.get(name) == data
    with store.open(name) as reader:
        assert reader.read() == data
    assert list(store.list(name)) == [name]
    assert store.head(name) == len(data)
    store.delete(name)
    with pytest.raises(NotFound):
        store.get(name)


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
