"""The demonstration: every proof is true, on both engines, and no sabotage of the backups goes unnoticed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from scripts.sabotage import SABOTAGES
from tests.system import preloaded

ROOT = Path(__file__).parents[2]
Play = Callable[..., subprocess.CompletedProcess[str]]
FOUND_BY_RECOVERY, FOUND_BY_PROOFS = 6, 1
FINDINGS = {
    "drop-keyring-entry": (FOUND_BY_RECOVERY, "the keyring lacks the key"),
    "drop-assignment": (FOUND_BY_PROOFS, "not proven: state digest"),
    "drop-segment": (FOUND_BY_RECOVERY, "is missing, but a manifest names it"),
    "re-sign": (FOUND_BY_RECOVERY, "forged endorsement of the signer"),
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An environment with Python and the command `resurgam`, which is loaded once; see tests.system.preloaded."""
    folder = tmp_path_factory.mktemp("environment")
    (folder / "bin").mkdir()
    served = [sys.executable, preloaded.__file__, str(folder / "socket")]
    with subprocess.Popen(served, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        for name, arguments in (("python", ""), ("resurgam", f'-I -S "{preloaded.__file__}" "{folder}/socket"')):
            (folder / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            (folder / "bin" / name).chmod(0o755)
        yield folder
        server.kill()


@pytest.fixture
def play(environment: Path, tmp_path: Path) -> Play:
    """Plays it; what it leaves behind is in the test's folder."""
    variables = {**os.environ, "RESURGAM_DEMO_ENVIRONMENT": str(environment), "TMPDIR": str(tmp_path)}

    def played(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "scripts" / "demo"), *arguments]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

    return played


def test_every_proof_is_true_and_nothing_is_left_behind(play: Play, tmp_path: Path) -> None:
    played = play("--events", "1500")
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr
    assert "NOT EQUAL" not in played.stdout
    assert "45 of 45 proofs are true" in played.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_sabotage_has_a_test() -> None:
    assert SABOTAGES.keys() == FINDINGS.keys()


@pytest.mark.parametrize("sabotage", FINDINGS)
def test_sabotage_is_found(play: Play, sabotage: str) -> None:
    exit_code, finding = FINDINGS[sabotage]
    played = play("--events", "50", "--sabotage", sabotage)
    assert played.returncode == exit_code, played.stdout[-2000:] + played.stderr
    assert finding in played.stdout + played.stderr


def test_every_proof_is_true_on_postgresql(play: Play, postgres_url: str) -> None:
    played = play("--events", "50", "--postgres", postgres_url)
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr
    with psycopg.connect(postgres_url) as connection:
        left = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'resurgam_demo_%'").fetchone()
    assert left == (0,)
