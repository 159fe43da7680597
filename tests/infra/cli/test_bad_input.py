"""Bad input and a bad disk: one clear error each, the documented exit code, and nothing half written."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.control_plane.request import LINE_BYTES_MAX
from infra.keys.root_key import FileRootKey
from tests.infra.cli.command_line import CommandLine, process, request, user
from tests.infra.control_plane.installation import INPUTS, PASSWORD

DISK_BYTES = 512 * 1024

LINES = {
    "malformed JSON": b'{"command": "CreateUser"',
    "no object": b"7",
    "invalid UTF-8": b'{"command": "CreateGroup", "arguments": {"displayName": "\xff\xfe"}}',
    "unknown command": b'{"command": "MakeCoffee", "arguments": {}}',
    "unknown argument": b'{"command": "CreateGroup", "arguments": {"displayName": "a", "color": "red"}}',
    "a wrong type": b'{"command": "CreateGroup", "arguments": {"displayName": 7}}',
    "a missing argument": b'{"command": "CreateGroup", "arguments": {}}',
    "a number that is too large": b'{"command": "CreateGroup", "arguments": {"displayName": 1e999}}',
    "a lone surrogate": b'{"command": "CreateGroup", "arguments": {"displayName": "\\ud800"}}',
    "a NUL": b'{"command": "CreateGroup", "arguments": {"displayName": "\\u0000"}}',
    "an id that is none": b'{"command": "UnassignRole", "arguments": {"id": "../.."}}',
    "10 MB": b'{"command": "CreateGroup", "arguments": {"displayName": "%s"}}' % (b"x" * 10_000_000),
    "10 MB without a line end in it": b"x" * 10_000_000,
    "nested 100,000 deep": b"[" * 100_000,
}


def position(cli: CommandLine) -> int:
    found: int = cli.done("log", "verify", "--json").json["size"]
    return found


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_bad_line_is_an_error_of_its_own_and_the_good_ones_are_recorded(installed: CommandLine, line: bytes) -> None:
    before = position(installed)
    result = installed.record(user(1), line, user(2))
    first, bad, last = result.lines
    assert result.code == 2
    assert (first["status"], bad["status"], last["status"]) == ("recorded", "error", "recorded")
    assert (bad["line"], bad["error"]["class"]) == (2, "Usage")
    assert 0 < len(bad["error"]["message"]) < 1_000
    assert position(installed) == before + 2


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_bad_line_keeps_an_atomic_request_from_being_recorded(installed: CommandLine, line: bytes) -> None:
    before = position(installed)
    result = installed.record(user(1), line, options=("--atomic",))
    assert result.code == 3
    assert [one["status"] for one in result.lines] == ["refused", "error"]
    assert position(installed) == before


def test_a_line_of_4_mib_is_the_longest(installed: CommandLine) -> None:
    padding = LINE_BYTES_MAX - len(json.dumps(request("CreateGroup", displayName="a")))
    fitting = json.dumps(request("CreateGroup", displayName="a")).encode() + b" " * padding
    result = installed.record(fitting, fitting + b" ")
    assert [one["status"] for one in result.lines] == ["recorded", "error"]


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (request("DisableUser", objectId="nobody"), "user-exists"),
        (request("AddGroupMember", groupId="none", memberId="nobody"), "group-exists"),
        (request("SetSecret", vaultId="/none", name="a", value="b"), "vault-exists"),
        (request("CreateResourceGroup", subscriptionId="9" * 8 + "-9999-9999-9999-" + "9" * 12, name="a", location="b"),
         "subscription-exists"),
    ],
)  # fmt: skip
def test_a_missing_reference_is_refused_by_name(installed: CommandLine, command: dict[str, object], rule: str) -> None:
    result = installed.record(command)
    assert result.code == 3
    [outcome] = result.lines
    assert outcome["error"]["rule"] == rule
    assert outcome["error"]["resource"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("sqlite:///none.db", 8),
        ("sqlite:///none/none.db", 8),
        ("sqlite:///.", 8),
        ("sqlite:///", 2),
        ("mysql://host/database", 2),
        ("nonsense", 2),
        ("postgresql://127.0.0.1:1/none", 8),
        ("postgresql://127.0.0.1:1/none?schema=Not-a-name", 2),
    ],
)
def test_a_store_that_is_not_there_is_one_clear_error(cli: CommandLine, url: str, code: int) -> None:
    FileRootKey.create(Path("resurgam.root-key"))
    for arguments in (("get", "user"), ("record",), ("log", "verify"), ("authenticate", "a@b")):
        result = cli(*arguments, "--store", url, stdin=b"x")
        assert result.code == code, result
        assert result.err.startswith("resurgam: ")
        assert result.err.count("\n") == 1
    assert [path.name for path in cli.folder.iterdir()] == ["resurgam.root-key"]


def test_a_file_that_is_no_store_is_corrupt(cli: CommandLine) -> None:
    Path("resurgam.db").write_bytes(b"canary" * 1_000)
    result = cli("get", "user")
    assert result.code == 6
    assert "canary" not in result.err


def test_a_store_that_was_never_installed_is_refused_with_the_way_out(cli: CommandLine) -> None:
    Path("resurgam.db").touch()
    result = cli("get", "user")
    assert result.code == 8
    assert "resurgam init" in result.err


@pytest.fixture
def read_only(cli: CommandLine) -> Iterator[Path]:
    """A folder that nobody can write into; permissions do not keep the superuser from it."""
    folder = cli.folder / "read-only"
    folder.mkdir(mode=0o555)
    is_mounted = _mount(folder, "ro")
    yield folder
    if is_mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_disk(cli: CommandLine) -> Iterator[tuple[str, ...]]:
    """A disk below `small` that is soon full; where none can be mounted, what to put before a command to limit it."""
    folder = cli.folder / "small"
    folder.mkdir()
    if _mount(folder, f"size={DISK_BYTES}"):
        yield ()
        subprocess.run(["umount", str(folder)], check=True)
    else:
        yield "sh", "-c", f'ulimit -f {DISK_BYTES // 512}; exec "$0" "$@"'


def test_a_folder_that_cannot_be_written_is_one_clear_error(cli: CommandLine, read_only: Path) -> None:
    Path("inputs.yaml").write_text(json.dumps(INPUTS))
    for arguments in (
        ("init", "inputs.yaml", "--store", f"sqlite:///{read_only}/store.db"),
        ("init", "inputs.yaml", "--root-key-file", f"{read_only}/root-key"),
        ("key", "generate", "--output", f"{read_only}/identity"),
    ):
        result = cli(*arguments, stdin=PASSWORD.encode())
        assert result.code == 8, result
        assert result.err.count("\n") == 1
    assert cli("get", "user").code in (3, 8), "no deployment came of it"
    cli.init()


def test_a_full_disk_stops_recording_and_keeps_what_was_recorded(
    cli: CommandLine, small_disk: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESURGAM_STORE", "sqlite:///small/store.db")
    cli.init()
    running = process("record", folder=cli.folder, prefix=small_disk)
    assert running.stdin
    assert running.stdout
    outcomes = []
    for number in range(10_000):
        line = json.dumps(request("CreateGroup", displayName=f"{number:05} " + "x" * 4_000)).encode() + b"\n"
        try:
            running.stdin.write(line)
            running.stdin.flush()
        except BrokenPipeError:
            break
        outcomes.append(json.loads(running.stdout.readline()))
        if outcomes[-1]["status"] == "error":
            break
    running.stdout.close()
    running.stdin.close()
    assert running.stderr
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait() == 8
    assert outcomes[-1]["error"]["class"] == "Unavailable"
    assert b"stopped after line" in said
    assert b"Traceback" not in said
    recorded = [outcome for outcome in outcomes if outcome["status"] == "recorded"]
    # The store is read where there is room again: SQLite writes beside it even to read.
    for path in (cli.folder / "small").iterdir():
        (cli.folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("RESURGAM_STORE", "sqlite:///store.db")
    shown = cli.done("get", "group", "--json").json
    assert len(shown["resources"]) == len(recorded)
    assert position(cli) == recorded[-1]["last"]


def _mount(folder: Path, option: str) -> bool:
    """Mount a disk in memory, and say whether that was allowed."""
    command = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
