"""A deployment that grows older, for the tests of pruning."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup_estate import estate, lived_in
from tests.infra.backup.aging import DAY, Aging


@pytest.fixture
def aging(tmp_path: Path) -> Iterator[Aging]:
    with estate(tmp_path) as made:
        yield Aging(lived_in(made))


@pytest.fixture
def marked(aging: Aging) -> Aging:
    """Manifests 2 to 9 of 14 are marked, and what they alone name; tomorrow, it is due."""
    aging.live_days(5)
    aging.prune()
    aging.pass_time(DAY)
    aging.back_up()
    return aging
