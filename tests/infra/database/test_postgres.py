"""The database contract on PostgreSQL, and what only a server and a network can get wrong."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from itertools import islice

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from domain.errors import Conflict, Refused, Unavailable
from infra.database import postgres, postgres_exchange, postgres_session
from infra.database.postgres import PostgresDatabase
from infra.database.postgres_statements import numbered
from infra.database.session import CommitUnknown, Database, Insert, Question, Session, Update
from infra.database.url import open_database
from tests.contracts.database import (
    BulkContract,
    ChangeContract,
    DatabaseContract,
    StatementContract,
    counted,
    database,
    insert,
    things,
)

__all__ = ["database"]


@pytest.fixture
def store(fresh_postgres_url: str) -> str:
    return fresh_postgres_url


class TestPostgresDatabase(DatabaseContract):
    pass


class TestPostgresStatements(StatementContract):
    pass


class TestPostgresBulk(BulkContract):
    pass


class TestPostgresChanges(ChangeContract):
    pass


def terminate(server: str, session: Session) -> None:
    [(backend,)] = session.execute("SELECT pg_backend_pid()")
    with psycopg.connect(server, autocommit=True) as other:
        assert other.execute("SELECT pg_terminate_backend(%s, 5000)", [backend]).fetchone() == (True,)


def test_a_connection_lost_at_the_commit_leaves_its_outcome_unknown(database: Database, postgres_url: str) -> None:
    with pytest.raises(CommitUnknown, match="look up") as caught, database.write() as session:
        insert(session, (1, "one", b""))
        terminate(postgres_url, session)
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)
    assert things(database) == []


def test_a_connection_lost_before_the_commit_stores_nothing(database: Database, postgres_url: str) -> None:
    with pytest.raises(Unavailable) as caught, database.write() as session:
        insert(session, (1, "one", b""))
        terminate(postgres_url, session)
        insert(session, (2, "two", b""))
    assert not isinstance(caught.value, CommitUnknown)
    assert things(database) == []


def test_a_connection_lost_while_streaming_says_so(database: Database, postgres_url: str) -> None:
    with database.write() as session:
        session.bulk_insert("thing", ("id",), ((number,) for number in range(100)))
    with pytest.raises(Unavailable), database.read() as session:
        for _ in session.stream("SELECT id FROM thing", page_size=10):
            terminate(postgres_url, session)
    assert len(things(database)) == 100


def test_connections_lost_while_idle_are_replaced(database: Database, postgres_url: str) -> None:
    with database.read() as one, database.read() as two:
        backends = [session.execute("SELECT pg_backend_pid()")[0][0] for session in (one, two)]
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s) AS pid", [backends])
    assert things(database) == []
    with database.write() as session:
        insert(session, (1, "one", b""))
    assert len(things(database)) == 1


@contextlib.contextmanager
def losing_the_answer_to(word: bytes, server: str) -> Iterator[int]:
    """A proxy's port; it passes one connection on, and hangs up when the server answers what contained `word`."""
    info = conninfo_to_dict(server)
    host, port = str(info["host"]), int(info.get("port") or 5432)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        if host.startswith("/"):
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(f"{host}/.s.PGSQL.{port}")
        else:
            upstream = socket.create_connection((host, port))
        asked = threading.Event()

        def answer() -> None:
            while (answered := upstream.recv(65536)) and not asked.is_set():
                client.sendall(answered)
            client.shutdown(socket.SHUT_RDWR)

        answers = threading.Thread(target=answer)
        answers.start()
        while request := client.recv(65536):
            if word in request:
                asked.set()
            upstream.sendall(request)
        upstream.shutdown(socket.SHUT_RDWR)
        answers.join()
        upstream.close()
        client.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(30)
    listener.close()


