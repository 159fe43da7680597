"""The servers behind the stores, started by the tests: moto for S3, Azurite for Azure Blob, Samba for SMB.

Each runs on the loopback interface, on a free port, in a folder of its own, and ends with the tests that began it.
"""

import base64
import getpass
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlencode

from infra.backup.stores.patience import Patience
from tests.installed import installed, missing

ROOT = Path(__file__).parents[1]
START_S = 60
SMBD = Path("/usr/sbin/smbd")
SMB_PASSWORD = "share-password-1"
AZURITE = "azurite@3.35.0"
AZURE_ACCOUNT = "resurgamtest"
AZURE_KEY = base64.b64encode(b"account-key-of-the-tests").decode()
BUCKET = "backups"

QUICK = Patience(connect_s=2, stall_s=2, request_s=5, retries=3, retry_s=5, backoff_s=0.01, backoff_max_s=0.05)
"""Of tests in which a server does not answer."""

VARIABLES = ("AWS_", "AZURE_", "RESURGAM_SMB_")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository can be, and the environment by which it is reached."""

    url: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def fresh(self) -> "Place":
        """A part of this place that nobody used."""
        return Place(f"{self.url}/{uuid.uuid4().hex}", self.environment)


@contextmanager
def moto(folder: Path, *, checks_keys: bool = False, tls: "tuple[Path, Path] | None" = None) -> Iterator[Place]:
    """An S3 server with a bucket; with `checks_keys` it accepts none but those of its own users, and there are none.

    `tls` is a certificate for 127.0.0.1 with its key; then there is no bucket.
    """
    port = free_port()
    program = Path(sys.executable).with_name("moto_server")
    if not program.exists():
        missing("moto is not installed: it comes with the extra `dev`")
    environment = {
        "AWS_ACCESS_KEY_ID": "access-key-of-the-tests",
        "AWS_SECRET_ACCESS_KEY": "secret-key-of-the-tests",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": f"http{'s' if tls else ''}://127.0.0.1:{port}",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
    }
    # The first request, which makes the bucket, needs no known key.
    checks = {"INITIAL_NO_AUTH_ACTION_COUNT": "1"} if checks_keys else {}
    command: list[str | Path] = [program, "-H", "127.0.0.1", "-p", str(port)]
    if tls:
        command += ["-s", "-c", tls[0], "-k", tls[1]]
    with _running(command, folder, port, {**os.environ, **environment, **checks}):
        if tls is None:
            _put(
                f"http://127.0.0.1:{port}/{BUCKET}", {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b/us-east-1/s3/c"}
            )
        yield Place(f"s3://{BUCKET}", environment)


@contextmanager
def azurite(folder: Path) -> Iterator[Place]:
    """An Azure Blob server with a container."""
    if not shutil.which("npm"):
        missing("npm is not installed, which brings Azurite")
    package = installed(AZURITE, _install_azurite)
    if package is None:
        missing(f"npm could not install {AZURITE}")
    port = free_port()
    command: list[str | Path] = [
        package / "node_modules" / ".bin" / "azurite-blob",
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
    ]
    options = ["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    accounts = {"AZURITE_ACCOUNTS": f"{AZURE_ACCOUNT}:{AZURE_KEY}"}
    command += options
    with _running(command, folder, port, {**os.environ, **accounts}):
        endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        _put(f"{endpoint}/{BUCKET}?restype=container", _azure_signature(f"{BUCKET}\nrestype:container"))
        environment = {
            "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
            "AZURE_STORAGE_ENDPOINT": endpoint,
        }
        yield Place(f"azure://{BUCKET}", environment)


@contextmanager
def samba(folder: Path, *, settings: str = "server smb encrypt = required") -> Iterator[Place]:
    """An SMB server with a share `backups`, whose user is whoever runs the tests."""
    if not SMBD.exists():
        done = subprocess.run([ROOT / "scripts" / "install-stores"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            missing(f"Samba is not installed: {done.stderr.strip()[-300:]}")
    port = free_port()
    for name in ("state", "share"):
        (folder / name).mkdir(exist_ok=True)
    configuration = folder / "smb.conf"
    configuration.write_text(_SMB_CONF.format(port=port, folder=folder, settings=settings))
    user = getpass.getuser()
    subprocess.run(
        ["smbpasswd", "-c", configuration, "-a", "-s", user],
        input=f"{SMB_PASSWORD}\n{SMB_PASSWORD}\n",
        text=True,
        check=True,
        capture_output=True,
    )
    with _running([SMBD, "-F", "--no-process-group", "-s", configuration], folder, port, os.environ):
        environment = {"RESURGAM_SMB_USERNAME": user, "RESURGAM_SMB_PASSWORD": SMB_PASSWORD}
        yield Place(f"smb://127.0.0.1:{port}/backups", environment)


_SMB_CONF = """
[global]
  server role = standalone server
  bind interfaces only = yes
  interfaces = lo
  smb ports = {port}
  server min protocol = SMB3
  {settings}
  disable netbios = yes
  load printers = no
  passdb backend = tdbsam:{folder}/state/passdb.tdb
  private dir = {folder}/state
  lock directory = {folder}/state
  state directory = {folder}/state
  cache directory = {folder}/state
  pid directory = {folder}/state
  ncalrpc dir = {folder}/state/ncalrpc
  log file = {folder}/log
[backups]
  path = {folder}/share
  read only = no
[reading]
  path = {folder}/share
  read only = yes
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def _running(
    command: list[str | Path], folder: Path, port: int, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "output").open("wb") as output:
        # smbd ends its whole process group with itself.
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait(lambda: _answers(port), server, folder / "output")
        yield server
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(condition: Callable[[], bool], server: "subprocess.Popen[bytes]", output: Path) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert server.poll() is None, output.read_text("utf-8", "replace")
        assert time.monotonic() < deadline, f"{server.args!r} does not answer"
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _install_azurite(folder: Path) -> None:
    command: list[str | Path] = ["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, AZURITE]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)


def _put(url: str, headers: Mapping[str, str]) -> None:
    request = urllib.request.Request(url, method="PUT", headers={"Content-Length": "0", **headers})
    with urllib.request.urlopen(request, timeout=START_S) as answer:
        assert answer.status in (200, 201)


def _azure_signature(resource: str) -> dict[str, str]:
    """The headers of a signed PUT without a body: obstore makes no containers."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    shown = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    # The account stands in the path too, as this server has it.
    text = "PUT" + "\n" * 12 + shown + f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{resource}"
    signature = hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256).digest()
    return {**headers, "Authorization": f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(signature).decode()}"}


def azure_signed(place: Place, permissions: str, until: datetime) -> Place:
    """A place by a shared access signature for its container, and not by the account's key."""
    version, container = "2020-12-06", f"/blob/{AZURE_ACCOUNT}/{BUCKET}"
    end = until.strftime("%Y-%m-%dT%H:%M:%SZ")
    # Permissions, start, end, resource; then policy, address, protocol; version, kind; snapshot, scope, five headers.
    fields = [permissions, "", end, container, "", "", "", version, "c", *[""] * 7]
    signature = hmac.new(base64.b64decode(AZURE_KEY), "\n".join(fields).encode(), hashlib.sha256).digest()
    parts = {"sv": version, "sr": "c", "sp": permissions, "se": end, "sig": base64.b64encode(signature).decode()}
    environment = {key: value for key, value in place.environment.items() if key != "AZURE_STORAGE_ACCOUNT_KEY"}
    return Place(place.url, {**environment, "AZURE_STORAGE_SAS_TOKEN": urlencode(parts)})
