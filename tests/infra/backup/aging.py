"""A deployment that grows older with its backups, and what must hold of them whatever was pruned."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from domain.instant import from_datetime, to_datetime
from infra.backup import keyring_file, layout, lines_file, pruning, run, segment
from infra.backup.pruning import Outcome
from infra.backup.repository import Repository
from infra.backup.retention import Policy
from infra.backup.segment import OpenerOf
from infra.backup.stores.directory import DirectoryStore
from infra.backup.stores.store import Store
from infra.control_plane.clock import host_clock
from tests.backup_estate import IDENTITY, Estate, records_of, set_secret
from tests.infra.control_plane.installation import user_request

TWO_DAYS = Policy(days=2)
DAY = timedelta(days=1)


@dataclass
class Aging:
    """An estate whose clock is moved by hand; it runs ahead of the store's own, which tells when records were made."""

    made: Estate
    now: str = field(default_factory=host_clock)
    users: int = 100

    def clock(self) -> str:
        return self.now

    def pass_time(self, time: timedelta) -> None:
        self.now = from_datetime(to_datetime(self.now) + time)

    @property
    def store(self) -> DirectoryStore:
        return DirectoryStore(self.made.root)

    def back_up(self, store: Store | None = None) -> run.Outcome:
        self.users += 1
        self.made.record(user_request(self.users))
        if self.users % 3 == 0:
            self.made.record(set_secret("Database", f"value {self.users}"))
        return self.continue_with(store)

    def continue_with(self, store: Store | None = None) -> run.Outcome:
        repository = Repository.open(store or self.store)
        return run.run(self.made.database, self.made.root_key, repository, self.clock)

    def live_days(self, days: int, backups_a_day: int = 2) -> None:
        for _ in range(days * backups_a_day):
            self.back_up()
            self.pass_time(DAY / backups_a_day)

    def prune(self, policy: Policy = TWO_DAYS, store: Store | None = None, *, is_dry_run: bool = False) -> Outcome:
        repository = Repository.open(store or self.store)
        database, root_key = self.made.database, self.made.root_key
        return pruning.prune(database, root_key, repository, policy, pruning.GRACE, self.clock, is_dry_run=is_dry_run)

    def numbers(self) -> list[int]:
        """Which manifests are there."""
        return [int(path.stem) for path in self.made.objects("manifests")]

    def path(self, number: int) -> Path:
        return self.made.root / layout.manifest(self.made.deployment, number)

    def statement(self, number: int) -> Path:
        return self.made.root / layout.prune(self.made.deployment, number)

    def names(self) -> set[str]:
        """All objects but statements."""
        return {str(path.relative_to(self.made.root)) for path in self.made.files() if path.parent.name != "prunes"}


def check_backups(made: Estate, kept: set[int]) -> None:
    """The chain passes, holds what is kept, and of what is kept every record and key can be read."""
    log = records_of(made.database)
    opener_of = OpenerOf(lines_file.with_identities([IDENTITY]))
    found = {stored.manifest.sequence: stored.manifest for stored in made.repository.chain(made.deployment)}
    assert kept <= found.keys()
    for number in kept:
        of = found[number]
        assert [r for page in segment.read_all(made.repository, of, opener_of) for r in page.records] == log[: of.last]
        keyring_file.read_all(made.repository, of, opener_of)


def check_whole(made: Estate) -> None:
    """Every manifest that is there has all that it names, but for the first, which stays to show the signer."""
    for stored in list(made.repository.chain(made.deployment))[1:]:
        for entry in stored.manifest.objects():
            made.repository.get_object(made.deployment, entry)
