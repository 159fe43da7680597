"""What the tests of the whole system share: places for fresh stores of both engines."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup_acts import ACTS, Act
from tests.backup_estate import Estate, estate, lived_in
from tests.system.recorded_history import Places


@pytest.fixture(scope="session")
def places(postgres_url: str) -> Iterator[Places]:
    """Makes stores for tests that need several, or one for each example."""
    with tempfile.TemporaryDirectory() as folder:
        yield Places(Path(folder), postgres_url)


@pytest.fixture(params=ACTS)
def act(request: pytest.FixtureRequest) -> Act:
    return ACTS[request.param]


@pytest.fixture
def before(act: Act, tmp_path: Path) -> Path:
    """The folder that every attempt begins with a copy of."""
    folder = tmp_path / "before"
    folder.mkdir()
    act.prepare(folder)
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the code under test makes its temporary files: a crash leaves some."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def backed_up(tmp_path: Path) -> Iterator[Estate]:
    (tmp_path / "estate").mkdir()
    with estate(tmp_path / "estate") as made:
        lived_in(made)
        yield made
