"""As of every position, a snapshot answers what was true then."""

from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.event import Event
from domain.principal import principal_id
from domain.resource_id import originator_id
from domain.user import user_key
from infra.database.session import Database, Question
from infra.database.url import open_database
from infra.log import event_table
from infra.log.event_table import Row
from infra.state import tables
from infra.state.snapshot import HeadLoader, Snapshot, changes_found, changes_since, questions, versions_found
from projections.current import Current
from projections.version import Change, Version
from projections.view import Step
from tests.projections.histories import GROUPS, NAMES, USERS, Truth, changes, histories, lower, truths

on_a_database = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

TARGETS = [
    *(("key", user_key(name)) for name in NAMES),
    *(("group", principal_id(group)) for group in GROUPS),
    *(("member", principal_id(user)) for user in USERS),
]


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """The two tables and the log's, by which a resource's versions are found, on each engine in turn."""
    opened = with_tables(store_url)
    yield opened
    opened.close()


def with_tables(url: str) -> Database:
    opened = open_database(url, create=True)
    with opened.write() as session:
        event_table.create(session)
        tables.create(session)
        event_table.create_indexes(session)
        tables.create_indexes(session)
    return opened


def write(database: Database, happened: list[Event]) -> dict[str, Version]:
    """Write a history into empty tables, and return the newest version of each resource."""
    steps = changes(happened)
    with database.write() as session:
        session.execute("DELETE FROM events")
        session.execute("DELETE FROM versions")
        session.execute("DELETE FROM links")
        session.apply([event_table.insertion([_row(step) for step in steps]), *tables.row_changes(steps)])
    return {step.after.resource: step.after for step in steps}


def _row(step: Change) -> Row:
    """Return the row of the record that made a change, without the record."""
    after = step.after
    return Row(after.valid_from, originator_id(after.resource), after.sequence, after.kind, 0, None, b"")


def agrees(snapshot: Snapshot, truth: Truth, begun: Iterable[str]) -> None:
    """Check every question about one position, at which `begun` is in the order in which the resources became so."""
    expected = [truth.states[key] for key in sorted(truth.states)]
    assert [resource.state for resource in snapshot.all()] == [
        truth.states[key] for key in begun if key in truth.states
    ]
    for kind in ("user", "group-membership"):
        found = [resource.state for resource in snapshot.of_kind(kind)]
        assert found == [state for state in expected if ("groupId" in state) == (kind == "group-membership")]
        assert snapshot.counts().get(kind, 0) == len(found)
    for relation, target in TARGETS:
        sources = sorted(s for s, r, t in truth.links if (r, t) == (relation, lower(target)))
        assert list(snapshot.sources(target, relation)) == sources
    for user in USERS:
        resource = snapshot.find(principal_id(user.upper()))
        state = truth.states.get(lower(principal_id(user)))
        assert (resource.state if resource else None) == state
        assert resource is None or (resource.id, resource.kind) == (resource.state["id"], "user")


@on_a_database
@given(happened=histories(max_size=15))
def test_every_position_is_answered_as_it_was(database: Database, happened: list[Event]) -> None:
    write(database, happened)
    with database.read() as session:
        for position, truth in enumerate(truths(happened)):
            newest_first = dict.fromkeys(lower(event.resource) for event in reversed(happened[:position]))
            agrees(Snapshot(session, position), truth, reversed(newest_first))


@on_a_database
@given(happened=histories(), data=st.data())
def test_a_diff_is_what_is_not_the_same_at_both_ends(
    database: Database, happened: list[Event], data: st.DataObject
) -> None:
    write(database, happened)
    found = truths(happened)
    end = data.draw(st.integers(0, len(happened)))
    start = data.draw(st.integers(0, end))
    before, after = found[start].states, found[end].states
    expected = [
        (resource, before.get(resource), after.get(resource))
        for resource in sorted(before.keys() | after.keys())
        if before.get(resource) != after.get(resource)
    ]
    with database.read() as session:
        differences = list(Snapshot(session, end).changed_since(start))
    assert [(d.resource, d.before, d.after) for d in differences] == expected
    assert all(d.kind == ("group-membership" if "/members/" in d.resource else "user") for d in differences)


