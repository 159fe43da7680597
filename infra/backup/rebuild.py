"""Rebuilds a store: records byte for byte, versions and links folded from them, keys under a new root key.

Everything happens in the caller's one transaction: a crash or a finding leaves nothing behind.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from domain.errors import Corrupt
from domain.instant import to_microseconds
from domain.resource_id import fold
from domain.sealed_value import SealedValue, sealed_values
from infra.backup.keyring_file import Contents
from infra.backup.segment import Damaged
from infra.canonical_json import encode
from infra.database.session import Session
from infra.keys import keyring
from infra.keys.root_key import RootKey
from infra.keys.sealing import unseal
from infra.log import event_table
from infra.log.event_table import Row, row_of
from infra.log.mapper import present_events
from infra.log.merkle import Frontier, leaf_hash
from infra.log.record import Recorded
from infra.state import tables
from projections.digest import Digest, DigestSum
from projections.version import Version, change

PAGE_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Limit:
    """Up to which position or instant to go; the end if neither is set. Always ends with a command."""

    position: int | None = None
    instant: str | None = None

    def admits(self, recorded: Recorded) -> bool:
        """Whether the command that a record belongs to lies within the limit; all its records have one recorded-at."""
        if self.position is not None and recorded.command_end > self.position:
            return False
        return self.instant is None or recorded.recorded_at <= self.instant

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

    def add(self, recorded: Recorded) -> None:
        """Note one."""
        self.count += 1
        if len(self.first) < UNDONE_MAX:
            self.first.append((recorded.position, recorded.event["type"], recorded.resource))


@dataclass(slots=True)
class Rebuilt:
    """What the records made: where they end, the state digest, and every resource's newest version."""

    frontier: Frontier
    digest: Digest
    last: Recorded | None
    versions: dict[str, Version]
    types: dict[str, int]
    beyond: Beyond

    @property
    def position(self) -> int:
        """The last position that was loaded."""
        return self.frontier.size

    @property
    def recorded_at_us(self) -> int:
        """The recorded-at of the last loaded record in microseconds since 1970, 0 if none was loaded."""
        return 0 if self.last is None else to_microseconds(self.last.recorded_at)


def rebuild(session: Session, records: Iterable[tuple[bytes, Recorded]], limit: Limit) -> Rebuilt:
    """Load records into empty tables without indexes, and fold them into versions and links.

    The records are read to their end also beyond the limit, to tell what is not recovered. Damage there is no reason to
    refuse: what is loaded is proven by the frontier after it.
    """
    folding = _Folding(session)
    beyond = Beyond()
    try:
        for record, recorded in records:
            if not beyond.count and limit.admits(recorded):
                folding.add(record, recorded)
            else:
                beyond.add(recorded)
    except Damaged as error:
        if folding.position > error.sound or not limit.is_reached(error.sound, beyond):
            raise
        beyond.damage = str(error)
    return folding.finish(beyond)


class _Folding:
    """Folds records in their order and writes finished rows page by page."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._frontier = Frontier()
        self._digest = DigestSum()
        self._versions: dict[str, Version] = {}
        self._types: dict[str, int] = {}
        self._last: Recorded | None = None
        self._rows: list[Row] = []
        self._ended: list[tables.VersionRow] = []
        self._unlinked: list[tables.LinkRow] = []

    @property
    def position(self) -> int:
        return self._frontier.size

    def add(self, record: bytes, recorded: Recorded) -> None:
        inner = recorded.event
        resource = fold(inner["resource"])
        before = self._versions.get(resource)
        step = change(before, recorded.position, present_events(inner), encode)
        if step.after.sequence != inner["sequence"]:
            raise Corrupt(
                f"position {recorded.position} is number {inner['sequence']} of {resource}, not {step.after.sequence}"
            )
        if before is not None:
            self._ended.append(tables.version_row(before, recorded.position))
        for (relation, target), since in step.closed:
            self._unlinked.append((resource, relation, target, since, recorded.position))
        self._versions[resource] = step.after
        self._digest.add(step)
        self._frontier.append(leaf_hash(record))
        self._types[inner["type"]] = self._types.get(inner["type"], 0) + 1
        self._rows.append(row_of(recorded, record))
        self._last = recorded
        if len(self._rows) >= PAGE_ROWS:
            self._write_page()

    def finish(self, beyond: Beyond) -> Rebuilt:
        self._write_page()
        live = self._versions.values()
        self._session.bulk_insert("versions", tables.VERSION_COLUMNS, (tables.open_version_row(v) for v in live))
        self._session.bulk_insert("links", tables.LINK_COLUMNS, (row for v in live for row in tables.open_link_rows(v)))
        return Rebuilt(self._frontier, self._digest.digest(), self._last, self._versions, self._types, beyond)

    def _write_page(self) -> None:
        event_table.insert(self._session, self._rows)
        self._session.bulk_insert("versions", tables.VERSION_COLUMNS, self._ended)
        self._session.bulk_insert("links", tables.LINK_COLUMNS, self._unlinked)
        self._rows, self._ended, self._unlinked = [], [], []


@dataclass(frozen=True, slots=True)
class Lost:
    """A sealed value of the rebuilt state that was destroyed after that state, and stays destroyed."""

    resource: str
    key_id: str
    shredded_at: int


def put_keys(session: Session, rebuilt: Rebuilt, contents: Contents, root_key: RootKey) -> None:
    """Write the keys that were added up to the rebuilt position, wrapped by the new root key.

    One that was shredded later counts as shredded by the record that follows, which is that of the recovery.
    """
    known = (key for key in contents.wrapped(root_key) if key.added_at <= rebuilt.position)
    end = rebuilt.position + 1
    keyring.insert(session, (replace(key, shredded_at=min(key.shredded_at, end)) for key in known))


def check_keys(rebuilt: Rebuilt, contents: Contents) -> Iterator[Lost]:
    """Open every sealed value of the rebuilt state; yield those shredded later, Corrupt for one without key."""
    for version in rebuilt.versions.values():
        if version.state is None or b'"keyId"' not in version.content:
            continue
        for sealed in sealed_values(version.state):
            yield from _check_key(version, sealed, contents)


def _check_key(version: Version, sealed: SealedValue, contents: Contents) -> Iterator[Lost]:
    resource = str((version.state or {})["id"])
    key_id = sealed["keyId"]
    live = contents.live.get(key_id)
    if live is not None:
        unseal(sealed, live[0], purpose=sealed["purpose"], resource=resource)
    elif key_id in contents.shredded:
        yield Lost(resource, key_id, contents.shredded[key_id][1])
    else:
        raise Corrupt(f"the keyring lacks the key {key_id} of {resource}: its value could not be read after a recovery")
