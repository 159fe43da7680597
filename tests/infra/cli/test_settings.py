"""Settings: which source wins, and what is wrong with one."""

from pathlib import Path

import pytest

from domain.errors import Usage, WrongKey
from infra.cli import settings
from infra.keys.root_key import FileRootKey
from tests.infra.cli.command_line import CommandLine


@pytest.fixture(autouse=True)
def _folder(cli: CommandLine) -> None:
    """Work in an empty folder without settings."""


def test_without_settings_everything_is_in_the_working_folder() -> None:
    found = settings.load()
    assert found.store == "sqlite:///resurgam.db"
    assert found.root_key_file == Path("resurgam.root-key")
    assert (found.repository, found.actor, found.root_key) == (None, None, None)


def test_a_flag_wins_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("resurgam.toml").write_text('store = "sqlite:///file.db"\nactor = "file"\nrepository = "file:///file"\n')
    monkeypatch.setenv("RESURGAM_STORE", "sqlite:///environment.db")
    monkeypatch.setenv("RESURGAM_ACTOR", "environment")
    found = settings.load(store="sqlite:///flag.db", actor=None)
    assert (found.store, found.actor, found.repository) == ("sqlite:///flag.db", "environment", "file:///file")


def test_an_empty_variable_is_none() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESURGAM_STORE", "")
        assert settings.load().store == "sqlite:///resurgam.db"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('stoer = "x"', "unknown key stoer"),
        ('root_key = "canary"', "a key does not belong there"),
        ("store = [", "not TOML"),
        ("store = 7", "setting store"),
        ('debug = "x"\nother = 1', "unknown key debug, other"),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_name(text: str, said: str) -> None:
    Path("resurgam.toml").write_text(text)
    with pytest.raises(Usage, match=said) as caught:
        settings.load()
    assert "canary" not in str(caught.value)


def test_the_root_key_comes_from_the_environment_or_from_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    created = FileRootKey.create(Path("resurgam.root-key"))
    line = Path("resurgam.root-key").read_text().splitlines()[-1]
    assert settings.load().load_root_key().id == created.id
    Path("resurgam.root-key").unlink()
    monkeypatch.setenv("RESURGAM_ROOT_KEY", line)
    assert settings.load().load_root_key().id == created.id
    assert line not in repr(settings.load())


def test_another_deployments_root_key_is_refused(installed: CommandLine) -> None:
    FileRootKey.create(Path("other.root-key"))
    result = installed("key", "inspect", "--root-key-file", "other.root-key", "--json")
    assert result.code == 7
    assert result.error["class"] == WrongKey.__name__


def test_a_password_in_the_stores_url_is_never_shown(cli: CommandLine) -> None:
    result = cli("get", "user", "--store", "postgresql://operator:canary@127.0.0.1:1/none")
    assert result.code == 8
    assert "canary" not in result.out + result.err
