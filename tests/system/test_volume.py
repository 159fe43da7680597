"""A hundred thousand events: no step takes much more than ten times as long as for ten thousand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SMALL, LARGE = 10_000, 100_000
RATIO_MAX = 14
MEMORY_MAX_MIB = {"record": 1_000, "back up": 250, "verify": 250, "recover": 1_000}
"""A recovery holds the newest version of every resource; here almost every record is a resource."""

# Each step in a process of its own, because a process never tells less memory than it once had.
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
from infra.backup import run
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from tests.backup_estate import ACTOR, FIRST_USE, IDENTITY, ROOT_KEY, recover, set_password, user_request, verify
from tests.infra.control_plane.installation import install

step, url, target, folder, count = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), int(sys.argv[5])
root = folder / "repository"
database = open_database(target if step == "recover" else url, create=True)
if step == "record":
    install(database, recipients={"offline": str(IDENTITY.recipient)})
    plane = ControlPlane(database, ROOT_KEY, cost=TEST_COST)
    for first in range(0, count, 1000):
        numbers = range(first + 1, first + 1001)
        rotated = "a long password"
        requests = [user_request(n) if n % 10 else set_password(n // 20 * 10 + 1, rotated) for n in numbers]
        started = time.perf_counter() if not first else started
        plane.execute_all(requests, ACTOR)
else:
    started = time.perf_counter()
    if step == "back up":
        run.run(database, ROOT_KEY, Repository.open_or_create(DirectoryStore(root, create=True)), host_clock)
    elif step == "verify":
        verify(root, *Repository.open(DirectoryStore(root)).deployments())
    else:
        recover(database, folder, root)
seconds = time.perf_counter() - started
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def measured(step: str, url: str, target: str, folder: Path, count: int) -> tuple[float, int]:
    command = [sys.executable, "-c", PROGRAM, step, url, target, str(folder), str(count)]
    environment = {**os.environ, "PYTHONPATH": "."}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    seconds, memory_mib = json.loads(done.stdout)
    return seconds, memory_mib


def test_nothing_is_quadratic_and_memory_is_bounded(tmp_path: Path) -> None:
    found: dict[int, dict[str, tuple[float, int]]] = {}
    for count in (SMALL, LARGE):
        folder = tmp_path / str(count)
        folder.mkdir()
        urls = f"sqlite:///{folder}/store.db", f"sqlite:///{folder}/target.db"
        found[count] = {step: measured(step, *urls, folder, count) for step in MEMORY_MAX_MIB}
    for step, memory_max_mib in MEMORY_MAX_MIB.items():
        (small, _), (large, memory_mib) = found[SMALL][step], found[LARGE][step]
        assert large <= RATIO_MAX * max(small, 0.1), found
        assert memory_mib <= memory_max_mib, found
    print(found)
