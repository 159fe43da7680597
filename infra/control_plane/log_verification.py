"""Log verification: folds every record anew and compares what comes out with every row that the store keeps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from domain.deployment import DeploymentRecovered
from domain.errors import Corrupt
from domain.resource_id import fold
from domain.sealed_value import key_ids
from infra.canonical_json import encode
from infra.database.session import Database, Row, Session
from infra.keys import keyring
from infra.log import event_table, head
from infra.log.event_table import row_of
from infra.log.head import Head
from infra.log.mapper import present_events
from infra.log.merkle import Frontier, leaf_hash
from infra.log.record import decode_record
from projections.digest import DigestSum
from projections.version import OPEN, Change, Version, change


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in order: the log up to `head`, so many rows of state, and a key for every sealed value."""

    head: Head
    versions: int
    links: int
    sealed_values: int


def verify(database: Database, progress: Callable[[int], None] = lambda position: None) -> Verified:
    """Compare records, state, digest, Merkle frontier and keyring in one snapshot; Corrupt names the first difference.

    Memory grows with the number of resources, not with that of records.
    """
    with database.read() as session:
        return _Verification(session).run(progress)


class _Verification:
    """One pass over the log, beside the rows of state in the order of the positions that opened them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._head = head.read_open(session)
        self._frontier = Frontier()
        self._digest = DigestSum()
        self._recorded_at = 0
        self._recoveries: set[int] = set()
        self._versions: dict[str, Version] = {}
        self._ends: dict[tuple[str, ...], int] = {}
        self._rows = _rows_by_position(session, "resource, sequence, kind, state", "versions", "resource")
        self._links = _rows_by_position(session, "source, relation, target", "links", "source, relation, target")
        self._version_count = 0
        self._link_count = 0

    def run(self, progress: Callable[[int], None]) -> Verified:
        columns = ", ".join(event_table.COLUMNS)
        rows = self._session.stream(f"SELECT {columns} FROM events ORDER BY position")  # noqa: S608, names are ours
        for position, row in enumerate(rows, 1):
            self._check_record(position, row)
            progress(position)
        self._check_ends()
        self._check_head()
        return Verified(self._head, self._version_count, self._link_count, self._check_keys())

    def _check_record(self, position: int, row: Row) -> None:
        record = row[-1]
        if not isinstance(record, bytes):
            raise Corrupt(f"position {position}: the record is not stored as bytes")
        recorded = decode_record(record)
        derived = row_of(recorded, record)
        if recorded.position != position or tuple(row) != derived.fields():
            raise Corrupt(f"position {position}: the row beside the record is not the one that the record gives")
        if derived.recorded_at < self._recorded_at:
            raise Corrupt(f"position {position} was recorded before the position in front of it")
        self._recorded_at = derived.recorded_at
        resource = fold(recorded.resource)
        step = change(self._versions.get(resource), position, present_events(recorded.event), encode)
        if step.after.sequence != derived.originator_version:
            raise Corrupt(f"position {position}: {resource} has sequence {derived.originator_version} out of turn")
        self._versions[resource] = step.after
        if recorded.event["type"] == DeploymentRecovered.name:
            self._recoveries.add(position)
        self._frontier.append(leaf_hash(record))
        self._digest.add(step)
        self._check_version(position, step)
        self._check_links(position, step)

    def _check_version(self, position: int, step: Change) -> None:
        after = step.after
        rows = self._rows(position)
        expected = (after.resource, after.sequence, after.kind, after.content)
        if [tuple(row) for row, _ in rows] != [expected]:
            raise Corrupt(f"position {position}: the stored version of {after.resource} is not what its records give")
        if step.before is not None:
            self._end((after.resource,), position)
        self._ends[after.resource,] = rows[0][1]
        self._version_count += 1

    def _check_links(self, position: int, step: Change) -> None:
        source = step.after.resource
        rows = self._links(position)
        if [tuple(row) for row, _ in rows] != sorted((source, *key) for key in step.opened):
            raise Corrupt(f"position {position}: the stored links of {source} are not what its records give")
        for key, _ in step.closed:
            self._end((source, *key), position)
        for row, valid_to in rows:
            self._ends[tuple(row)] = valid_to
            self._link_count += 1

    def _end(self, key: tuple[str, ...], position: int) -> None:
        if self._ends.pop(key) != position:
            raise Corrupt(f"position {position}: the stored row of {' '.join(key)} does not end here, as it should")

    def _check_ends(self) -> None:
        for key, valid_to in self._ends.items():
            if valid_to != OPEN:
                raise Corrupt(f"the stored row of {' '.join(key)} ends at position {valid_to}, and no record ends it")
        beyond = self._rows(OPEN) or self._links(OPEN)
        if beyond:
            raise Corrupt(f"the stored row of {beyond[0][0][0]} begins at a position that no record has")

    def _check_head(self) -> None:
        at = self._head
        if self._frontier.size != at.position or self._recorded_at != at.recorded_at:
            raise Corrupt(f"the log ends at position {self._frontier.size}, its head says {at.position}")
        if self._frontier != at.frontier:
            raise Corrupt("the records do not give the Merkle root of the head: a record was changed")
        if self._digest.digest() != at.digest:
            raise Corrupt("the records do not give the state digest of the head")

    def _check_keys(self) -> int:
        """Compare the live keys with those that the current state needs; return their number."""
        rows = self._session.stream("SELECT key_id, shredded_at FROM keyring")
        shredded: dict[str, int] = dict(rows)
        live = {key_id for key_id, shredded_at in shredded.items() if shredded_at == keyring.LIVE}
        needed = {key: version.resource for version in self._versions.values() for key in key_ids(version.state)}
        for key, resource in needed.items():
            # A recovery to an earlier moment brings back states whose values had been destroyed since, and says so.
            if key not in live and shredded.get(key, keyring.LIVE) not in self._recoveries:
                raise Corrupt(f"the keyring lacks the key {key} of {resource}: recover it from a backup")
        if unneeded := live - needed.keys():
            raise Corrupt(f"the keyring still holds the key {min(unneeded)}, whose value was purged")
        return len(live)


RowsAt = Callable[[int], list[tuple[Row, int]]]
"""Position -> (row, valid_to) of all rows that begin at positions up to it and were not returned before."""


def _rows_by_position(session: Session, columns: str, table: str, order: str) -> RowsAt:
    sql = f"SELECT valid_from, valid_to, {columns} FROM {table} ORDER BY valid_from, {order}"  # noqa: S608, names are ours
    by_position = groupby(session.stream(sql), key=lambda row: int(row[0]))
    groups: Iterator[tuple[int, list[Row]]] = ((position, list(group)) for position, group in by_position)
    waiting = next(groups, None)

    def take(position: int) -> list[tuple[Row, int]]:
        nonlocal waiting
        if waiting is None or waiting[0] > position:
            return []
        taken = [(row[2:], int(row[1])) for row in waiting[1]]
        waiting = next(groups, None)
        return taken

    return take
