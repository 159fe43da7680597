"""Rebuilds a store: records byte for byte, versions and links folded from them, keys under a new root key.

Everything happens in the caller's one transaction: a crash or a finding leaves nothing behind.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from domain.errors import Corrupt, Usage
from domain.instant import to_microseconds
from infra.backup.folding import PAGE_ROWS, Fold, Folding, Sealed
from infra.backup.folding_process import FoldingProcess
from infra.backup.keyring_file import Contents
from infra.backup.segment import Damaged
from infra.database.loading import Loading
from infra.database.session import Session
from infra.keys import keyring
from infra.keys.root_key import RootKey
from infra.keys.sealing import unseal
from infra.log import event_table
from infra.log.merkle import Frontier
from infra.log.page import Page
from infra.log.proven import ProvenRecord, decode_proven, flawed
from infra.log.record import Recorded, decode_record
from infra.state import tables
from infra.state.newest import NewestVersions
from projections.digest import Digest, DigestSum
from projections.version import LinkRow, VersionRow


@dataclass(frozen=True, slots=True)
class Limit:
    """Up to which position or instant to go; the end if neither is set. Always ends with a command."""

    position: int | None = None
    instant: str | None = None

    def admitted(self, records: Sequence[bytes]) -> int:
        """Return how many of consecutive records lie within the limit: the first ones, as positions and time rise."""
        if self.position is None and self.instant is None:
            return len(records)
        return bisect_left(records, True, key=lambda record: not self.admits(decode_proven(record)))

    def admits(self, record: ProvenRecord) -> bool:
        """Whether the command that a record belongs to lies within the limit; all its records have one recorded-at."""
        if self.position is not None and record.command_end > self.position:
            return False
        return self.instant is None or record.recorded_at <= self.instant

    def is_reached(self, sound: int, beyond: "Beyond") -> bool:
        """Whether all that lies within the limit is among the records up to `sound`."""
        return beyond.count > 0 or (self.position is not None and self.position <= sound)


UNDONE_MAX = 1_000


@dataclass(slots=True)
class Beyond:
    """Records beyond the limit: their number, and (position, type, resource) of the first thousand.

    `damage` says why no more of them could be read, if the backup is damaged there.
    """

    count: int = 0
    damage: str = ""
    first: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, records: Sequence[bytes]) -> None:
        """Note more of them."""
        self.count += len(records)
        for record in records[: UNDONE_MAX - len(self.first)]:
            proven = decode_proven(record)
            self.first.append((proven.position, proven.event.type, proven.event.resource))


@dataclass(frozen=True, slots=True)
class Lost:
    """A sealed value of the rebuilt state that was destroyed after that state, and stays destroyed."""

    resource: str
    key_id: str
    shredded_at: int


@dataclass(slots=True)
class Rebuilt:
    """What the records made: where they end, the state digest, and the sealed values that stay destroyed."""

    frontier: Frontier
    digest: Digest
    last: Recorded | None
    types: dict[str, int]
    beyond: Beyond
    lost: list[Lost]

    @property
    def position(self) -> int:
        """The last position that was loaded."""
        return self.frontier.size

    @property
    def recorded_at_us(self) -> int:
        """The recorded-at of the last loaded record in microseconds since 1970, 0 if none was loaded."""
        return 0 if self.last is None else to_microseconds(self.last.recorded_at)


def rebuild(
    session: Session,
    pages: Iterable[Page],
    limit: Limit,
    keys: Contents | None,
    *,
    is_large: bool = False,
    progress: Callable[[int], None] = lambda position: None,
) -> Rebuilt:
    """Load records into empty tables without indexes, fold them into versions and links, and open every sealed value.

    The bytes of the records are proven by whoever reads the pages. They are read to their end also beyond the limit, to
    tell what is not recovered. Damage there is no reason to refuse: what is loaded is proven by the frontier after it.
    Without keys no sealed value is opened. If the log `is_large`, the folding happens in a process of its own.
    """
    beyond = Beyond()
    with Loading(session) as loading, _fold(state := _State(loading), is_large=is_large) as folding:
        taking = _Taking(loading, folding)
        try:
            for page in pages:
                within = 0 if beyond.count else limit.admitted(page.records)
                taking.take(page.records[:within], page.leaves[:within])
                beyond.add(page.records[within:])
                progress(taking.frontier.size + beyond.count)
        except Damaged as error:
            if taking.frontier.size > error.sound or not limit.is_reached(error.sound, beyond):
                raise
            beyond.damage = str(error)
        taking.put_events()
        lost = [_opened(sealed, keys) for sealed in folding.finish() if keys is not None]
    last = decode_record(taking.last) if taking.last else None
    digest = state.digest.digest()
    return Rebuilt(taking.frontier, digest, last, dict(taking.types), beyond, list(filter(None, lost)))


@contextmanager
def _fold(state: "_State", *, is_large: bool) -> Iterator[Fold]:
    if is_large:
        with FoldingProcess(state) as process:
            yield process
    else:
        with NewestVersions() as newest:
            yield Folding(newest, state)


class _State:
    """The state side of a rebuild, see Rows: takes finished versions and links, and sums up their digest."""

    def __init__(self, loading: Loading) -> None:
        self._loading = loading
        self.digest = DigestSum()

    def put_versions(self, rows: Sequence[VersionRow]) -> None:
        self.digest.add_versions(rows)
        self._loading.put("versions", tables.VERSION_COLUMNS, rows)

    def put_links(self, rows: Sequence[LinkRow]) -> None:
        self.digest.add_links(rows)
        self._loading.put("links", tables.LINK_COLUMNS, rows)


class _Taking:
    """The log side of a rebuild: takes records in their order as rows of events, and hands them on to be folded."""

    def __init__(self, loading: Loading, folding: Fold) -> None:
        self._loading = loading
        self._folding = folding
        self.frontier = Frontier()
        self.types: Counter[str] = Counter()
        self.last = b""
        self._recorded_at = 0
        self._events: list[event_table.Row] = []

    def take(self, records: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        """Take records that follow those before, and their Merkle leaves."""
        self._folding.add(records)
        position, recorded_at = self.frontier.size, self._recorded_at
        for record in records:
            try:
                row = event_table.row_of(decode_proven(record), record)
            except (Usage, ValueError) as error:  # an instant that is none, an id that is no text
                raise flawed(record) from error
            if row.position != (position := position + 1):
                raise Corrupt(f"position {row.position} follows position {position - 1}")
            if row.recorded_at < recorded_at:
                raise Corrupt(f"position {position} was recorded before the position in front of it")
            recorded_at = row.recorded_at
            self._events.append(row)
            self.types[row.topic] += 1
        self._recorded_at = recorded_at
        self.last = records[-1] if records else self.last
        self.frontier.extend(leaves)
        if len(self._events) >= PAGE_ROWS:
            self.put_events()

    def put_events(self) -> None:
        """Pass the rows on that were taken."""
        self._loading.put("events", event_table.COLUMNS, self._events)
        self._events = []


def _opened(sealed: Sealed, keys: Contents) -> Lost | None:
    """Open a sealed value; return it if it was shredded later. Corrupt if its key is lost."""
    key_id = sealed.value["keyId"]
    live = keys.live.get(key_id)
    if live is not None:
        unseal(sealed.value, live[0], purpose=sealed.value["purpose"], resource=sealed.resource)
        return None
    if key_id in keys.shredded:
        return Lost(sealed.resource, key_id, keys.shredded[key_id][1])
    of = sealed.resource
    raise Corrupt(f"the keyring lacks the key {key_id} of {of}: its value could not be read after a recovery")


def put_keys(session: Session, rebuilt: Rebuilt, contents: Contents, root_key: RootKey) -> None:
    """Write the keys that were added up to the rebuilt position, wrapped by the new root key.

    One that was shredded later counts as shredded by the record that follows, which is that of the recovery.
    """
    known = (key for key in contents.wrapped(root_key) if key.added_at <= rebuilt.position)
    end = rebuilt.position + 1
    keyring.insert(session, (replace(key, shredded_at=min(key.shredded_at, end)) for key in known))
