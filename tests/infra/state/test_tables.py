"""The temporal tables: the same rows, byte for byte, however the changes were cut into transactions."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.event import Event
from infra.canonical_json import encode
from infra.database.session import Database, Row
from infra.database.url import open_database
from infra.state import tables
from projections.version import OPEN, Change
from tests.projections.histories import changes, histories, lower, truths

on_a_database = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """The two tables with their indexes, on each engine in turn."""
    opened = open_database(store_url, create=True)
    with opened.write() as session:
        tables.create(session)
        tables.create_indexes(session)
    yield opened
    opened.close()


def written(database: Database, batches: Sequence[Sequence[Change]]) -> tuple[list[Row], list[Row]]:
    """Write the batches into empty tables, one transaction each, and return all rows."""
    with database.write() as session:
        session.execute("DELETE FROM versions")
        session.execute("DELETE FROM links")
    for batch in batches:
        with database.write() as session:
            session.apply(tables.row_changes(batch))
    with database.read() as session:
        versions = session.execute(f"SELECT {', '.join(tables.VERSION_COLUMNS)} FROM versions ORDER BY valid_from")
        links = session.execute(
            f"SELECT {', '.join(tables.LINK_COLUMNS)} FROM links ORDER BY valid_from, source, relation, target"
        )
    return versions, links


def naive_rows(happened: Sequence[Event]) -> tuple[list[Row], list[Row]]:
    """Return the rows that the truth at each position gives."""
    found = truths(happened)
    versions = []
    for position, event in enumerate(happened, 1):
        resource = lower(event.resource)
        later = [at for at, other in enumerate(happened, 1) if at > position and lower(other.resource) == resource]
        sequence = sum(lower(other.resource) == resource for other in happened[:position])
        state = found[position].states.get(resource)
        content = b"" if state is None else encode(state)
        kind = event.type.split(".")[0]
        versions.append((resource, sequence, kind, position, later[0] if later else OPEN, content))
    links = []
    for position in range(1, len(found)):
        for link in found[position].links - found[position - 1].links:
            ends = [at for at in range(position, len(found)) if link not in found[at].links]
            links.append((*link, position, ends[0] if ends else OPEN))
    return versions, sorted(links, key=lambda row: (row[3], *row[:3]))


@on_a_database
@given(happened=histories(), data=st.data())
def test_rows_do_not_depend_on_transactions(database: Database, happened: list[Event], data: st.DataObject) -> None:
    steps = changes(happened)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(steps), 1)), max_size=6)))
    batches = [steps[start:end] for start, end in zip([0, *cuts], [*cuts, len(steps)], strict=True)]
    expected = naive_rows(happened)
    assert written(database, batches) == expected
    assert written(database, [[step] for step in steps]) == expected


@given(histories())
def test_rows_of_a_whole_log_are_the_same_without_a_database(happened: list[Event]) -> None:
    rows = list(tables.Rows(changes(happened), 1))
    versions = sorted((row for row, _ in rows if row is not None), key=lambda row: row[3])
    links = sorted((row for _, row in rows if row is not None), key=lambda row: (row[3], *row[:3]))
    assert (versions, links) == naive_rows(happened)


def test_writing_nothing_changes_nothing(database: Database) -> None:
    assert written(database, [[]]) == ([], [])
