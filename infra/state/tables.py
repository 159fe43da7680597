"""The tables of versions and links: their form, and how changes reach them (docs/reference/state.md)."""

from collections.abc import Iterable, Iterator, Sequence

from infra.database.session import Insert, Session, Update
from projections.version import OPEN, Change, LinkRow, Version, VersionRow

VERSION_COLUMNS = ("resource", "sequence", "kind", "valid_from", "valid_to", "state")
LINK_COLUMNS = ("source", "relation", "target", "valid_from", "valid_to")

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

INDEXES = f"""
CREATE UNIQUE INDEX versions_begun ON versions (valid_from);
CREATE INDEX versions_ended ON versions (valid_to) WHERE valid_to < {OPEN};
CREATE INDEX versions_kind ON versions (kind, valid_to, valid_from);
CREATE INDEX links_source ON links (source, valid_to);
CREATE INDEX links_target ON links (target, relation, valid_to);
"""


def create(session: Session) -> None:
    """Make the tables without indexes, for a bulk load; `create_indexes` follows."""
    session.execute_script(SCHEMA.format(**session.types))


def create_indexes(session: Session) -> None:
    """Build the indexes that every read and write after a load relies on."""
    session.execute_script(INDEXES)


def row_changes(changes: Sequence[Change]) -> list[Insert | Update]:
    """Return what changes in the tables with the changes of one transaction, in the order of their positions.

    Rows that begin and end with them are inserted whole; only rows of earlier ones are updated.
    """
    first = changes[0].after.valid_from if changes else 0
    versions: list[VersionRow] = []
    links: list[LinkRow] = []
    for version, link in Rows(changes, first):
        if version is not None:
            versions.append(version)
        elif link is not None:
            links.append(link)
    ended = [
        (after.valid_from, before.valid_from)
        for before, after, _, _ in changes
        if before is not None and before.valid_from < first
    ]
    closed = [
        (after.valid_from, after.resource, OPEN, *key, since)
        for _, after, closing, _ in changes
        for key, since in closing
        if since < first
    ]
    return [
        Insert("versions", VERSION_COLUMNS, versions),
        Insert("links", LINK_COLUMNS, links),
        Update("versions", ("valid_to",), ("valid_from",), (), ended),
        Update("links", ("valid_to",), ("source", "valid_to"), ("relation", "target", "valid_from"), closed),
    ]


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
                yield before.row(after.valid_from), None
            self._versions[after.resource] = after
            for (relation, target), since in change.closed:
                if since >= self._first:
                    del self._links[after.resource, relation, target]
                    yield None, (after.resource, relation, target, since, after.valid_from)
            for relation, target in change.opened:
                self._links[after.resource, relation, target] = after.valid_from
        for version in self._versions.values():
            yield version.row(OPEN), None
        for (source, relation, target), since in self._links.items():
            yield None, (source, relation, target, since, OPEN)
