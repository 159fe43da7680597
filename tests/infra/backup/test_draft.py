"""The draft of a backup: what was written is read back, opened and compared before a manifest names it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Corrupt
from infra.backup import lines_file
from tests.backup_estate import estate, lived_in, set_secret


@pytest.mark.parametrize("kind", ["segment", "keyring"])
def test_what_was_not_written_as_it_was_meant_is_named_by_no_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The memory of this machine, or the compression: the hash of the object is right, and what is in it is not."""
    write = lines_file.write

    def forgetful(path: Path, lines: Iterable[bytes], *arguments: Any, **options: Any) -> lines_file.Sealed:
        sealed = write(path, lines, *arguments, **options)
        return replace(sealed, content_sha256=bytes(32)) if path.name.startswith(kind) else sealed

    with estate(tmp_path) as made:
        before = lived_in(made).newest
        made.record(set_secret("Database", "new"))
        with monkeypatch.context() as patches:
            patches.setattr(lines_file, "write", forgetful)
            with pytest.raises(Corrupt, match=f"{kind} .* reads back with other lines than were written"):
                made.back_up()
        assert made.newest == before
        assert made.back_up().is_new
