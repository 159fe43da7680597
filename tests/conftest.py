"""What all tests share: how they run, and stores on both engines."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import store_servers
from tests.postgres import drop_schema, server_url, with_schema
from tests.store_servers import Place

pytest_plugins = ["tests.hypothesis_profile", "tests.required"]


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A PostgreSQL server's URL."""
    try:
        return server_url()
    except Exception as error:  # noqa: BLE001 (whatever the reason is, it is shown)
        pytest.skip(f"no PostgreSQL: {error!r}")


@pytest.fixture
def fresh_postgres_url(postgres_url: str) -> Iterator[str]:
    """A schema of the test's own, dropped afterwards; opening it with `create=True` makes it."""
    schema = f"test_{uuid.uuid4().hex}"
    yield with_schema(postgres_url, schema)
    drop_schema(postgres_url, schema)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file of the test's own; opening it with `create=True` makes it."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A store that does not exist yet, on each engine in turn."""
    name = "sqlite_url" if request.param == "sqlite" else "fresh_postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A bucket of an S3 server."""
    with store_servers.moto(tmp_path_factory.mktemp("moto")) as place:
        yield place


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A container of an Azure Blob server."""
    with store_servers.azurite(tmp_path_factory.mktemp("azurite")) as place:
        yield place


@pytest.fixture(scope="session")
def smb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A share of an SMB server."""
    with store_servers.samba(tmp_path_factory.mktemp("samba")) as place:
        yield place


@pytest.fixture
def store_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Place], str]:
    """Sets the environment for a place, with nothing else in it of the kind, and returns the place's URL."""

    def enter(place: Place) -> str:
        for name in list(os.environ):
            if name.startswith(store_servers.VARIABLES):
                monkeypatch.delenv(name)
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        return place.url

    return enter


@pytest.fixture(params=["directory", "s3", "azure", "smb"])
def repository_url(request: pytest.FixtureRequest, tmp_path: Path, store_environment: Callable[[Place], str]) -> str:
    """A place for a repository where nothing is yet, on each kind of store in turn."""
    if request.param == "directory":
        return store_environment(Place((tmp_path / "repository").as_uri()))
    server: Place = request.getfixturevalue(f"{request.param}_server")
    return store_environment(server.fresh())
