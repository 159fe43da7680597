"""Log verification: folds every record anew and compares what comes out with every row that the store keeps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter

from domain.deployment import DeploymentRecovered, DeploymentRootKeyRestored
from domain.errors import Corrupt
from domain.resource_id import fold
from domain.sealed_value import SEALED_MARK, key_ids
from infra.canonical_json import encode
from infra.database.session import Database, Row, Session
from infra.keys import keyring
from infra.log import event_table, head
from infra.log.event_table import row_of
from infra.log.head import Head
from infra.log.mapper import present_events
from infra.log.merkle import Frontier, leaf_hash
from infra.log.page import RECORDS_PER_PAGE, paged
from infra.log.proven import decode_proven
from infra.log.record import decode_record, unframe
from infra.state.newest import NewestVersions
from projections.digest import DigestSum
from projections.fold import change
from projections.progress import Progress, silent
from projections.version import OPEN, Change, LinkKey


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in order: the log up to `head`, so many rows of state, and a key for every sealed value."""

    head: Head
    versions: int
    links: int
    sealed_values: int


def verify(database: Database, progress: Progress = silent) -> Verified:
    """Compare records, state, digest, Merkle frontier and keyring in one snapshot; Corrupt names the first difference.

    Memory grows with the number of resources and of links, by their keys, not with that of records.
    """
    with database.read() as session, NewestVersions() as newest:
        return _Verification(session, newest).run(progress)


def verify_records(database: Database, progress: Progress = silent) -> Head:
    """Compare all records with the Merkle root of the head, which is returned; Corrupt if they are not those it is of.

    A tenth of the work of `verify`: it proves the log's bytes, and says nothing of the state that was made of them.
    """
    with database.read() as session:
        at = head.read_open(session)
        frontier = Frontier()
        for page in paged(event_table.records(session)):
            frontier.extend(page.leaves)
            if unframe(page.records[-1])[1] != frontier.size:
                raise Corrupt(f"the records up to position {frontier.size} are not gapless: one is missing or moved")
            progress("verifying records", frontier.size, at.position)
    if frontier != at.frontier:
        raise Corrupt("the records do not give the Merkle root of the head: a record was changed, added or removed")
    return at


