"""The simulation: every promise is kept whatever happens, one seed gives one history, and a broken promise is found."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.backup import continuation, repository, retention
from infra.backup.retention import Policy
from tests.simulation.life import Failure, live

ROOT = Path(__file__).parents[2]
STEPS = 60
SEEDS = (1, 2, 3, 4)
"""The same each time, so that a test fails for what was changed; `scripts/simulate` draws others."""

TRIES = 12


def history(seed: int) -> list[str]:
    """What a simulation of its own process did: here threads that other tests left could draw from its chance."""
    command = [sys.executable, "-m", "tests.simulation", "--once", "--seed", str(seed), "--steps", str(STEPS)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_is_kept_whatever_happens(seed: int) -> None:
    *steps, told = history(seed)
    assert len(steps) == STEPS
    assert told.endswith("every promise was kept")


def test_one_seed_gives_one_history() -> None:
    first, second = history(7), history(7)
    assert first == second
    assert len({line.split("·")[0][5:] for line in first[:STEPS]}) > 6, "many kinds of steps are taken"


def kept_but_the_verified(policy: Policy, backups: list[SimpleNamespace], now: str) -> dict[int, list[str]]:
    return {backups[-1].sequence: ["newest"]}


BREAKS: dict[str, tuple[object, str, object]] = {
    "a rollback is not noticed": (continuation, "_check_not_rolled_back", lambda *_: None),
    "a prune keeps no verified backup": (retention, "kept", kept_but_the_verified),
    "a mended manifest counts though it is void": (repository, "HELD_MAX", -1),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_promise_is_found(broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, instead = BREAKS[broken]
    monkeypatch.setattr(where, name, instead)
    assert any(is_found(seed, tmp_path, live) for seed in range(TRIES))


def is_found(seed: int, folder: Path, lived: Callable[[int, int, Path], object]) -> bool:
    inside = folder / str(seed)
    inside.mkdir()
    with suppress(Failure):
        lived(seed, 100, inside)
        return False
    return True


def test_the_script_tells_the_seeds_and_the_steps() -> None:
    command: list[Path | str] = [ROOT / "scripts" / "simulate", "--minutes", "0", "--seed", "5", "--steps", "3"]
    environment = {**os.environ, "RESURGAM_SIMULATE_ENVIRONMENT": str(Path(sys.executable).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "1 simulations, seeds 5 to 5, 3 steps: every promise was kept\n"