@on_a_database
@given(happened=histories(), data=st.data())
def test_a_history_is_every_version_up_to_the_position(
    database: Database, happened: list[Event], data: st.DataObject
) -> None:
    write(database, happened)
    found = truths(happened)
    position = data.draw(st.integers(0, len(happened)))
    for user in USERS:
        resource = lower(principal_id(user))
        changed = [at for at, event in enumerate(happened[:position], 1) if lower(event.resource) == resource]
        expected = [
            Step(at, sequence, "user", found[at].states.get(resource)) for sequence, at in enumerate(changed, 1)
        ]
        with database.read() as session:
            assert Snapshot(session, position).history(principal_id(user)) == expected


@on_a_database
@given(happened=histories())
def test_the_head_is_loaded_as_it_was_written(database: Database, happened: list[Event]) -> None:
    current = write(database, happened)
    loader = HeadLoader()
    with database.read() as session:
        loader.session = session
        for resource, version in current.items():
            assert loader.version(resource) == version
        for relation, target in TARGETS:
            expected = {r for r, v in current.items() if (relation, lower(target)) in v.links}
            assert set(loader.sources(lower(target), relation)) == expected
        assert loader.version("/nobody") is None


@on_a_database
@given(happened=histories(), data=st.data())
def test_a_cache_that_catches_up_knows_what_one_that_is_loaded_anew_knows(
    database: Database, happened: list[Event], data: st.DataObject
) -> None:
    seen = data.draw(st.integers(0, len(happened)))
    known = data.draw(st.sets(st.sampled_from(TARGETS)))
    loader = HeadLoader()
    world = Current(loader)
    write(database, happened[:seen])
    with database.read() as session:
        loader.session = session
        users = [lower(principal_id(user)) for user in USERS]
        world.learn(versions_found(users, session.ask(questions(users, []))))
        for relation, target in known:
            world.sources(target, relation)
    current = write(database, happened)
    with database.read() as session:
        loader.session = session
        for version, opened, closed in changes_found(seen, session.ask(changes_since(seen, len(happened)))):
            world.catch_up(version, opened, closed)
        for resource, version in current.items():
            assert world.version(resource) == version
        for relation, target in TARGETS:
            assert list(world.sources(target, relation)) == sorted(loader.sources(lower(target), relation))


def test_no_question_reads_the_whole_table(sqlite_url: str) -> None:
    """On SQLite, as PostgreSQL's planner takes a sequential scan wherever a table is small."""
    database = with_tables(sqlite_url)
    asked: list[str] = []

    class Asking:
        def execute(self, sql: str, parameters: object = ()) -> list[object]:
            asked.append(sql)
            return []

        stream = execute

        def ask(self, questions: Sequence[Question]) -> list[list[list[object]]]:
            asked.extend(sql for sql, _ in questions)
            return [[[("user", 1, 1, b"")] if "state" in sql else [] for _ in rows] for sql, rows in questions]

    snapshot = Snapshot(Asking(), 5)  # type: ignore[arg-type]  # it only notes what it is asked
    snapshot.find("/a")
    snapshot.sources("/a", "key")
    list(snapshot.of_kind("user"))
    snapshot.history("/a")
    list(snapshot.changed_since(3))
    loader = HeadLoader()
    loader.session = Asking()  # type: ignore[assignment]  # see above
    loader.version("/a")
    list(loader.sources("/a", "key"))
    asked += [sql for sql, _ in changes_since(3, 9)]
    with database.read() as session:
        for sql in asked:
            plan = session.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))
            assert all(
                step[3].startswith(("SEARCH", "LIST SUBQUERY", "SCALAR SUBQUERY", "USE TEMP B-TREE")) for step in plan
            ), (sql, plan)
    database.close()
