"""What is done to a deployment's backups in tests that fail it at every call in turn, and what must hold after each."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from domain.errors import NotFound, Unavailable
from domain.release import RELEASE
from infra.backup import compaction, memory, run
from infra.backup.repository import Repository
from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.store import Store
from infra.control_plane import recovery, verified_backup
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.keys.root_key import FileRootKey
from tests.backup_estate import FIRST_USE, IDENTITY, Estate, estate, grown, is_empty, lived_in, records_of, set_secret
from tests.infra.backup.aging import Aging, check_backups, check_whole
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY

EVERY_NTH_RECOVERED = 8

Wrap = Callable[[Store], Store]


def as_it_is(store: Store) -> Store:
    return store


@contextmanager
def opened(folder: Path) -> Iterator[Estate]:
    database = open_database(f"sqlite:///{folder}/store.db")
    try:
        yield Estate(folder, database, ControlPlane(database, ROOT_KEY, cost=TEST_COST))
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to an estate in a folder, over and over again, and the estate that it begins with."""

    prepare: Callable[[Path], None]
    perform: Callable[[Path, Wrap], None]
    check: Callable[[Path], None]


def back_up(folder: Path, wrap: Wrap) -> None:
    with opened(folder) as made:
        store = wrap(DirectoryStore(made.root, create=True))
        run.run(made.database, ROOT_KEY, Repository.open_or_create(store), host_clock)


def make_verified(folder: Path, wrap: Wrap) -> None:
    with opened(folder) as made:
        repository = Repository.open(wrap(DirectoryStore(made.root)))
        verified_backup.make(made.database, ROOT_KEY, repository, host_clock)


def prune(folder: Path, wrap: Wrap) -> None:
    with opened(folder) as made:
        aging = Aging(made, now=(folder / "now").read_text())
        for failure in aging.prune(store=wrap(DirectoryStore(made.root))).failures:
            raise Unavailable(failure.reason)


def new(folder: Path) -> None:
    with estate(folder):
        pass


def with_backups(folder: Path) -> None:
    with estate(folder) as made:
        lived_in(made)
        made.record(set_secret("Database", "not backed up yet"))


def to_compact(folder: Path) -> None:
    """Eight keyring files, and enough new records to write all segments again."""
    with estate(folder) as made:
        grown(made)
        for n in range(5):
            made.record(set_secret("Database", f"value {n}"))
            made.back_up()
        made.record(*(set_secret("Database", f"later {n}") for n in range(30)))
        assert len(made.newest.keyring) == compaction.KEYRINGS_MIN


def to_prune(folder: Path) -> None:
    """Some manifests are marked and due, and others are to be marked."""
    with estate(folder) as made:
        aging = Aging(lived_in(made))
        aging.live_days(4, 1)
        aging.prune()
        aging.live_days(1, 1)
        (folder / "now").write_text(aging.now)


def check_backup(folder: Path) -> None:
    """The repository tells no lie, and has lost nothing that was reported."""
    with opened(folder) as made:
        with made.database.read() as session:
            reported = max((last.manifest.last for last in memory.last_manifests(session)), default=0)
        try:
            found = made.verify()
        except (NotFound, Unavailable):  # no repository, or not even its folder
            assert reported == 0
        else:
            assert found.newest.manifest.last >= reported


def check_pruned(folder: Path) -> None:
    check_backup(folder)
    with opened(folder) as made:
        check_whole(made)
        check_backups(made, {made.newest.sequence})


ACTS = {
    "first backup": Act(new, back_up, check_backup),
    "backup": Act(with_backups, back_up, check_backup),
    "compaction": Act(to_compact, back_up, check_backup),
    "verified backup": Act(with_backups, make_verified, check_backup),
    "prune": Act(to_prune, prune, check_pruned),
}


def again(before: Path) -> Path:
    """A fresh copy, always of the same name, as a repository remembers no other."""
    folder = before.parent / "now"
    shutil.rmtree(folder, ignore_errors=True)
    return Path(shutil.copytree(before, folder))


def go_on(act: Act, folder: Path, call: int) -> None:
    """After a crash: nothing is wrong, the next attempt succeeds, and now and then all of it is recovered."""
    act.check(folder)
    act.perform(folder, as_it_is)
    act.check(folder)
    if call % EVERY_NTH_RECOVERED == 0:
        check_recovered(folder)


def check_recovered(folder: Path) -> None:
    target = open_database(f"sqlite:///{folder}/target-{host_clock()}.db", create=True)
    with opened(folder) as made:
        path = folder / f"root-key-{host_clock()}"
        report = recovery.recover(target, path, made.repository, [IDENTITY], FIRST_USE, ACTOR, host_clock)
        assert report.recovered_position == made.newest.last
        assert records_of(target, report.recovered_position) == records_of(made.database, made.newest.last)
    target.close()


def until_done(attempt: Callable[[int], bool], calls_min: int) -> None:
    """Attempt with 1, 2, 3 … until one attempt comes to its end."""
    call = 1
    while not attempt(call):
        call += 1
    assert call > calls_min


def recover_with(made: Estate, folder: Path, wrap: Wrap) -> None:
    database = open_database(f"sqlite:///{folder}/target.db", create=True)
    try:
        repository = Repository.open(wrap(DirectoryStore(made.root)))
        recovery.recover(database, folder / "root-key", repository, [IDENTITY], FIRST_USE, ACTOR, host_clock)
    finally:
        database.close()


def check_target(made: Estate, folder: Path) -> bool:
    """Whether the recovery is done; if not, nothing of it can be seen."""
    database = open_database(f"sqlite:///{folder}/target.db", create=True)
    try:
        if is_empty(database):
            return False
        root_key = FileRootKey.load(folder / "root-key")
        head = ControlPlane(database, root_key, cost=TEST_COST).head()
        assert (head.position, head.release) == (made.newest.last + 1, RELEASE)
        assert records_of(database, made.newest.last) == records_of(made.database)
        with database.read() as session:
            assert memory.get_signer(session, root_key)
    finally:
        database.close()
    return True
