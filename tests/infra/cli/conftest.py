"""A command line in an empty folder, and one with a deployment."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.cli.settings import Settings
from tests.infra.cli.command_line import CommandLine
from tests.infra.cli.estate import build
from tests.infra.cli.watching import Watching, close


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    """A command line without settings, in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in (*Settings.model_fields, "debug"):
        monkeypatch.delenv(f"RESURGAM_{name.upper()}", raising=False)
    return CommandLine(folder, monkeypatch, capfd)


@pytest.fixture
def installed(cli: CommandLine) -> CommandLine:
    """A command line with a deployment on SQLite."""
    cli.init()
    return cli


@pytest.fixture
def installed_anywhere(cli: CommandLine, store_url: str, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A command line with a deployment, on each engine in turn."""
    monkeypatch.setenv("RESURGAM_STORE", store_url)
    cli.init()
    return cli


@pytest.fixture
def estate(installed: CommandLine) -> CommandLine:
    """A command line with a small estate on SQLite."""
    build(installed)
    return installed


@pytest.fixture
def estate_anywhere(installed_anywhere: CommandLine) -> CommandLine:
    """A command line with a small estate, on each engine in turn."""
    build(installed_anywhere)
    return installed_anywhere


@pytest.fixture
def watch(cli: CommandLine) -> Iterator[Callable[..., Watching]]:
    """Start watches, all of which have ended after the test."""
    started: list[Watching] = []

    def start(*arguments: str) -> Watching:
        started.append(Watching(*arguments, folder=cli.folder))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        close(one.process)