class _Verification:
    """One pass over the log, beside the rows of state in the order of the positions that opened them."""

    def __init__(self, session: Session, newest: NewestVersions) -> None:
        self._session = session
        self._newest = newest
        self._head = head.read_open(session)
        self._frontier = Frontier()
        self._digest = DigestSum()
        self._recorded_at = 0
        self._recoveries: set[int] = set()
        self._rows = _rows_by_position(session, "resource, sequence, kind, state", "versions", "resource")
        self._links = _rows_by_position(session, "source, relation, target", "links", "source, relation, target")
        # What the stored rows say of their ends, by the position of the end, until the records confirm it.
        self._ending_version: dict[int, int] = {}
        self._ending_links: dict[int, set[tuple[LinkKey, int]]] = {}
        self._version_count = 0
        self._link_count = 0

    def run(self, progress: Progress) -> Verified:
        columns = ", ".join(event_table.COLUMNS)
        rows = self._session.stream(f"SELECT {columns} FROM events ORDER BY position")  # noqa: S608, names are ours
        position = 0
        while page := list(islice(rows, RECORDS_PER_PAGE)):
            for row in page:
                position += 1
                self._check_record(position, row)
            self._frontier.extend([leaf_hash(row[-1]) for row in page])
            progress("verifying records", position, self._head.position)
        self._check_ends()
        self._check_head()
        return Verified(self._head, self._version_count, self._link_count, self._check_keys())

    def _check_record(self, position: int, row: Row) -> None:
        record = event_table.checked(position, row[-1])
        decode_record(record)  # the bytes are canonical and every member has its form, or this raises
        proven = decode_proven(record)
        event, derived = proven.event, row_of(proven, record)
        if proven.position != position or row != derived:
            raise Corrupt(f"position {position}: the row beside the record is not the one that the record gives")
        if derived.recorded_at < self._recorded_at:
            raise Corrupt(f"position {position} was recorded before the position in front of it")
        self._recorded_at = derived.recorded_at
        resource = fold(event.resource)
        events = present_events(event.type, event.schema, event.resource, event.payload)
        step = change(self._newest.take(resource), position, events, encode)
        if step.after.sequence != derived.originator_version:
            raise Corrupt(f"position {position}: {resource} has sequence {derived.originator_version} out of turn")
        self._newest.put(step.after)
        if event.type in (DeploymentRecovered.name, DeploymentRootKeyRestored.name):
            self._recoveries.add(position)
        self._check_version(position, step)
        self._check_links(position, step)

    def _check_version(self, position: int, step: Change) -> None:
        before, after, _, _ = step
        rows = self._rows(position)
        expected = (after.resource, after.sequence, after.kind, after.content)
        if [row for row, _ in rows] != [expected]:
            raise Corrupt(f"position {position}: the stored version of {after.resource} is not what its records give")
        if before is not None:
            if self._ending_version.pop(position, 0) != before.valid_from:
                raise _other_end(position, before.resource)
            self._digest.add_versions([before.row(position)])
        valid_to = rows[0][1]
        if valid_to != OPEN:
            if valid_to <= position or valid_to in self._ending_version:
                raise _other_end(valid_to, after.resource)
            self._ending_version[valid_to] = position
        self._version_count += 1

    def _check_links(self, position: int, step: Change) -> None:
        source = step.after.resource
        rows = self._links(position)
        if [row for row, _ in rows] != sorted((source, *key) for key in step.opened):
            raise Corrupt(f"position {position}: the stored links of {source} are not what its records give")
        if self._ending_links.pop(position, set()) != set(step.closed):
            raise _other_end(position, source)
        self._digest.add_links([(source, *key, since, position) for key, since in step.closed])
        for (_, relation, target), valid_to in rows:
            if valid_to != OPEN:
                self._ending_links.setdefault(valid_to, set()).add(((relation, target), position))
            self._link_count += 1

    def _check_ends(self) -> None:
        for end in (*self._ending_version, *self._ending_links):
            raise Corrupt(f"a stored row ends at position {end}, and no record ends it")
        beyond = self._rows(OPEN) or self._links(OPEN)
        if beyond:
            raise Corrupt(f"the stored row of {beyond[0][0][0]} begins at a position that no record has")

    def _check_head(self) -> None:
        at = self._head
        if self._frontier.size != at.position or self._recorded_at != at.recorded_at:
            raise Corrupt(f"the log ends at position {self._frontier.size}, its head says {at.position}")
        if self._frontier != at.frontier:
            raise Corrupt("the records do not give the Merkle root of the head: a record was changed")
        for version in self._newest:
            self._digest.add_versions([version.row(OPEN)])
            self._digest.add_links([(version.resource, *key, since, OPEN) for key, since in version.links.items()])
        if self._digest.digest() != at.digest:
            raise Corrupt("the records do not give the state digest of the head")

    def _check_keys(self) -> int:
        """Compare the live keys with those that the current state needs; return their number."""
        rows = self._session.stream("SELECT key_id, shredded_at FROM keyring")
        shredded: dict[str, int] = dict(rows)
        live = {key_id for key_id, shredded_at in shredded.items() if shredded_at == keyring.LIVE}
        needed = {
            key: version.resource
            for version in self._newest
            if SEALED_MARK in version.content
            for key in key_ids(version.state)
        }
        for key, resource in needed.items():
            # A recovery to an earlier moment brings back states whose values had been destroyed since, and says so; so
            # does a restoration of the root key, of values that no backup had.
            if key not in live and shredded.get(key, keyring.LIVE) not in self._recoveries:
                raise Corrupt(f"the keyring lacks the key {key} of {resource}: recover it from a backup")
        if unneeded := live - needed.keys():
            raise Corrupt(f"the keyring still holds the key {min(unneeded)}, whose value was purged")
        return len(live)


def _other_end(position: int, resource: str) -> Corrupt:
    return Corrupt(f"position {position}: a stored row of {resource} does not end where its records end it")


RowsAt = Callable[[int], list[tuple[Row, int]]]
"""Position -> (row, valid_to) of all rows that begin at positions up to it and were not returned before."""


def _rows_by_position(session: Session, columns: str, table: str, order: str) -> RowsAt:
    sql = f"SELECT valid_from, valid_to, {columns} FROM {table} ORDER BY valid_from, {order}"  # noqa: S608, names are ours
    by_position = groupby(session.stream(sql), key=itemgetter(0))
    groups: Iterator[tuple[int, list[Row]]] = ((position, list(group)) for position, group in by_position)
    waiting = next(groups, None)

    def take(position: int) -> list[tuple[Row, int]]:
        nonlocal waiting
        if waiting is None or waiting[0] > position:
            return []
        taken = [(row[2:], row[1]) for row in waiting[1]]
        waiting = next(groups, None)
        return taken

    return take
