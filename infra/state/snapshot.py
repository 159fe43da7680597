"""Reads the temporal tables as of one position, within one transaction of the database."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from domain.event import State
from domain.resource import Resource
from domain.resource_id import fold, originator_id
from infra.canonical_json import decode
from infra.database.session import Answers, Question, Row, Session
from projections.version import OPEN, LinkKey, Version
from projections.view import Difference, Step

# A plus keeps a column from the planner, which without statistics takes a condition that nearly every row meets for
# one that finds few of them.
AS_OF = "valid_from <= ? AND valid_to > ?"
BEGUN = "valid_from > ? AND valid_from <= ? AND +valid_to > ?"
ENDED = f"valid_to > ? AND valid_to <= ? AND valid_to < {OPEN} AND +valid_from <= ?"
OF_RESOURCE = "WHERE originator_id = ? AND +position <= ? ORDER BY originator_version"
# No join, which PostgreSQL takes twice as long to begin.
LAST_OF_RESOURCE = f"FROM versions WHERE valid_from = (SELECT position FROM events {OF_RESOURCE} DESC LIMIT 1)"
ALL_OF_RESOURCE = f"FROM events JOIN versions ON valid_from = position {OF_RESOURCE}"


class Snapshot:
    """A View (see projections.view) over a session's snapshot, as of `position`.

    The versions of a resource are found through the index of the log, as each record began one.
    """

    def __init__(self, session: Session, position: int) -> None:
        self._session = session
        self.position = position

    def find(self, resource_id: str) -> Resource | None:
        """See domain.resource.World."""
        rows = self._session.execute(
            f"SELECT kind, sequence, state {LAST_OF_RESOURCE}",
            (originator_id(fold(resource_id)), self.position),
        )
        return _resource(*rows[0]) if rows and rows[0][2] else None

    def sources(self, target: str, relation: str) -> Sequence[str]:
        """See domain.resource.World."""
        rows = self._session.execute(
            f"SELECT source FROM links WHERE target = ? AND relation = ? AND {AS_OF} ORDER BY source",
            (fold(target), relation, self.position, self.position),
        )
        return [source for (source,) in rows]

    def of_kind(self, kind: str) -> Iterator[Resource]:
        """See projections.view.View."""
        rows = self._session.stream(
            f"SELECT kind, sequence, state FROM versions WHERE kind = ? AND +{AS_OF} AND length(state) > 0 "
            "ORDER BY resource",
            (kind, self.position, self.position),
        )
        return (_resource(*row) for row in rows)

    def ever_of_kind(self, kind: str) -> Iterator[tuple[int, int, State]]:
        """Yield every version of a kind, oldest first, as (valid from, valid to, state), also of what is deleted."""
        rows = self._session.stream(
            "SELECT valid_from, valid_to, state FROM versions WHERE kind = ? AND +valid_from <= ? "
            "AND length(state) > 0 ORDER BY valid_from",
            (kind, self.position),
        )
        return ((valid_from, valid_to, decode(state, "a stored state")) for valid_from, valid_to, state in rows)

    def all(self) -> Iterator[Resource]:
        """See projections.view.View."""
        rows = self._session.stream(
            f"SELECT kind, sequence, state FROM versions WHERE {AS_OF} AND length(state) > 0 ORDER BY valid_from",
            (self.position, self.position),
        )
        return (_resource(*row) for row in rows)

    def history(self, resource_id: str) -> list[Step]:
        """See projections.view.View."""
        rows = self._session.execute(
            f"SELECT valid_from, sequence, kind, state {ALL_OF_RESOURCE}",
            (originator_id(fold(resource_id)), self.position),
        )
        return [Step(since, sequence, kind, _state(state)) for since, sequence, kind, state in rows]

    def changed_since(self, position: int) -> Iterator[Difference]:
        """See projections.view.View. Takes O(rows that began or ended in between)."""
        before = self._states(ENDED, position, self.position, position)
        after = self._states(BEGUN, position, self.position, self.position)
        for resource, (kind, new) in sorted(after.items()):  # whatever ended was followed by what began
            old = before.get(resource, (kind, b""))[1]
            if old != new:
                yield Difference(resource, kind, _state(old), _state(new))

    def counts(self) -> dict[str, int]:
        """Return how many resources of each kind exist."""
        rows = self._session.execute(
            f"SELECT kind, count(*) FROM versions WHERE {AS_OF} AND length(state) > 0 GROUP BY kind ORDER BY kind",
            (self.position, self.position),
        )
        return dict(rows)

    def _states(self, condition: str, *positions: int) -> dict[str, tuple[str, bytes]]:
        """Return (kind, state) of each resource whose version meets a condition, which none meets with two."""
        rows = self._session.execute(f"SELECT resource, kind, state FROM versions WHERE {condition}", positions)
        return {resource: (kind, state) for resource, kind, state in rows}


def drawn(session: Session, head: int) -> Callable[[str, int], str | None]:
    """Return what draws resources at the head: (kind, number) -> a folded id, None if there is none of that kind.

    The number says from which position on one is taken, in the order in which they became as they are. Takes O(log n).
    """

    def draw(kind: str, number: int) -> str | None:
        for begin, end in ((number % head + 1, head), (1, number % head)):
            rows = session.execute(
                f"SELECT resource FROM versions WHERE kind = ? AND valid_to = {OPEN} AND valid_from >= ? "
                "AND valid_from <= ? AND length(state) > 0 ORDER BY valid_from LIMIT 1",
                (kind, begin, end),
            )
            if rows:
                return str(rows[0][0])
        return None

    return draw


class HeadLoader:
    """Loads current rows for `projections.current.Current`; its session is exchanged with each transaction."""

    session: Session

    def version(self, resource: str) -> Version | None:
        """See projections.current.Loader."""
        asked = questions([resource], [])
        return versions_found([resource], self.session.ask(asked))[resource]

    def sources(self, target: str, relation: str) -> Iterable[str]:
        """See projections.current.Loader."""
        [answers] = self.session.ask([_sources_of([(target, relation)])])
        return [source for (source,) in answers[0]]


def questions(resources: Sequence[str], targets: Sequence[tuple[str, str]]) -> list[Question]:
    """Return what tells the newest versions of folded ids, and the sources of pairs of target and relation."""
    newest = Question(
        "SELECT kind, sequence, valid_from, state FROM events JOIN versions ON valid_from = position "
        "WHERE originator_id = ? ORDER BY originator_version DESC LIMIT 1",
        [(originator_id(resource),) for resource in resources],
    )
    linked = Question(
        "SELECT relation, target, valid_from FROM links WHERE source = ? AND valid_to = ?",
        [(resource, OPEN) for resource in resources],
    )
    return [newest, linked, _sources_of(targets)]


def _sources_of(targets: Sequence[tuple[str, str]]) -> Question:
    return Question(
        "SELECT source FROM links WHERE target = ? AND relation = ? AND valid_to = ?",
        [(*target, OPEN) for target in targets],
    )


def versions_found(resources: Sequence[str], answers: Answers) -> dict[str, Version | None]:
    """Return the newest version of each resource that `questions` asked for, with its links; None if there is none."""
    newest, linked = answers[:2]
    return {
        resource: _version(resource, rows[0], links) if rows else None
        for resource, rows, links in zip(resources, newest, linked, strict=True)
    }


def sources_found(targets: Sequence[tuple[str, str]], answers: Answers) -> dict[tuple[str, str], list[str]]:
    """Return the sources of each pair of target and relation that `questions` asked for."""
    return {target: [source for (source,) in rows] for target, rows in zip(targets, answers[2], strict=True)}


def changes_since(position: int, count_max: int) -> list[Question]:
    """Return what tells how so many records after a position changed current rows, see `changes_found`."""
    until = position + count_max
    return [
        Question(
            "SELECT resource, kind, sequence, valid_from, state FROM versions "
            "WHERE valid_from > ? AND valid_from <= ? ORDER BY valid_from",
            [(position, until)],
        ),
        Question(
            "SELECT source, relation, target, valid_from, valid_to FROM links WHERE source IN "
            "(SELECT resource FROM versions WHERE valid_from > ? AND valid_from <= ?) AND valid_to > ?",
            [(position, until, position)],
        ),
    ]


def changes_found(position: int, answers: Answers) -> Iterator[tuple[Version, list[LinkKey], list[LinkKey]]]:
    """Yield the newest version of each resource that changed after a position, and its links since opened, closed.

    A link that was opened and closed again in between is in neither list.
    """
    [versions], [all_links] = answers
    newest = {row[0]: row[1:] for row in versions}
    links_of: dict[str, list[Row]] = {resource: [] for resource in newest}
    for source, *link in all_links:
        links_of[source].append(tuple(link))
    for resource, row in newest.items():
        linked = [link[:3] for link in links_of[resource] if link[3] == OPEN]
        opened = [(relation, target) for relation, target, since in linked if since > position]
        closed = [link[:2] for link in links_of[resource] if link[3] != OPEN and link[2] <= position]
        yield _version(resource, row, linked), opened, closed


def _version(resource: str, row: Row, links: Iterable[Row]) -> Version:
    kind, sequence, valid_from, content = row
    linked = {(relation, target): since for relation, target, since in links}
    return Version(resource, kind, sequence, valid_from, _state(content), bytes(content), linked)


def _state(content: bytes) -> State | None:
    return decode(content, "a stored state") if content else None


def _resource(kind: str, sequence: int, content: bytes) -> Resource:
    state: State = decode(content, "a stored state")
    return Resource(str(state["id"]), kind, sequence, state)
