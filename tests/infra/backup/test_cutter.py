"""The cutter refuses a log that is not whole, before it becomes a segment."""

from pathlib import Path

import pytest

from domain.errors import Corrupt
from infra.backup.cutter import Cutter
from infra.log.merkle import Frontier
from infra.log.page import paged
from tests.backup_estate import IDENTITY, VAULT, estate, records_of, set_secret, vault_requests
from tests.infra.control_plane.installation import request


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Those of a deployment whose last command has three."""
    secret = f"{VAULT}/secrets/Database"
    with estate(tmp_path_factory.mktemp("estate")) as made:
        made.record(*vault_requests(), set_secret("Database", "more"))
        made.record(request("DeleteSecret", id=secret), request("PurgeSecret", id=secret))
        return records_of(made.database)


def cut(records: list[bytes], folder: Path) -> list[int]:
    cutter = Cutter(paged(records), Frontier())
    written = cutter.cut(folder, [IDENTITY.recipient], allow_mixed=False)
    return [each.entry.last for each in written]


def test_a_whole_log_is_cut(records: list[bytes], tmp_path: Path) -> None:
    assert cut(records, tmp_path) == [len(records)]


def test_a_log_that_ends_within_a_command_is_not_cut(records: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match="is the log's last, but not its command's"):
        cut(records[:-1], tmp_path)


def test_a_log_with_a_gap_is_not_cut(records: list[bytes], tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match=f"the log has position {len(records)} in the place of {len(records) - 1}"):
        cut([*records[:2], *records[3:]], tmp_path)
