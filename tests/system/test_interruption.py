"""kill -9 at many moments of a backup run and of a recovery: the next run succeeds, and nothing is half done."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import Refused
from infra.backup import compaction, segment
from infra.control_plane import store, verified_backup
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.root_key import FileRootKey
from tests.backup_estate import (
    IDENTITY,
    Estate,
    estate,
    grown,
    is_empty,
    lived_in,
    records_of,
    recover,
    set_secret,
    verify,
)
from tests.infra.control_plane.installation import ROOT_KEY

MOMENTS = 8
KILLED = -9
UNWATCHED = -1

# Python calls a profile function at each call and return, of C functions too: a fine and repeatable clock of moments.
PROGRAM = """
import os, signal, sys, threading
from pathlib import Path
from infra.backup import compaction, run, segment
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane import verified_backup
from infra.control_plane.clock import host_clock
from infra.database.url import open_database
from tests.backup_estate import ROOT_KEY, recover

action, url, root, folder, kill_at = sys.argv[1:]
if action == "run without compaction":
    segment.RECORDS_MAX, compaction.KEYRINGS_MIN = 1, 1_000
ticks, last = 0, int(kill_at)

def tick(frame, event, argument):
    global ticks
    ticks += 1
    if ticks == last:
        os.kill(os.getpid(), signal.SIGKILL)

database = open_database(url, create=True)
threading.setprofile(tick)
sys.setprofile(tick)
if action == "verify":
    verified_backup.make(database, ROOT_KEY, Repository.open(DirectoryStore(Path(root))), host_clock)
elif action.startswith("run"):
    run.run(database, ROOT_KEY, Repository.open_or_create(DirectoryStore(Path(root), create=True)), host_clock)
else:
    recover(database, Path(folder), Path(root))
sys.setprofile(None)
print(ticks)
"""


def act(action: str, url: str, root: Path, folder: Path, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, action, url, str(root), str(folder), str(kill_at)]
    environment = {**os.environ, "PYTHONPATH": ".", "TMPDIR": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def ticks_of(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def moments(ticks: int) -> list[int]:
    """Evenly spread, and some more at the end, where things become visible."""
    spread = [ticks * n // MOMENTS for n in range(1, MOMENTS)]
    return [*spread, *(ticks - ticks * n // 100 for n in (6, 4, 2, 1))]


def test_a_backup_run_killed_at_any_moment_is_taken_up_by_the_next(
    tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = "run without compaction"  # which would make one run longer than another
    monkeypatch.setattr(segment, "RECORDS_MAX", 1)
    monkeypatch.setattr(compaction, "KEYRINGS_MIN", 1_000)
    with estate(tmp_path, store_url) as made:
        lived_in(made)
        made.record(set_secret("Database", "third"))
        ticks = ticks_of(act(action, store_url, made.root, tmp_path))
        for n, moment in enumerate(moments(ticks)):
            made.record(set_secret("Database", f"value {n}"))
            killed = act(action, store_url, made.root, tmp_path, moment)
            assert killed.returncode == KILLED, killed.stderr
            found = made.verify()  # whatever the moment was, the repository tells no lie
            made.back_up()
            after = made.verify()
            assert after.records == made.plane.head().position
            assert after.manifests - found.manifests in (0, 1)
        assert not made.back_up().is_new


def test_a_compacting_backup_run_killed_at_any_moment_is_taken_up_by_the_next(tmp_path: Path) -> None:
    before = tmp_path / "before"
    before.mkdir()
    with estate(before) as made:
        grown(made)
        for n in range(5):  # eight keyring files, and enough records to compact
            made.record(set_secret("Database", f"value {n}"))
            made.back_up()
        made.record(*(set_secret("Database", f"later {n}") for n in range(30)))
        segments, keyrings = len(made.newest.segments), len(made.newest.keyring)
    counted = Path(shutil.copytree(before, tmp_path / "counted"))
    ticks = ticks_of(act("run", f"sqlite:///{counted}/store.db", counted / "repository", counted))
    for n, moment in enumerate(moments(ticks)):
        folder = Path(shutil.copytree(before, tmp_path / str(n)))
        url = f"sqlite:///{folder}/store.db"
        killed = act("run", url, folder / "repository", folder, moment)
        assert killed.returncode == KILLED, killed.stderr
        database = open_database(url)
        after = Estate(folder, database, ControlPlane(database, ROOT_KEY))
        after.verify()
        after.back_up()
        assert after.verify().records == after.plane.head().position
        assert len(after.newest.segments) < segments
        assert len(after.newest.keyring) < keyrings
        database.close()


def test_a_verified_backup_killed_at_any_moment_attests_nothing_or_the_truth(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        lived_in(made)
        url = f"sqlite:///{tmp_path}/store.db"
        ticks = ticks_of(act("verify", url, made.root, tmp_path))
        assert made.verify().attestations == 1
        for moment in moments(ticks):
            killed = act("verify", url, made.root, tmp_path, moment)
            assert killed.returncode == KILLED, killed.stderr
            made.verify()  # also every attestation
        before = made.verify().attestations
        verified = verified_backup.make(made.database, ROOT_KEY, made.repository, host_clock)
        assert (made.verify().attestations, made.newest.sequence) == (before + 1, verified.outcome.manifest.sequence)


def test_a_recovery_killed_at_any_moment_leaves_the_target_empty_and_runs_again(tmp_path: Path, store_url: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    with estate(source) as made:
        lived_in(made)
        root, expected, deployment = made.root, records_of(made.database), made.deployment
    ticks = ticks_of(act("recover", store_url, root, target))
    database = open_database(store_url)
    with database.write() as session:
        store.drop(session)
    (target / "root-key").unlink()
    keys = set()
    for moment in moments(ticks):
        killed = act("recover", store_url, root, target, moment)
        if not is_empty(database):  # the moment was after the commit
            break
        assert killed.returncode == KILLED, killed.stderr
        if (target / "root-key").exists():
            keys.add(FileRootKey.load(target / "root-key").id)
    else:
        recover(database, target, root)
    assert {FileRootKey.load(target / "root-key").id} == keys, "the root key is made once and taken again"
    assert records_of(database, len(expected)) == expected
    assert ControlPlane(database, FileRootKey.load(target / "root-key")).head().position == len(expected) + 1
    with pytest.raises(Refused, match="the store holds deployment"):
        recover(database, target, root)
    database.close()
    assert verify(root, deployment).records == len(expected)


COMMAND = """
import os, signal, sys, threading
from infra.cli.app import run

