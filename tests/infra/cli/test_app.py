"""The commands as a whole: their help, their errors, and how they end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from domain.errors import Conflict, Corrupt, NotFound, Refused, ResurgamError, Unavailable, Usage, WrongKey
from infra.cli import errors, output
from infra.cli.app import COMMANDS, app
from tests.infra.cli.command_line import ROOT, CommandLine, process, request


def commands(name: str = "", command: Any = None) -> dict[str, Any]:
    """Return every command and every group by its full name, loaded."""
    if command is None:
        command = typer.main.get_command(app)
    found = {name: command} if name else {}
    for part in command.list_commands(None) if is_group(command) else ():
        found |= commands(f"{name} {part}".strip(), command.get_command(None, part))
    return found


def is_group(command: Any) -> bool:
    return hasattr(command, "list_commands")


def test_the_list_of_commands_says_what_each_command_says() -> None:
    loaded = commands()
    for name, (_, line) in COMMANDS.items():
        assert loaded[name].help.split("\n")[0] == line, name


def test_every_command_has_an_example_and_json() -> None:
    for name, command in commands().items():
        if is_group(command):
            continue
        assert "Example:" in (command.epilog or ""), name
        assert f"resurgam {name}" in command.epilog, name
        assert any("--json" in parameter.opts for parameter in command.params), name


def loaded_by(arguments: list[str], modules: list[str], folder: Path) -> list[str]:
    """Return which of these modules a process has loaded that ran a command."""
    code = "import sys; from infra.cli.app import run; run(%r); print(*(m for m in %r if m in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.check_output([sys.executable, "-c", code % (arguments, modules)], cwd=folder, env=environment)
    return shown.decode().splitlines()[-1].split()


def test_listing_the_commands_loads_none_of_them(cli: CommandLine) -> None:
    ours = ["domain.control_plane", "infra.control_plane.plane", "infra.backup.run"]
    assert loaded_by(["--help"], ["pydantic", "cryptography", "psycopg", *ours], cli.folder) == []
    assert loaded_by(["backup", "--help"], ["cryptography", "psycopg", *ours], cli.folder) == []


def test_a_backup_loads_neither_the_fold_nor_the_writer_nor_recoveries(cli: CommandLine) -> None:
    writing = ["domain.control_plane", "infra.control_plane.plane", "eventsourcing", "cryptography.x509"]
    others = ["infra.control_plane.recovery", "infra.backup.rebuild", "psycopg"]
    assert loaded_by(["backup", "run", "--help"], ["infra.backup.run", *writing, *others], cli.folder) == [
        "infra.backup.run"
    ]


def test_no_command_shows_the_help_and_is_a_usage_error(cli: CommandLine) -> None:
    result = cli()
    assert result.code == 2
    assert "Usage: resurgam" in result.err


@pytest.mark.parametrize(
    "arguments", [("brew",), ("get",), ("get", "user", "--bogus"), ("log", "prove", "many"), ("log", "brew")]
)
def test_wrong_usage_is_one_line_and_exits_with_2(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    result = cli(*arguments)
    assert result.code == 2
    assert result.err.startswith("resurgam: ")
    assert result.err.count("\n") == 1
    as_json = cli(*arguments, "--json")
    assert as_json.code == 2
    assert as_json.error["class"] == "Usage"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Usage("x"), 2),
        (Refused("x"), 3),
        (NotFound("x"), 4),
        (Conflict("x"), 5),
        (Corrupt("x"), 6),
        (WrongKey("x"), 7),
        (Unavailable("x"), 8),
        (ResurgamError("x"), 1),
    ],
)
def test_every_class_of_errors_has_its_exit_code(error: ResurgamError, code: int) -> None:
    assert errors.exit_code(error) == code
    assert errors.exit_code(type("Special", (type(error),), {})("x")) == code


def test_an_error_as_json_names_class_rule_and_resource(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(value: object) -> None:
        raise Refused("no", rule="never", resource="/a")

    monkeypatch.setattr(output, "write_json", refuse)
    result = cli("release", "--json")
    assert result.code == 3
    assert result.error == {"class": "Refused", "rule": "never", "resource": "/a", "message": "no"}


def test_a_defect_is_one_line_that_does_not_repeat_what_it_was_about(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fields: object) -> None:
        raise ValueError("canary")

    monkeypatch.setattr(output, "write_fields", fail)
    result = cli("release")
    assert result.code == 1
    assert "unexpected ValueError at test_app.py" in result.err
    assert "canary" not in result.err


def test_a_reader_that_has_seen_enough_ends_the_output_quietly(installed: CommandLine) -> None:
    running = process("record", "--schema", folder=installed.folder)
    assert running.stdin
    assert running.stdout
    assert running.stderr
    running.stdout.close()
    running.stdin.close()
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait() == 1
    assert said == b""


def test_an_interruption_ends_with_130_and_without_a_traceback(installed: CommandLine) -> None:
    running = process("record", folder=installed.folder)
    assert running.stdin
    assert running.stdout
    running.stdin.write(json.dumps(request("CreateGroup", displayName="Group 1")).encode() + b"\n")
    running.stdin.flush()
    assert b'"recorded"' in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130
    assert said == b""
