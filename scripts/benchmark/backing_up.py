"""Benchmarks of backups: all of a log, and what was recorded since the last backup."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infra.backup import manifest, run
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from scripts.benchmark import restic, store
from scripts.benchmark.benchmark import SECONDS, Benchmark, Result, Sample, Target
from scripts.benchmark.changes import requests
from scripts.benchmark.context import Context
from scripts.benchmark.history import History
from scripts.benchmark.restic import Restic, Source
from scripts.benchmark.tools import RESURGAM, fresh, size_bytes
from scripts.benchmark.worker import Stopwatch
from scripts.benchmark.workload import ACTOR, recorded

INCREMENT_EVENTS = 5_000
EVENTS_PER_MANIFEST = 100
"""As many earlier manifests are there for the increment."""

SEED_OF_MANIFESTS = 1
EVENTS_MIN = 500
SMALLER = 10
SMALLER_CASE = f"after a {SMALLER}th of the log"


def back_up(context: Context, url: str, repository: Path, events: int) -> Sample:
    """Time a whole `resurgam backup run`; what it wrote, and how many objects a recovery would read then."""
    environment = {
        "RESURGAM_STORE": url,
        "RESURGAM_REPOSITORY": f"file://{repository}",
        "RESURGAM_ROOT_KEY": store.ROOT_KEY_LINE,
    }
    is_new = [] if repository.exists() else ["--new-repository"]
    before = size_bytes(repository) if repository.exists() else 0
    sample = context.program([*RESURGAM, "backup", "run", *is_new], events=events, environment=environment)
    after = size_bytes(repository)
    return replace(
        sample, extra={"size_bytes": after, "written_bytes": after - before, "objects": _objects(repository)}
    )


def _objects(repository: Path) -> int:
    """Return how many objects the newest manifest names."""
    newest = max(repository.glob("*/manifests/*.json"))
    return len(manifest.decode(newest.read_bytes(), newest.name).objects())


def make_manifests(stopwatch: Stopwatch, url: str, repository: str, count: int) -> None:
    """Record one change and back it up, that many times."""
    database = open_database(url)
    plane = ControlPlane(database, store.ROOT_KEY, cost=TEST_COST)
    target = Repository.open(DirectoryStore(Path(repository)))
    changes = requests(count, SEED_OF_MANIFESTS, History(store.SEED).installation)
    with stopwatch.measuring(count):
        for change in changes:
            recorded([plane.execute(change, ACTOR)])
            run.run(database, store.ROOT_KEY, target, host_clock)
    database.close()


def record(stopwatch: Stopwatch, url: str, count: int, seed: int) -> None:
    """Record so many changes in all areas."""
    database = open_database(url)
    plane = ControlPlane(database, store.ROOT_KEY, cost=TEST_COST)
    changes = requests(count, seed, History(store.SEED).installation)
    with stopwatch.measuring(0):
        stopwatch.events += recorded(plane.execute_all(changes, ACTOR))
    database.close()


def _full(context: Context) -> Sequence[Result]:
    copied = store.copied(context.events, context.cache, context.folder)
    return [
        _full_of(context, "PostgreSQL", context.filled.postgres(context.events)),
        _full_of(context, "SQLite", copied),
    ]


def _full_of(context: Context, case: str, url: str) -> Result:
    peer, source = Restic(context, context.folder / "restic"), Source(context, url)

    def ours() -> Sample:
        return back_up(context, url, fresh(context.folder / "repository"), context.events)

    def theirs() -> Sample:
        peer.init()
        return peer.backup(source, context.events)

    return context.in_turn(ours, {restic.NAME: theirs}, lambda: source.read(context, context.events), case=case)


class _Growing:
    """A store that grows before each backup, and a repository with many manifests."""

    def __init__(self, context: Context, url: str, events: int, increment: int) -> None:
        self._context = context
        self.url = url
        self._repository = context.folder / f"repository-{events}"
        self._increment = increment
        self._grown = 0
        store.fill(url, events)
        back_up(context, url, self._repository, events)
        manifests = max(events // EVENTS_PER_MANIFEST, 1)
        context.work(make_manifests, url=url, repository=str(self._repository), count=manifests)

    def grow(self, times: int) -> None:
        """Let it have grown so many times."""
        while self._grown < times:
            self._grown += 1
            seed = SEED_OF_MANIFESTS + self._grown
            self._context.work(record, url=self.url, count=self._increment * 9 // 10, seed=seed)

    def back_up(self) -> Sample:
        """Time the backup of what came to it since the last one."""
        return back_up(self._context, self.url, self._repository, self._increment)


class _Side:
    """One side's backups of a growing store: each finds another increment."""

    def __init__(self, growing: _Growing) -> None:
        self._growing = growing
        self._turn = 0

    def grow(self) -> None:
        """Let the store have grown since this side's last backup."""
        self._turn += 1
        self._growing.grow(self._turn)


def _increment(context: Context) -> Sequence[Result]:
    with context.server.schema() as url, context.server.schema() as smaller_url:
        increment = min(INCREMENT_EVENTS, context.events // SMALLER)
        growing = _Growing(context, url, context.events, increment)
        smaller = _Growing(context, smaller_url, max(context.events // SMALLER, EVENTS_MIN), increment)
        peer, source = Restic(context, context.folder / "restic"), Source(context, url)
        peer.init()
        peer.backup(source, context.events)
        sides = {name: _Side(growing) for name in ("ours", restic.NAME)}
        small_side = _Side(smaller)

        def ours() -> Sample:
            sides["ours"].grow()
            return growing.back_up()

        def theirs() -> Sample:
            sides[restic.NAME].grow()
            return peer.backup(source, increment)

        def after_less() -> Sample:
            small_side.grow()
            return smaller.back_up()

        return [context.in_turn(ours, {restic.NAME: theirs, SMALLER_CASE: after_less})]


BENCHMARKS = (
    Benchmark("backup-full", "a first backup of all events, with its process",
              [Target(SECONDS, restic.NAME, at_most=0.7), Target("size_bytes", restic.NAME, at_most=1.0)],
              _full, 1_000_000),
    Benchmark("backup-increment", "a backup of 5,000 new events after all the others, with its process",
              [Target(SECONDS, restic.NAME, at_most=0.15), Target(SECONDS, SMALLER_CASE, at_most=1.5)],
              _increment, 1_000_000),
)  # fmt: skip
