"""Whether harm to a repository is found: by `verify`, and by `recover`, which must leave its target empty."""

from pathlib import Path

import pytest

from domain.errors import Corrupt, ResurgamError, WrongKey
from infra.control_plane.recovery import Wish
from infra.database.url import open_database
from tests.backup_estate import FIRST_USE, is_empty, recover, verify


def is_found(root: Path, deployment: str) -> bool:
    try:
        verify(root, deployment)
    except (Corrupt, WrongKey):
        return True
    return False


def assert_not_recovered(root: Path, wish: Wish = FIRST_USE, error: type[ResurgamError] = Corrupt) -> str:
    """Recovery refuses, and its target stays empty; returns what it said."""
    database = open_database(f"sqlite:///{root.parent}/target.db", create=True)
    try:
        with pytest.raises(error) as refusal:
            recover(database, root.parent, root, wish)
        assert is_empty(database)
    finally:
        database.close()
    return str(refusal.value)


def relative(files: list[Path], root: Path) -> list[Path]:
    return [path.relative_to(root) for path in files]
