"""A small deployment with secrets, and a repository for its backups; shared by the tests of backups."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.backup import endorsement, lines_file, memory, run, verification
from infra.backup.age import AgeIdentity, X25519Identity
from infra.backup.manifest import Manifest
from infra.backup.repository import Repository
from infra.backup.run import Outcome
from infra.backup.segment import OpenerOf
from infra.backup.stores.directory import DirectoryStore
from infra.backup.verification import Expectation, Verified
from infra.control_plane import recovery
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.control_plane.recovery import Report, Wish
from infra.control_plane.request import Request
from infra.database.session import Database
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.keys.root_key import FileRootKey
from infra.log import event_table
from tests.infra.control_plane.installation import ACTOR, PROVIDER, ROOT_KEY, install, request, user_id, user_request

IDENTITY = X25519Identity(bytes(range(32)))
"""The same in every process; classical, as its files are smaller."""

OTHER_IDENTITY = X25519Identity(bytes(range(1, 33)))
GROUP = f"/subscriptions/{PROVIDER}/resourceGroups/main"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/keys"
FIRST_USE = Wish(trust_first_use=True)

TABLES = {
    "events": "position",
    "versions": "resource, valid_from",
    "links": "source, relation, target, valid_from",
}


def set_secret(name: str, value: str) -> Request:
    return request("SetSecret", vaultId=VAULT, name=name, value=value)


def set_password(number: int, password: str) -> Request:
    return request("SetPassword", objectId=user_id(number), password=password)


def vault_requests() -> list[Request]:
    return [
        request("CreateResourceGroup", subscriptionId=PROVIDER, name="main", location="east"),
        request("CreateVault", resourceGroupId=GROUP, name="keys", location="east"),
        set_secret("Database", "first value"),
    ]


@dataclass
class Estate:
    """A deployment in `database`, backed up to a directory."""

    folder: Path
    database: Database
    plane: ControlPlane
    identities: Sequence[AgeIdentity] = (IDENTITY,)
    root_key: Any = ROOT_KEY
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def root(self) -> Path:
        """The repository's directory."""
        return self.folder / "repository"

    @property
    def repository(self) -> Repository:
        return Repository.open_or_create(DirectoryStore(self.root, create=True))

    @property
    def deployment(self) -> str:
        return self.plane.head().deployment

    @property
    def newest(self) -> Manifest:
        stored = self.repository.newest(self.deployment)
        assert stored is not None
        return stored.manifest

    def record(self, *requests: Request) -> None:
        for one in requests:
            self.plane.execute(one, ACTOR)

    def back_up(self) -> Outcome:
        outcome = run.run(self.database, self.root_key, self.repository, host_clock)
        self.outcomes.append(outcome)
        return outcome

    def endorse(self, identity: AgeIdentity = IDENTITY) -> None:
        with self.database.write() as session:
            signer = memory.get_signer(session, self.root_key)
            memory.put_endorsement(session, endorsement.endorse(identity, signer.verifier))

    def verify(self, *identities: AgeIdentity, expect: Expectation | None = None) -> Verified:
        return verify(self.root, self.deployment, identities or self.identities, expect)

    def files(self) -> list[Path]:
        """Every file of the repository."""
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def objects(self, folder: str) -> list[Path]:
        """The files of `segments`, `keyrings` or `manifests`, oldest first."""
        return sorted((self.root / self.deployment / folder).iterdir())

    def copied(self, folder: Path) -> Path:
        """A copy of the repository, to be harmed, in a folder without one."""
        return Path(shutil.copytree(self.root, folder / "repository"))


def verify(
    root: Path, deployment: str, identities: Sequence[AgeIdentity] = (IDENTITY,), expect: Expectation | None = None
) -> Verified:
    opener_of = OpenerOf(lines_file.with_identities(identities)) if identities else None
    return verification.verify(Repository.open(DirectoryStore(root)), deployment, opener_of, expect)


@contextmanager
def estate(folder: Path, url: str | None = None, *identities: AgeIdentity) -> Iterator[Estate]:
    """Install a deployment whose backups these identities open, in a store that does not exist yet."""
    identities = identities or (IDENTITY,)
    database = open_database(url or f"sqlite:///{folder}/store.db", create=True)
    try:
        install(database, recipients={f"recipient-{n}": str(one.recipient) for n, one in enumerate(identities)})
        yield Estate(folder, database, ControlPlane(database, ROOT_KEY, cost=TEST_COST), identities)
    finally:
        database.close()


def grown(made: Estate) -> Estate:
    """Three backups, of which the newest needs every object: nothing was shredded, which begins a new keyring."""
    _begin(made)
    made.record(set_secret("Database", "third value"))
    made.back_up()
    return made


def lived_in(made: Estate) -> Estate:
    """Three backups: of the installation and a vault, of changes to secrets, and of changes that shred some."""
    _begin(made)
    made.record(set_password(1, "another long password"), request("DeleteUser", objectId=user_id(2)))
    made.back_up()
    return made


def _begin(made: Estate) -> None:
    made.record(*vault_requests(), *map(user_request, range(3)))
    made.back_up()
    made.record(set_secret("Database", "second value"), set_secret("Other", "päss wörd"))
    made.record(user_request(3, displayName="Zoë 東京 \u2028 👩\u200d🚀"))
    made.back_up()


@contextmanager
def recovered(
    root: Path,
    folder: Path,
    url: str | None = None,
    wish: Wish = FIRST_USE,
    identities: Sequence[AgeIdentity] = (IDENTITY,),
) -> Iterator[tuple[Estate, Report]]:
    """Recover into a new store below `folder`: an estate of its own, which backs up into the same repository."""
    folder.mkdir(exist_ok=True)
    database = open_database(url or f"sqlite:///{folder}/recovered.db", create=True)
    try:
        report = recover(database, folder, root, wish, identities)
        root_key = FileRootKey.load(folder / "root-key")
        plane = ControlPlane(database, root_key, cost=TEST_COST)
        yield Estate(root.parent, database, plane, identities, root_key), report
    finally:
        database.close()


def recover(
    database: Database,
    folder: Path,
    root: Path,
    wish: Wish = FIRST_USE,
    identities: Sequence[AgeIdentity] = (IDENTITY,),
) -> Report:
    repository = Repository.open(DirectoryStore(root))
    return recovery.recover(database, folder / "root-key", repository, identities, wish, ACTOR, host_clock)


def is_empty(database: Database) -> bool:
    """Whether nothing of a recovery can be seen."""
    with database.read() as session:
        return not session.has_table("log_head") or session.execute("SELECT count(*) FROM events") == [(0,)]


def records_of(database: Database, until: int | None = None) -> list[bytes]:
    with database.read() as session:
        return list(event_table.records(session, until=until))


def rows_of(database: Database, table: str, until: int | None = None) -> list[tuple[Any, ...]]:
    """The rows of a table, in an order; with `until` as they were at that position."""
    with database.read() as session:
        rows = session.execute(f"SELECT * FROM {table} ORDER BY {TABLES[table]}")
    if until is None or table == "events":
        return [row for row in rows if until is None or row[0] <= until]
    return [(*row[:3], *_valid(row[3:5], until), *row[5:]) for row in rows if row[3] <= until]


def _valid(pair: Iterable[int], until: int) -> tuple[int, int]:
    valid_from, valid_to = pair
    return valid_from, valid_to if valid_to <= until else 2**63 - 1
