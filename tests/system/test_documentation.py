"""The documentation is true: its commands run, its links lead somewhere, its reference names everything."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer

from domain.control_plane import KINDS
from infra.backup.age import generate_identity
from infra.cli import INTERRUPTED, errors
from infra.cli.app import app
from infra.cli.settings import Settings
from scripts import event_reference
from tests.infra.backup.age import foreign
from tests.installed import missing
from tests.store_servers import Place
from tests.system import preloaded
from tests.system.documentation import (
    BEGINNING,
    ROOT,
    SHELLS,
    anchors,
    blocks,
    links,
    needs,
    pages,
    run,
    steps,
    text_of,
)

COMMAND_LINE = Path("docs/reference/command-line.md")
OTHER_SHELLS = ("bash", "shell", "zsh")
TUTORIAL = Path("docs/tutorial/first-recovery.md")
STORE_PLACE = re.compile(r"<!-- place: (\w+) -->")
RUNNABLE = [page for page in pages() if steps(text_of(page))]


@pytest.fixture(scope="session")
def resurgam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the command `resurgam` in it."""
    folder = tmp_path_factory.mktemp("bin")
    served = [sys.executable, preloaded.__file__, str(folder / "socket")]
    with subprocess.Popen(served, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        program = folder / "resurgam"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{preloaded.__file__}" "{folder}/socket" "$@"\n')
        program.chmod(0o755)
        yield folder
        server.kill()


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory, resurgam: Path) -> dict[str, str]:
    """Nothing but a path on which `resurgam` is found, and CHECKOUT, the folder of the project."""
    return {
        "PATH": f"{resurgam}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path_factory.mktemp("home")),
        "LC_ALL": "C.UTF-8",
        "CHECKOUT": str(ROOT),
    }


@pytest.fixture(scope="session")
def age(resurgam: Path) -> None:
    """An `age` on the path that reads post-quantum files: the installed one, else npm's `age-encryption`."""
    if shutil.which("age") and foreign.age_version() >= (1, 3):
        return
    foreign.npm_age("recipient", generate_identity().secret_text())
    program = resurgam / "age"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.system.age_by_npm "$@"\n')
    program.chmod(0o755)


@pytest.fixture(scope="session")
def before_the_disaster(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The folder of the tutorial as it is before the disaster."""
    folder = tmp_path_factory.mktemp("tutorial")
    begun, mark, _ = text_of(TUTORIAL).partition(BEGINNING)
    assert mark
    assert run(steps(begun), folder, environment, tmp_path_factory.mktemp("results") / "steps") == []
    return folder


@pytest.mark.parametrize("page", RUNNABLE, ids=str)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = text_of(page)
    for program in needs(text):
        if program == "age":
            request.getfixturevalue("age")
        elif not shutil.which(program):
            missing(f"{program} is not installed")
    if "$POSTGRES_URL" in text:
        environment = {**environment, "POSTGRES_URL": request.getfixturevalue("fresh_postgres_url")}
    if place := STORE_PLACE.search(text):
        server: Place = request.getfixturevalue(f"{place[1]}_server")
        environment = {**environment, **server.environment, "FILE_SERVER": urlsplit(server.url).netloc}
    folder = tmp_path / "region"
    if page == TUTORIAL:
        folder.mkdir()
    else:
        shutil.copytree(request.getfixturevalue("before_the_disaster"), folder)
    differences = run(steps(text), folder, environment, tmp_path / "results")
    assert not differences, "\n\n".join([str(page), *differences])


def test_the_tutorial_and_every_how_to_has_commands_that_run() -> None:
    told = [page for page in pages() if page.parts[:2] in (("docs", "tutorial"), ("docs", "how-to"))]
    assert told
    assert [page for page in told if page not in RUNNABLE] == []


def test_commands_are_shown_only_where_they_are_run() -> None:
    shown = [
        (page, block) for page in pages() for block in blocks(text_of(page)) if block.language not in (*SHELLS, "text")
    ]
    command = re.compile(r"^(\$|resurgam) ", re.MULTILINE)
    assert [f"{page}:{b.line}" for page, b in shown if b.language in OTHER_SHELLS or command.search(b.text)] == []


def test_every_link_leads_somewhere() -> None:
    found = [(page, target) for page in pages() for target in links(text_of(page))]
    assert [f"{page}: {target}" for page, target in found if not leads_somewhere(page, target)] == []


def test_every_page_is_in_an_index() -> None:
    indexes = [page for page in pages() if page.name == "README.md"]
    named = {
        os.path.normpath(index.parent / target.partition("#")[0])
        for index in indexes
        for target in links(text_of(index))
    }
    assert [page for page in pages() if str(page) not in named and page != Path("README.md")] == []


def test_the_reference_of_events_is_current() -> None:
    assert text_of(Path("docs/reference/events.md")) == event_reference.markdown(), "python -m scripts.event_reference"


def test_the_reference_names_every_kind_and_rule() -> None:
    text = text_of(Path("docs/reference/resources.md"))
    sources = "".join(path.read_text("utf-8") for path in ROOT.glob("domain/*.py"))
    rules = {rule for rule in re.findall(r'rule="([a-z0-9-]+)"', sources) if not rule.endswith("-exists")}
    assert [name for name in (*KINDS, *sorted(rules)) if f"`{name}`" not in text] == []


def test_the_reference_names_every_command_and_its_options() -> None:
    text = text_of(COMMAND_LINE)
    described = dict(re.findall(r"^## (resurgam [a-z -]+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    told = {name: set(re.findall(r"--[a-z][a-z-]+", section)) for name, section in described.items()}
    assert told == dict(options("resurgam", typer.main.get_command(app)))


def test_the_reference_names_every_exit_code() -> None:
    table = text_of(COMMAND_LINE).split("## Exit codes")[1].split("\n## ")[0]
    codes = {(int(code), name) for code, name in re.findall(r"^\| (\d+) \| (?:`(\w+)` )?\|", table, re.MULTILINE)}
    known = {(code, error.__name__) for error, code in errors.EXIT_CODES.items()}
    assert codes == known | {(0, ""), (errors.OTHER, ""), (INTERRUPTED, "")}


def test_the_reference_names_every_setting() -> None:
    table = text_of(COMMAND_LINE).split("## Settings")[1].split("\n## ")[0]
    assert set(re.findall(r"`RESURGAM_([A-Z_]+)`", table)) == {name.upper() for name in Settings.model_fields}


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a relative link names a file or folder, and its anchor a heading there; others are not followed."""
    if re.match("https?:", target):
        return True
    name, _, anchor = target.partition("#")
    path = ROOT / page.parent / name if name else ROOT / page
    return path.exists() and (not anchor or anchor in anchors(path.read_text("utf-8")))


def options(name: str, command: Any) -> Iterator[tuple[str, set[str]]]:
    """Every command by its whole name, with its long options."""
    groups = getattr(command, "list_commands", None)
    if groups is None:
        yield name, {text for parameter in command.params for text in parameter.opts if text.startswith("--")}
        return
    for part in groups(None):
        yield from options(f"{name} {part}", command.get_command(None, part))
