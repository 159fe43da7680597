"""Credentials that expire or are revoked midway: one clear alert, nothing half done, and on it goes with right ones."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep

import pytest

from tests import store_servers
from tests.fault_proxy import Fault, http_faults
from tests.infra.backup.test_network_store_faults import ERROR, at, endpoint_of
from tests.infra.cli.command_line import CommandLine, process, user
from tests.infra.cli.watching import Watching, close, head_of, with_recipient
from tests.store_servers import Place

Enter = Callable[[Place], str]
RUN = ("backup", "run", "--json")
REFUSALS = {
    "s3 expired": ("s3", 400, b"ExpiredToken"),
    "s3 revoked": ("s3", 403, b"InvalidAccessKeyId"),
    "azure expired": ("azure", 403, b"AuthenticationFailed"),
    "azure revoked": ("azure", 403, b"AuthorizationPermissionMismatch"),
}


@dataclass
class Gate:
    """Lets so many more requests pass, and refuses those after; with None all pass."""

    fault: Fault
    left: int | None = None
    passed: int = 0

    def __call__(self, method: str, number: int) -> Fault | None:
        if self.left is None:
            self.passed += 1
            return None
        self.left -= 1
        return self.fault if self.left < 0 else None


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow if "revoked" in name else ()) for name in REFUSALS])
def gated(
    request: pytest.FixtureRequest, installed: CommandLine, store_environment: Enter, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[CommandLine, Gate]]:
    """A deployment that has made a backup by way of a gate."""
    kind, status, code = REFUSALS[request.param]
    place: Place = request.getfixturevalue(f"{kind}_server").fresh()
    gate = Gate(Fault(False, status, ERROR % code))
    with http_faults(place.environment[endpoint_of(place)], gate) as endpoint:
        monkeypatch.setenv("RESURGAM_REPOSITORY", store_environment(at(place, endpoint)))
        with_recipient(installed)
        installed.done(*RUN)
        yield installed, gate


def manifests(cli: CommandLine) -> int:
    return len(cli.done("backup", "list", "--json").json["deployments"][0]["backups"])


def restorable(cli: CommandLine) -> int:
    verified = cli.done("backup", "verify", "--identity", "identity.txt", "--json").json
    return int(verified["deployments"][0]["restorable"]["last"])


def test_a_run_ends_with_7_at_whichever_request_and_the_next_one_goes_on(gated: tuple[CommandLine, Gate]) -> None:
    cli, gate = gated
    cli.record(user(1))
    gate.passed = 0
    cli.done(*RUN)
    requests = gate.passed
    assert requests > 10
    for number in range(0, requests, 5):
        cli.record(user(10 + number))
        before = manifests(cli)
        gate.left = number
        refused = cli(*RUN)
        gate.left = None
        assert refused.code == 7, (number, refused)
        assert refused.error["class"] == "WrongKey"
        assert not any(secret in refused.err for secret in (store_servers.AZURE_KEY, "secret-key-of-the-tests"))
        assert manifests(cli) in (before, before + 1), "the last requests only read the manifest back"
        cli.done(*RUN)
        assert restorable(cli) == head_of(cli)


def test_a_watch_tells_once_and_goes_on_when_the_credentials_are_right(gated: tuple[CommandLine, Gate]) -> None:
    cli, gate = gated
    cli.done(*RUN, "--verified")
    running = Watching("--repository", os.environ["RESURGAM_REPOSITORY"], folder=cli.folder)
    try:
        running.until_shipped()
        gate.left = 3
        cli.record(user(1))
        failing = running.until_told("failing")
        assert (failing["what"], failing["error"]["class"]) == ("shipping", "WrongKey")
        cli.record(user(2))
        while gate.left is None or gate.left > -3:  # it has tried again
            assert running.process.poll() is None
            sleep(0.1)
        gate.left = None
        shipped = running.until_shipped(head_of(cli))
        assert running.until_told("back")["what"] == "shipping"
        assert shipped["newRecords"] == 2
        assert running.end() == 0
        assert [name for name in running.told() if name != "shipped"] == ["failing", "back"], "and only once"
    finally:
        running.process.kill()
        running.process.wait()
        close(running.process)
    assert restorable(cli) == head_of(cli)


def test_a_run_onto_a_share_whose_password_was_changed_ends_with_7(
    installed: CommandLine, tmp_path: Path, store_environment: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "samba").mkdir()
    with store_servers.samba(tmp_path / "samba") as place:
        url = store_environment(replace(place.fresh(), environment=place.environment))
        monkeypatch.setenv("RESURGAM_REPOSITORY", url)
        with_recipient(installed)
        assert process_code(*RUN, "--new-repository") == 0
        change_password(tmp_path / "samba", place, "another-password-2")
        installed.record(user(1))
        code, told = process_told(*RUN)
        assert (code, json.loads(told)["error"]["class"]) == (7, "WrongKey")
        assert store_servers.SMB_PASSWORD not in told
        monkeypatch.setenv("RESURGAM_SMB_PASSWORD", "another-password-2")
        assert process_code(*RUN) == 0
        assert restorable(installed) == head_of(installed)


def change_password(folder: Path, place: Place, password: str) -> None:
    user_name = place.environment["RESURGAM_SMB_USERNAME"]
    command: list[str | Path] = ["smbpasswd", "-c", folder / "smb.conf", "-a", "-s", user_name]
    subprocess.run(command, input=f"{password}\n{password}\n", text=True, check=True, capture_output=True)


def process_told(*arguments: str) -> tuple[int, str]:
    """Run a command in a process of its own, which shares no session with a server."""
    done = process(*arguments, folder=Path.cwd())
    _, told = done.communicate()
    return done.returncode, told.decode()


def process_code(*arguments: str) -> int:
    return process_told(*arguments)[0]
