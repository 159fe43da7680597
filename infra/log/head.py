"""The head of the log: one row that every append locks, and that says what the store is and how far it goes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from domain.errors import Corrupt, Refused, Unavailable
from domain.instant import from_microseconds
from domain.release import RELEASE
from infra.database.session import Answers, Question, Row, Session, Update
from infra.log.merkle import Frontier
from projections.digest import Digest
from projections.version import FOLD_GENERATION

STORE_FORMAT = 1
"""Rises whenever a table of the store changes its form."""

COLUMNS = (
    "deployment, epoch, parent_epoch, position, recorded_at, frontier, digest, "
    "release, store_format, fold_generation, mode"
)

SCHEMA = """
CREATE TABLE log_head (
    deployment {text} NOT NULL,
    epoch {text} NOT NULL,
    parent_epoch {text} NOT NULL,
    position {integer} PRIMARY KEY,
    recorded_at {integer} NOT NULL,
    frontier {bytes} NOT NULL,
    digest {bytes} NOT NULL,
    release {text} NOT NULL,
    store_format {integer} NOT NULL,
    fold_generation {integer} NOT NULL,
    mode {text} NOT NULL
);
"""

# While a long read is open, PostgreSQL keeps each version of the row that a commit replaced. The one that counts has
# the highest position, so the index leads to it past none of them; what they have in common would lead to all of them.
NEWEST = f"SELECT {COLUMNS} FROM log_head ORDER BY position DESC LIMIT 1"

EMPTY = "empty"
OPEN = "open"
LOADING = "loading "
"""Prefix of the mode of a store that a recovery is filling; the rest names its plan."""


@dataclass(frozen=True, slots=True)
class Head:
    """The row. `recorded_at` is in microseconds since 1970; `mode` is EMPTY, OPEN or LOADING and a plan."""

    deployment: str
    epoch: str
    parent_epoch: str
    position: int
    recorded_at: int
    frontier: Frontier
    digest: Digest
    release: str = RELEASE
    store_format: int = STORE_FORMAT
    fold_generation: int = FOLD_GENERATION
    mode: str = EMPTY

    @property
    def root(self) -> bytes:
        """The Merkle root of the log."""
        return self.frontier.root()

    @property
    def instant(self) -> str:
        """The recorded-at of the last record."""
        return from_microseconds(self.recorded_at)

    def grown(self, leaves: Iterable[bytes], recorded_at: int, digest: Digest) -> "Head":
        """Return the head after records with these Merkle leaves."""
        frontier = self.frontier.copy()
        frontier.extend(leaves)
        return replace(self, position=frontier.size, recorded_at=recorded_at, frontier=frontier, digest=digest)


NEW = Head(deployment="", epoch="", parent_epoch="", position=0, recorded_at=0, frontier=Frontier(), digest=Digest())


def create(session: Session) -> None:
    """Make the table with its one row: an empty store."""
    session.execute_script(SCHEMA.format(**session.types))
    marks = ", ".join("?" * (COLUMNS.count(",") + 1))
    session.execute(f"INSERT INTO log_head ({COLUMNS}) VALUES ({marks})", _row(NEW))


def read(session: Session, *, lock: bool = False) -> Head:
    """Return the head, locked until the transaction ends if asked; Unavailable if there is no store here."""
    if not lock and not session.has_table("log_head"):
        raise Unavailable(
            "there is no Resurgam store here: run `resurgam init` for a new deployment, or `resurgam recover`"
        )
    return _head(session.lock(NEWEST).rows if lock else session.execute(NEWEST))


def _head(rows: Sequence[Row]) -> Head:
    if not rows:
        raise Corrupt("log_head holds no row")
    deployment, epoch, parent, position, recorded_at, frontier, digest, release, store_format, generation, mode = rows[
        0
    ]
    head = Head(
        deployment=deployment,
        epoch=epoch,
        parent_epoch=parent,
        position=position,
        recorded_at=recorded_at,
        frontier=Frontier.from_bytes(bytes(frontier)),
        digest=Digest.from_bytes(bytes(digest)),
        release=release,
        store_format=store_format,
        fold_generation=generation,
        mode=mode,
    )
    if head.frontier.size != head.position:
        raise Corrupt(f"log_head is at position {head.position}, its Merkle frontier at {head.frontier.size}")
    return head


def read_open(session: Session, *, lock: bool = False) -> Head:
    """Return the head of a store that this program may use, or refuse by name."""
    return _checked(read(session, lock=lock))


def lock_open(session: Session, questions: Sequence[Question] = ()) -> tuple[Head, int, Answers]:
    """Lock the head of a store that this program may use; return it, the time since then, and answers from then on."""
    rows, now_us, answers = session.lock(NEWEST, questions)
    return _checked(_head(rows)), now_us, answers


def _checked(head: Head) -> Head:
    if head.release != RELEASE:
        raise Refused(
            f"the store is of release {head.release}, this is {RELEASE}: use the program of that release, or update"
        )
    if head.store_format != STORE_FORMAT or head.fold_generation != FOLD_GENERATION:
        raise Refused(
            f"the store has format {head.store_format} and fold generation {head.fold_generation}, this program knows "
            f"{STORE_FORMAT} and {FOLD_GENERATION}: use the program that wrote it, or update"
        )
    if head.mode == EMPTY:
        raise Refused(
            "the store is empty: run `resurgam init` for a new deployment, or `resurgam recover`", rule="store-open"
        )
    if head.mode != OPEN:
        raise Refused(
            "a recovery is filling this store: let it finish, or run the same `resurgam recover` again",
            rule="store-open",
        )
    return head


def write(session: Session, head: Head) -> None:
    """Replace the row; the caller holds its lock."""
    names = ", ".join(f"{name.strip()} = ?" for name in COLUMNS.split(","))
    session.execute(f"UPDATE log_head SET {names}", _row(head))


def growth(at: Head, grown: Head) -> Update:
    """Return the change from a locked head to the one that the log grew to."""
    values = (grown.position, grown.recorded_at, grown.frontier.to_bytes(), grown.digest.to_bytes(), at.position)
    return Update("log_head", ("position", "recorded_at", "frontier", "digest"), ("position",), (), [values])


def describe(mode: str) -> str:
    """Return what an operator is told about a mode."""
    return f"being filled by recovery plan {mode.removeprefix(LOADING)}" if mode.startswith(LOADING) else mode


def _row(head: Head) -> tuple[object, ...]:
    identity = (head.deployment, head.epoch, head.parent_epoch, head.position, head.recorded_at)
    version = (head.release, head.store_format, head.fold_generation, head.mode)
    return (*identity, head.frontier.to_bytes(), head.digest.to_bytes(), *version)
