"""The command line as tests drive it: in this process for speed, or as a process of its own where that matters."""

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.cli.app import run
from tests.infra.control_plane.installation import INPUTS, PASSWORD

PROGRAM = "from infra.cli import main; main()"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON Lines on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        """The error on standard error, as `--json` writes it: its last line."""
        return json.loads(self.err.splitlines()[-1])["error"]


class CommandLine:
    """Runs `resurgam` in a folder of the test's own, with the settings that its environment gives."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Result:
        """Run a command in this process; standard input is read by the commands that ask for a secret."""
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capfd.readouterr()
        code = run(arguments)
        captured = self._capfd.readouterr()
        assert "Traceback" not in captured.err
        return Result(code, captured.out, captured.err)

    def done(self, *arguments: str, stdin: bytes = b"") -> Result:
        """Run a command that must succeed."""
        result = self(*arguments, stdin=stdin)
        assert result.code == 0, result
        return result

    def record(self, *requests: dict[str, Any] | bytes, options: tuple[str, ...] = ()) -> Result:
        """Record requests from a file."""
        lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in requests]
        path = self.folder / "requests.jsonl"
        path.write_bytes(b"\n".join(lines) + b"\n")
        return self("record", str(path), *options)

    def init(self) -> Result:
        """Install a deployment."""
        (self.folder / "inputs.yaml").write_text(json.dumps(INPUTS))
        (self.folder / "password").write_text(PASSWORD + "\n")
        return self.done("init", "inputs.yaml", "--operator-password-file", "password", "--json")


def process(*arguments: str, folder: Path, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
    """Start `resurgam` as a process of its own, by way of the command in `prefix` if there is one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def request(command: str, command_id: str | None = None, **arguments: Any) -> dict[str, Any]:
    """Return a request that names the command and its arguments."""
    line = {"command": command, "arguments": arguments}
    return line if command_id is None else {**line, "commandId": command_id}


def user(number: int, **arguments: Any) -> dict[str, Any]:
    """Return the request that creates the user of that number."""
    return request(
        "CreateUser",
        **{
            "objectId": user_id(number),
            "userPrincipalName": f"user-{number}@region.example",
            "displayName": f"User {number}",
            "password": PASSWORD,
            **arguments,
        },
    )


def user_id(number: int) -> str:
    """Return the object id of the user of that number."""
    return f"44444444-4444-4444-8444-{number:012d}"
