"""What all tests share: how they run, and stores on both engines."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import drop_schema, server_url, with_schema

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
