"""What the tests of the whole system share: places for fresh stores of both engines."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.recorded_history import Places


@pytest.fixture(scope="session")
def places(postgres_url: str) -> Iterator[Places]:
    """Makes stores for tests that need several, or one for each example."""
    with tempfile.TemporaryDirectory() as folder:
        yield Places(Path(folder), postgres_url)
