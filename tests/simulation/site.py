"""A deployment in a simulation: its store, and a plain model of what was recorded in it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from domain.secret_version import SECRET_PURPOSE, need_readable
from infra.backup.run import Outcome
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import Request
from infra.database.session import Database
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.keys.root_key import RootKey
from tests.backup_estate import records_of, set_password, set_secret
from tests.infra.control_plane.installation import ACTOR, request, user_request
from tests.simulation.chance import Time

DAY_US = 86_400_000_000
SECRETS = 4
USERS = 3


@dataclass(frozen=True)
class Model:
    """What is there after a command: the names of groups, and the newest value of each secret."""

    position: int
    groups: frozenset[str] = frozenset()
    secrets: tuple[tuple[str, str], ...] = ()

    def with_secret(self, name: str, value: str) -> "Model":
        return replace(self, secrets=tuple(sorted({**dict(self.secrets), name: value}.items())))


@dataclass(frozen=True)
class Reported:
    """A backup that a run said it had made, at this true time."""

    sequence: int
    sha256: str
    position: int
    made_us: int
    is_honest: bool


@dataclass
class Site:
    """A deployment. `past` is the model after each command; `reported` are its backups, by number."""

    number: int
    folder: Path
    database: Database
    root_key: RootKey
    past: list[Model]
    skew_us: int = 0
    is_honest: bool = True
    """Whether its host's clock was always right."""
    made: int = 0
    reported: dict[int, Reported] = field(default_factory=dict)
    attested: set[int] = field(default_factory=set)
    """The numbers of backups that were reported as verified, and that no later one lists as void."""

    def __post_init__(self) -> None:
        self.plane = ControlPlane(self.database, self.root_key, cost=TEST_COST)
        self.deployment = self.plane.head().deployment
        self.log = records_of(self.database)

    @property
    def shipped(self) -> int:
        """Up to where everything was reported to be in the repository."""
        return max((one.position for one in self.reported.values()), default=0)

    @contextmanager
    def acting(self, time: Time) -> Iterator[None]:
        """Let the clock be that of this site's host."""
        before, time.skew_us = time.skew_us, self.skew_us
        try:
            yield
        finally:
            time.skew_us = before

    def record(self, chance: Random, count: int) -> None:
        """Record so many commands, and keep the model."""
        for _ in range(count):
            asked, after = self._command(chance)
            outcome = self.plane.execute(asked, ACTOR)
            if outcome.last > self.past[-1].position:
                self.past.append(replace(after, position=outcome.last))
        self.log += records_of(self.database)[len(self.log) :]

    def _command(self, chance: Random) -> tuple[Request, Model]:
        self.made += 1
        last = self.past[-1]
        match chance.randrange(4):
            case 0:
                value = f"value {self.made} of {self.number}"
                name = f"Secret{chance.randrange(SECRETS)}"
                return set_secret(name, value), last.with_secret(name, value)
            case 1:
                return set_password(chance.randrange(USERS), f"a long password {self.made}"), last
            case _:
                name = f"Group {self.made} of {self.number}"
                return request("CreateGroup", displayName=name), replace(last, groups=last.groups | {name})

    def report(self, outcome: Outcome, time: Time) -> Reported:
        """Take note of what a run said."""
        of = outcome.manifest
        told = Reported(of.sequence, outcome.sha256, of.last, time.now_us, is_honest=not self.skew_us)
        return self.reported.setdefault(of.sequence, told)

    def at(self, position: int) -> Model:
        """The model as it was then."""
        return max((one for one in self.past if one.position <= position), key=lambda one: one.position)

    def copied(self, folder: Path) -> "Site":
        """The same deployment with a copy of its store."""
        with (
            closing(sqlite3.connect(self.folder / "store.db")) as source,
            closing(sqlite3.connect(folder / "store.db")) as target,
        ):
            source.backup(target)
        database = open_database(f"sqlite:///{folder}/store.db")
        return Site(self.number, folder, database, self.root_key, list(self.past))

    def close(self) -> None:
        """The store is gone."""
        self.database.close()
        shutil.rmtree(self.folder)


def first_requests() -> list[Request]:
    """What the commands of a site rely on, beside a vault."""
    return [user_request(number) for number in range(USERS)]


def found_model(plane: ControlPlane, position: int) -> Model:
    """What is there by the store itself."""
    with plane.read() as reading:
        groups = frozenset(str(one.state["displayName"]) for one in reading.state.of_kind("group"))
        secrets = {}
        for one in reading.state.of_kind("secret"):
            version = need_readable(reading.state, one.id)
            value = plane.open_sealed(reading.session, version["value"], SECRET_PURPOSE, version["id"])
            secrets[one.id.rpartition("/")[2]] = value.decode()
        return Model(position, groups, tuple(sorted(secrets.items())))