def test_an_unknown_commit_may_be_stored(database: Database, store: str, postgres_url: str) -> None:
    schema = store.rpartition("schema=")[2]
    info = conninfo_to_dict(postgres_url)
    with losing_the_answer_to(b"COMMIT\0", postgres_url) as port:
        settings = {**info, "host": "127.0.0.1", "port": port, "sslmode": "disable", "gssencmode": "disable"}
        conninfo = psycopg.conninfo.make_conninfo("", **settings)
        # The checks at opening commit nothing, so the first COMMIT is ours.
        proxied = PostgresDatabase(conninfo, store="proxy", schema=schema)
        with pytest.raises(CommitUnknown), proxied.write() as session:
            insert(session, (1, "one", b""))
        proxied.close()
    assert things(database) == [(1, "one", b"")]


def test_an_error_that_the_server_reports_at_the_commit_is_no_unknown_one(database: Database) -> None:
    with database.write() as session:
        session.execute("CREATE TABLE late (n BIGINT UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(Conflict), database.write() as session:
        session.execute("INSERT INTO late VALUES (1), (1)")
    assert counted(database) == 0


def test_a_writer_gives_up_on_a_lock_that_is_held_too_long(
    database: Database, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT_S", 1)
    other = open_database(store)
    with database.write() as session:
        session.lock("SELECT n FROM counter")
        with pytest.raises(Unavailable, match="another writer"), other.write() as blocked:
            blocked.execute("UPDATE counter SET n = 7")
    other.close()
    assert counted(database) == 0


def test_one_large_write_does_not_hang(database: Database) -> None:
    body = bytes(25_000_000)
    with database.write() as session:
        insert(session, (1, "one", body), (2, "two", body))
        session.bulk_insert("thing", ("id", "body"), [(3, body)])
    with database.read() as session:
        assert session.execute("SELECT sum(length(body)) = 75000000 FROM thing") == [(True,)]


LARGE = bytes(postgres_session.TOGETHER_BYTES_MAX + 1)


ACTIVITY = "SELECT state, wait_event FROM pg_stat_activity WHERE pid = %s"


def large_change(number: int) -> list[Insert | Update]:
    return [Insert("thing", ("id", "name", "body"), [(number, "large", LARGE)])]


def test_the_server_works_on_large_changes_while_the_caller_goes_on(database: Database, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other, database.write() as session:
        [(backend,)] = session.execute("SELECT pg_backend_pid()")
        session.apply([Insert("thing", ("id", "body"), [(0, LARGE)])])  # of another form: prepared apart
        session.execute("SELECT 1")
        for number in range(1, 9):
            session.apply(large_change(number))
        seen = iter(lambda: other.execute(ACTIVITY, [backend]).fetchone(), ("active", "ClientRead"))
        assert len(list(islice(seen, 10_000))) < 10_000  # it has done what it was sent, and waits for more
        assert session.execute("SELECT count(*) FROM thing") == [(9,)]
        assert session.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%thing%'") == [(2,)]
        session.apply(large_change(9))
    assert [number for number, _, _ in things(database)] == list(range(10))


@pytest.mark.parametrize("follow", ["nothing", "a question", "a change"])
def test_a_large_change_that_is_refused_spoils_the_transaction(database: Database, follow: str) -> None:
    with pytest.raises(Conflict), database.write() as session:
        session.apply([Insert("thing", ("id",), [(5,)])])
        session.apply(large_change(1))
        session.apply(large_change(1))
        if follow == "a question":
            with contextlib.suppress(Conflict):
                session.ask([Question("SELECT ?", [(1,)])])
        if follow == "a change":
            session.apply(large_change(2))
    assert things(database) == []
    with database.write() as session:
        session.apply(large_change(1))
    assert len(things(database)) == 1


def test_a_caller_that_gives_up_leaves_nothing_of_what_was_sent(database: Database) -> None:
    for refused in (False, True):
        with pytest.raises(ZeroDivisionError), database.write() as session:
            session.execute("SELECT 1")
            session.apply(large_change(1))
            session.apply(large_change(1 if refused else 2))
            raise ZeroDivisionError
        assert things(database) == []


def test_large_questions_that_are_asked_together_do_not_hang(database: Database) -> None:
    large = "x" * 3_000_000
    with database.read() as session:
        answers = session.ask([Question("SELECT CAST(? AS TEXT), ?", [(large, number)]) for number in range(20)])
    assert answers == [[[(large, number)]] for number in range(20)]


def test_what_is_prepared_outlives_a_roll_back_and_a_dropped_table(database: Database) -> None:
    def write(session: Session, number: int) -> None:
        assert session.ask([Question("SELECT name FROM thing WHERE id = ?", [(number,)])]) == [[[]]]
        session.apply([Insert("thing", ("id", "name"), [(number, "x")])])

    with pytest.raises(ZeroDivisionError), database.write() as session:
        write(session, 1)
        session.execute("SELECT 1")
        raise ZeroDivisionError
    with database.write() as session:
        write(session, 2)
        for _ in range(9):
            session.execute("SELECT 1")  # psycopg prepares it, and would drop all that is prepared
        session.execute_script("CREATE TABLE short (n BIGINT);\nDROP TABLE short;\n")
        write(session, 3)
    with database.write() as session:
        write(session, 4)
    assert [number for number, _, _ in things(database)] == [2, 3, 4]


def test_statements_beyond_those_that_stay_prepared_run_as_well(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_exchange, "PREPARED_MAX", 1)
    for _ in range(2):
        with database.write() as session:
            assert session.ask([Question(f"SELECT {n} + ?", [(n,)]) for n in range(3)]) == [
                [[(n + n,)]] for n in range(3)
            ]


def test_nothing_runs_after_a_question_that_fails(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), database.write() as session:
        session.apply([Insert("thing", ("id",), [(1,)])])
        session.ask([Question("SELECT 1 / ?", [(0,)]), Question("SELECT 1 / ?", [(1,)])])
    assert things(database) == []
    with database.write() as session:
        assert session.ask([Question("SELECT 1 / ?", [(1,)])]) == [[[(1,)]]]


def test_stores_in_two_schemas_do_not_see_each_other(database: Database, postgres_url: str) -> None:
    public = open_database(postgres_url)
    with public.read() as session:
        assert not session.has_table("thing")
    public.close()


def test_a_missing_schema_is_made_only_when_asked(store: str) -> None:
    schema = store.rpartition("schema=")[2]
    with pytest.raises(Unavailable, match=f"no schema {schema}.*initialise"):
        open_database(store)
    open_database(store, create=True).close()
    open_database(store).close()


def test_a_database_that_is_not_utf8_is_refused_by_name(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("CREATE DATABASE resurgam_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            conninfo = psycopg.conninfo.make_conninfo(postgres_url, dbname="resurgam_latin1")
            with pytest.raises(Refused, match=r"LATIN1.*UTF8"):
                PostgresDatabase(conninfo, store="latin1")
        finally:
            server.execute("DROP DATABASE resurgam_latin1")


def test_a_server_that_is_not_there_is_unavailable_and_its_password_hidden() -> None:
    with pytest.raises(Unavailable, match=r"cannot connect to postgresql://me:\*\*\*@127\.0\.0\.1:1/store") as caught:
        open_database("postgresql://me:hunter2@127.0.0.1:1/store")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_refuses_writes_is_unavailable(database: Database) -> None:
    with pytest.raises(Unavailable, match="read-only"), database.write() as session:
        session.execute_script("SET TRANSACTION READ ONLY;\nINSERT INTO counter VALUES (1);\n")


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("SELECT 1", b"SELECT 1"),
        ("a = ? AND b = ?", b"a = $1 AND b = $2"),
        ("'?' || ? || 'it''s ?'", b"'?' || $1 || 'it''s ?'"),
        ('"?" = ?', b'"?" = $1'),
        ("? -- why?\n, ?", b"$1 -- why?\n, $2"),
        ("? /* ?\n? */, ?", b"$1 /* ?\n? */, $2"),
        ("n % 2 = ? AND s LIKE '%'", b"n % 2 = $1 AND s LIKE '%'"),
    ],
)
def test_placeholders_are_numbered_outside_quotes_and_comments(sql: str, sent: bytes) -> None:
    assert numbered(sql) == sent
