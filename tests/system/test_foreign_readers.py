"""Backups outlive the program: the tools that everybody has open a segment and show its events."""

import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it brings no annotations
import pytest

from infra.backup.age import generate_identity
from infra.log.record import decode_record
from tests.backup_estate import IDENTITY, Estate, estate, lived_in, records_of
from tests.infra.backup.age.foreign import age_command, npm_age
from tests.infra.control_plane.installation import request
from tests.installed import missing


def types_of(of: Estate, first: int, last: int) -> list[str]:
    return [decode_record(record).event["type"] for record in records_of(of.database)[first - 1 : last]]


def shown(compressed: bytes) -> list[str]:
    """What `zstd -d | jq` shows of a segment that another tool opened."""
    try:
        lines = subprocess.run(["zstd", "-d"], input=compressed, capture_output=True, check=True).stdout
        found = subprocess.run(["jq", "-r", ".event.type"], input=lines, capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        missing(f"{error.filename} is not installed")
    return found.decode().splitlines()


def test_age_and_pyrage_open_a_classical_segment(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(IDENTITY.secret_text() + "\n")
    with estate(tmp_path) as made:
        lived_in(made)
        for path, entry in zip(made.objects("segments"), made.newest.segments, strict=True):
            command: list[str | Path] = [age_command(), "-d", "-i", tmp_path / "key.txt", path]
            opened = subprocess.run(command, capture_output=True, check=True).stdout
            assert shown(opened) == types_of(made, entry.first, entry.last)
            identity = pyrage.x25519.Identity.from_str(IDENTITY.secret_text())
            assert pyrage.decrypt(path.read_bytes(), [identity]) == opened


def test_npm_s_age_encryption_opens_a_default_segment(tmp_path: Path) -> None:
    identity = generate_identity()
    with estate(tmp_path, None, identity) as made:
        lived_in(made)
        assert made.newest.encryption == "post-quantum"
        for path, entry in zip(made.objects("segments"), made.newest.segments, strict=True):
            opened = npm_age("decrypt", identity.secret_text(), path.read_bytes())
            assert shown(opened) == types_of(made, entry.first, entry.last)


@pytest.mark.parametrize("post_quantum", [True, False])
def test_both_recipients_of_a_mixed_deployment_open_its_segments(tmp_path: Path, post_quantum: bool) -> None:
    strong, weak = generate_identity(), IDENTITY
    with estate(tmp_path, None, strong) as made:
        made.record(
            request("AddBackupRecipient", name="weaker", recipient=str(weak.recipient), mayMix=True),
        )
        lived_in(made)
        path, entry = made.objects("segments")[0], made.newest.segments[0]
        if post_quantum:
            opened = npm_age("decrypt", strong.secret_text(), path.read_bytes())
        else:
            identity = pyrage.x25519.Identity.from_str(weak.secret_text())
            opened = pyrage.decrypt(path.read_bytes(), [identity])
        assert shown(opened) == types_of(made, entry.first, entry.last)
