"""The tables of versions and links: their form, and how changes reach them (docs/reference/state.md)."""

from collections.abc import Iterable, Iterator, Sequence

from infra.database.session import Session
from projections.version import OPEN, Change, Version

VERSION_COLUMNS = ("resource", "sequence", "kind", "valid_from", "valid_to", "state")
LINK_COLUMNS = ("source", "relation", "target", "valid_from", "valid_to")

VersionRow = tuple[str, int, str, int, int, bytes]
LinkRow = tuple[str, str, str, int, int]

SCHEMA = """
CREATE TABLE versions (
    resource {text} NOT NULL,
    sequence {integer} NOT NULL,
    kind {text} NOT NULL,
    valid_from {integer} NOT NULL,
    valid_to {integer} NOT NULL,
    state {bytes} NOT NULL
);
CREATE TABLE links (
    source {text} NOT NULL,
    relation {text} NOT NULL,
    target {text} NOT NULL,
    valid_from {integer} NOT NULL,
    valid_to {integer} NOT NULL
);
"""

INDEXES = """
CREATE UNIQUE INDEX versions_resource ON versions (resource, valid_from);
CREATE INDEX versions_ended ON versions (valid_to, valid_from);
CREATE INDEX versions_kind ON versions (kind, valid_to);
CREATE UNIQUE INDEX links_source ON links (source, relation, target, valid_from);
CREATE INDEX links_target ON links (target, relation, valid_to);
CREATE INDEX links_ended ON links (valid_to, valid_from);
"""


def create(session: Session) -> None:
    """Make the tables without indexes, for a bulk load; `create_indexes` follows."""
    session.execute_script(SCHEMA.format(**session.types))


def create_indexes(session: Session) -> None:
    """Build the indexes that every read and write after a load relies on."""
    session.execute_script(INDEXES)


def write(session: Session, changes: Sequence[Change]) -> None:
    """Write the changes of one transaction, in the order of their positions.

    Rows that began and ended within it are inserted whole; only rows of earlier transactions are updated.
    """
    first = changes[0].after.valid_from if changes else 0
    session.execute_many(
        "UPDATE versions SET valid_to = ? WHERE resource = ? AND valid_from = ?",
        [
            (c.after.valid_from, c.after.resource, c.before.valid_from)
            for c in changes
            if c.before is not None and c.before.valid_from < first
        ],
    )
    session.execute_many(
        "UPDATE links SET valid_to = ? WHERE source = ? AND relation = ? AND target = ? AND valid_from = ?",
        [
            (c.after.valid_from, c.after.resource, relation, target, since)
            for c in changes
            for (relation, target), since in c.closed
            if since < first
        ],
    )
    rows = list(Rows(changes, first))
    session.bulk_insert("versions", VERSION_COLUMNS, [version for version, _ in rows if version is not None])
    links = [link for _, link in rows if link is not None]
    if links:
        session.bulk_insert("links", LINK_COLUMNS, links)


class Rows:
    """The finished rows of changes from position `first` on, each as (version row, None) or (None, link row)."""

    def __init__(self, changes: Iterable[Change], first: int) -> None:
        self._changes = changes
        self._first = first
        self._versions: dict[str, Version] = {}
        self._links: dict[tuple[str, str, str], int] = {}

    def __iter__(self) -> Iterator[tuple[VersionRow | None, LinkRow | None]]:
        for change in self._changes:
            after = change.after
            before = self._versions.get(after.resource)
            if before is not None:
                yield version_row(before, after.valid_from), None
            self._versions[after.resource] = after
            for (relation, target), since in change.closed:
                if since >= self._first:
                    del self._links[after.resource, relation, target]
                    yield None, (after.resource, relation, target, since, after.valid_from)
            for relation, target in change.opened:
                self._links[after.resource, relation, target] = after.valid_from
        for version in self._versions.values():
            yield version_row(version, OPEN), None
        for (source, relation, target), since in self._links.items():
            yield None, (source, relation, target, since, OPEN)


def version_row(version: Version, valid_to: int) -> VersionRow:
    """Return a version as a row that ends at `valid_to`."""
    return (version.resource, version.sequence, version.kind, version.valid_from, valid_to, version.content)


def open_version_row(version: Version) -> VersionRow:
    """Return the newest version of a resource as a row."""
    return version_row(version, OPEN)


def open_link_rows(version: Version) -> Iterator[LinkRow]:
    """Yield the links of the newest version of a resource as rows."""
    for (relation, target), since in version.links.items():
        yield (version.resource, relation, target, since, OPEN)
