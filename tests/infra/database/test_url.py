"""URLs of stores: which are known, and that none shows its password."""

from pathlib import Path

import pytest

from domain.errors import Unavailable, Usage
from infra.database.session import Database
from infra.database.url import open_database, shown


def test_a_store_is_opened_on_either_engine(store_url: str) -> None:
    with pytest.raises(Unavailable, match="initialise a new store"):
        open_database(store_url)
    database: Database = open_database(store_url, create=True)
    assert store_url.startswith(database.engine)
    with database.read() as session:
        assert session.engine == database.engine
    database.close()


def test_three_slashes_are_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:///a%20store.db", create=True)
    monkeypatch.chdir("/")
    with database.write() as session:
        session.execute("CREATE TABLE still_there (n INTEGER)")
    database.close()
    assert (tmp_path / "a store.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "resurgam.db",
        "sqlite:resurgam.db",
        "sqlite://resurgam.db",
        "sqlite:///",
        "sqlite:///a.db?mode=memory",
        "mysql://me:hunter2@host/db",
        "host=here password=hunter2",
        "postgresql://me:hunter2@host/db?schema=Upper",
        "postgresql://me:hunter2@host/db?schema=a&schema=b",
        "postgresql://me:hunter2@host/db?schema=x;drop",
        "postgresql://me:hunter2%zz@host/db",
        "postgresql://me:hunter2@host/db?no_such_setting=1",
    ],
)
def test_any_other_form_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(Usage) as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unknown_form_names_the_known_ones() -> None:
    with pytest.raises(Usage, match=r"sqlite:///relative\.db.*postgresql://"):
        open_database("oracle://here")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("sqlite:///resurgam.db", "sqlite:///resurgam.db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://me@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://me:hunter2@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://me:hun@ter2:/?x@host/db", "postgresql://me:***@host/db"),
        ("postgresql://:hunter2@one,two/db", "postgresql://:***@one,two/db"),
        ("postgresql:///db?user=me&password=hunter2&schema=x", "postgresql:///db?user=me&password=***&schema=x"),
        ("postgresql:///db?p%61ssword=hunter2", "postgresql:///db?p%61ssword=***"),
        ("postgresql:///db?sslpassword=hunter2", "postgresql:///db?sslpassword=***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, safe: str) -> None:
    assert shown(url) == safe