kill_at, *arguments = sys.argv[1:]
ticks, last = 0, int(kill_at)

def tick(frame, event, argument):
    global ticks
    ticks += 1
    if ticks == last:
        os.kill(os.getpid(), signal.SIGKILL)

if last >= 0:
    threading.setprofile(tick)
    sys.setprofile(tick)
code = run(arguments)
sys.setprofile(None)
print(ticks, file=sys.stderr)
sys.exit(code)
"""


def test_the_command_that_was_killed_succeeds_when_it_is_typed_again(tmp_path: Path, store_url: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with estate(source) as made:
        expected = records_of(lived_in(made).database)
    (tmp_path / "identity.txt").write_text(IDENTITY.secret_text() + "\n")
    (tmp_path / "identity.txt").chmod(0o600)
    root_key = tmp_path / "root-key"
    typed = ["recover", str(made.root), "--identity", str(tmp_path / "identity.txt"), "--trust-first-use", "--json"]
    typed += ["--store", store_url, "--root-key-file", str(root_key)]

    def recover_by_command(kill_at: int = UNWATCHED) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", COMMAND, str(kill_at), *typed]
        environment = {**os.environ, "PYTHONPATH": ".", "TMPDIR": str(tmp_path)}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    def done() -> dict[str, object]:
        answered = recover_by_command()
        assert answered.returncode == 0, answered.stderr
        report: dict[str, object] = json.loads(answered.stdout)
        return report

    whole = recover_by_command(0)
    assert whole.returncode == 0, whole.stderr
    ticks = int(whole.stderr.splitlines()[-1])
    database = open_database(store_url)
    seen = set()
    for moment in (ticks * n // 1_000 for n in (500, 900, 980, 990, 995, 998, 999)):
        with database.write() as session:
            store.drop(session)
        root_key.unlink(missing_ok=True)
        killed = recover_by_command(moment)
        assert killed.returncode == KILLED, killed.stderr
        seen.add(was_empty := is_empty(database))
        report = done()
        found = ControlPlane(database, FileRootKey.load(root_key)).head()
        assert (found.deployment, found.position) == (report["deployment"], len(expected) + 1)
        assert records_of(database, len(expected)) == expected
        if not was_empty:
            assert done() == report, "what was done already is only told"
    assert seen == {True, False}, "moments before the commit, and after it"
    database.close()


def test_an_empty_root_key_file_of_an_interrupted_recovery_is_replaced(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        lived_in(made)
    (tmp_path / "root-key").touch(mode=0o600)
    database = open_database(f"sqlite:///{tmp_path}/target.db", create=True)
    recover(database, tmp_path, made.root)
    assert FileRootKey.load(tmp_path / "root-key")
    database.close()
