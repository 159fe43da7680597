"""What every database adapter must do; an adapter's test derives from it and adds a fixture `store` with its URL."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.errors import Conflict, Unavailable
from infra.database.session import Database, Insert, Question, Row, Session, Update
from infra.database.url import open_database

INT64_MAX = 2**63 - 1


@pytest.fixture
def database(store: str) -> Iterator[Database]:
    opened = open_database(store, create=True)
    with opened.write() as session:
        integer, text, raw = (session.types[name] for name in ("integer", "text", "bytes"))
        session.execute_script(
            f"CREATE TABLE thing (id {integer} PRIMARY KEY, name {text}, body {raw});\n"
            f"CREATE TABLE counter (\n  n {integer} NOT NULL\n);\n"
            "INSERT INTO counter (n) VALUES (0);\n"
        )
    yield opened
    opened.close()


def insert(session: Session, *rows: tuple[int, str | None, bytes | None]) -> None:
    for row in rows:
        session.execute("INSERT INTO thing (id, name, body) VALUES (?, ?, ?)", row)


def things(database: Database) -> list[Row]:
    with database.read() as session:
        return session.execute("SELECT id, name, body FROM thing ORDER BY id")


def increment(database: Database) -> None:
    """Add one in two steps, so that a second writer between them would be lost."""
    with database.write() as session:
        [(n,)] = session.lock("SELECT n FROM counter").rows
        time.sleep(0.001)
        session.execute("UPDATE counter SET n = ?", (n + 1,))


def counted(database: Database) -> int:
    with database.read() as session:
        [(n,)] = session.execute("SELECT n FROM counter")
    return int(n)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


class DatabaseContract:
    """Transactions."""

    def test_what_is_committed_is_seen_by_others(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "one", b"\x00\xff"), (2, None, None))
        assert things(database) == [(1, "one", b"\x00\xff"), (2, None, None)]

    def test_what_is_committed_is_seen_after_reopening(self, database: Database, store: str) -> None:
        with database.write() as session:
            insert(session, (1, "one", b""))
        database.close()
        again = open_database(store)
        assert things(again) == [(1, "one", b"")]
        again.close()

    def test_nothing_is_seen_before_the_commit(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "one", b""))
            assert things(database) == []

    def test_an_exception_rolls_back(self, database: Database) -> None:
        with pytest.raises(LookupError, match="mine"), database.write() as session:
            insert(session, (1, "one", b""))
            raise LookupError("mine")
        assert things(database) == []

    def test_tables_made_in_a_failed_transaction_are_gone(self, database: Database) -> None:
        with pytest.raises(LookupError), database.write() as session:
            session.execute_script("CREATE TABLE other (\n  n INTEGER\n);\n")
            assert session.has_table("other")
            raise LookupError
        with database.read() as session:
            assert not session.has_table("other")
            assert session.has_table("thing")

    def test_a_failed_statement_ends_the_transaction_even_if_its_error_is_swallowed(self, database: Database) -> None:
        with pytest.raises(Conflict), database.write() as session:
            insert(session, (1, "one", b""))
            with contextlib.suppress(Conflict):
                insert(session, (1, "another", b""))
            with contextlib.suppress(Conflict):
                session.execute("SELECT 1")
        assert things(database) == []

    def test_a_snapshot_does_not_see_what_is_committed_after_it_was_taken(self, database: Database) -> None:
        with database.read() as reader:
            with database.write() as session:
                insert(session, (1, "one", b""))
            assert reader.execute("SELECT id FROM thing") == []
            assert things(database) != []
            assert reader.execute("SELECT id FROM thing") == []

    def test_a_reader_cannot_write(self, database: Database) -> None:
        with pytest.raises(Unavailable), database.read() as session:
            insert(session, (1, "one", b""))
        assert things(database) == []

    def test_a_session_is_dead_after_its_context(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "one", b""))
            rows = session.stream("SELECT id FROM thing")
        for use in (lambda: session.execute("SELECT 1"), lambda: session.stream("SELECT 1"), lambda: next(rows)):
            with pytest.raises(RuntimeError, match="closed"):
                use()

    def test_a_closed_database_says_so(self, database: Database) -> None:
        database.close()
        with pytest.raises(Unavailable, match="closed"), database.read():
            pass

    def test_writers_exclude_each_other(self, database: Database) -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: increment(database), range(80)))
        assert counted(database) == 80

    def test_readers_do_not_wait_for_a_writer(self, database: Database) -> None:
        with database.write() as session:
            session.lock("SELECT n FROM counter")
            session.execute("UPDATE counter SET n = 1")
            assert counted(database) == 0

    def test_a_writer_waits_for_a_slow_one(self, database: Database) -> None:
        entered = threading.Event()

        def slow() -> None:
            with database.write() as session:
                session.execute("UPDATE counter SET n = n + 1")
                entered.set()
                time.sleep(0.3)

        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(slow)
            assert entered.wait(10)
            increment(database)
            first.result()
        assert counted(database) == 2

    def test_more_readers_than_connections_take_turns(self, database: Database) -> None:
        with ThreadPoolExecutor(40) as threads:
            assert list(threads.map(lambda _: counted(database), range(200))) == [0] * 200


class StatementContract:
    """Statements, values and errors."""

    def test_question_marks_and_percent_signs_in_quotes_are_kept(self, database: Database) -> None:
        sql = "SELECT '?''%s?', ? AS \"a?\", 7 % 4 -- what?\n, /* ? */ ?"
        with database.read() as session:
            assert session.execute(sql, (1, 2)) == [("?'%s?", 1, 3, 2)]

    def test_values_come_back_as_they_went_in(self, database: Database) -> None:
        rows: list[Row] = [
            (-INT64_MAX - 1, "", b""),
            (0, "Ünï¢ødé 🔑 '\"\\", bytes(range(256))),
            (INT64_MAX, None, None),
        ]
        with database.write() as session:
            insert(session, *rows)
        assert things(database) == rows

    def test_text_is_ordered_by_its_bytes(self, database: Database) -> None:
        names = ["a", "B", "ä", "Z", "z", "_", "\U00010000", "\uffff"]
        with database.write() as session:
            insert(session, *((number, name, None) for number, name in enumerate(names)))
            ordered = [name for (name,) in session.execute("SELECT name FROM thing ORDER BY name")]
        assert ordered == sorted(names, key=str.encode)

    def test_changed_counts_the_rows_of_the_last_statement(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "x", None), (2, "x", None), (3, "y", None))
            session.execute("UPDATE thing SET name = ? WHERE name = ?", ("z", "x"))
            assert session.changed == 2
            session.execute("INSERT INTO thing (id, name) VALUES (1, 'again') ON CONFLICT DO NOTHING")
            assert session.changed == 0
            assert session.execute("DELETE FROM thing WHERE id = 3 RETURNING name") == [("y",)]
            assert session.changed == 1

    def test_a_statement_without_rows_yields_none(self, database: Database) -> None:
        with database.write() as session:
            assert session.execute("UPDATE counter SET n = 5") == []

    def test_a_violated_constraint_is_a_conflict_that_keeps_its_cause_and_shows_no_value(
        self, database: Database
    ) -> None:
        with pytest.raises(Conflict) as caught, database.write() as session:
            insert(session, (4711, "one", b""), (4711, "two", b""))
        assert caught.value.__cause__ is not None
        assert "4711" not in str(caught.value)

    def test_an_error_in_our_own_sql_is_not_disguised(self, database: Database) -> None:
        with pytest.raises(Exception, match="no_such_table") as caught, database.read() as session:
            session.execute("SELECT * FROM no_such_table")
        assert not isinstance(caught.value, Unavailable)

    def test_the_clock_is_in_microseconds_and_moves_within_a_transaction(self, database: Database) -> None:
        with database.read() as session:
            first = session.now_us()
            time.sleep(0.002)
            assert session.now_us() > first
        assert abs(first - time.time_ns() // 1_000) < 60_000_000


class BulkContract:
    """Many rows."""

    def test_bulk_insert_takes_any_number_of_rows(self, database: Database) -> None:
        def row(number: int) -> tuple[int, str | None, bytes | None]:
            return (number, None, None) if number % 3 == 0 else (number, f"n{number}", number.to_bytes(8, "big"))

        with database.write() as session:
            assert session.bulk_insert("thing", ("id", "name", "body"), map(row, range(50_000))) == 50_000
        assert things(database) == [row(number) for number in range(50_000)]

    def test_bulk_insert_of_nothing_inserts_nothing(self, database: Database) -> None:
        with database.write() as session:
            assert session.bulk_insert("thing", ("id", "name"), []) == 0
        assert things(database) == []

    def test_bulk_insert_that_meets_a_duplicate_stores_nothing(self, database: Database) -> None:
        with pytest.raises(Conflict), database.write() as session:
            session.bulk_insert("thing", ("id",), [(1,), (2,), (1,)])
        assert things(database) == []

    def test_an_error_in_the_rows_source_stores_nothing_even_if_it_is_swallowed(self, database: Database) -> None:
        def rows() -> Iterator[tuple[int]]:
            yield (1,)
            raise LookupError("source")

        with (
            pytest.raises(LookupError, match="source"),
            database.write() as session,
            contextlib.suppress(LookupError),
        ):
            session.bulk_insert("thing", ("id",), rows())
        assert things(database) == []

    def test_a_stream_yields_every_row_once_and_in_order(self, database: Database) -> None:
        with database.write() as session:
            session.bulk_insert("thing", ("id",), ((number,) for number in range(25)))
        for page_size in (1, 24, 25, 26):
            with database.read() as session:
                rows = session.stream("SELECT id FROM thing WHERE id >= ? ORDER BY id", (5,), page_size=page_size)
                assert [number for (number,) in rows] == list(range(5, 25))

    def test_streams_may_be_interleaved_and_left_unfinished(self, database: Database, store: str) -> None:
        with database.write() as session:
            session.bulk_insert("thing", ("id", "name"), ((number, str(number)) for number in range(25)))
        other = open_database(store)
        abandoned = []
        for _ in range(12):  # often enough for a driver to prepare what it sees again and again
            with database.write() as session:
                numbers = session.stream("SELECT id FROM thing ORDER BY id", page_size=2)
                names = session.stream("SELECT name, id FROM thing ORDER BY id DESC", page_size=2)
                assert (next(numbers), next(names), next(numbers)) == ((0,), ("24", 24), (1,))
            with database.write() as session:
                again = session.stream("SELECT name, body, id FROM thing ORDER BY id", page_size=2)
                assert next(again) == ("0", None, 0)
            abandoned += [numbers, names, again]
            increment(other)
            increment(database)
        other.close()
        assert counted(database) == 24

    def test_a_stream_does_not_hold_all_rows_in_memory(self, database: Database) -> None:
        body = bytes(1_000)
        with database.write() as session:
            session.bulk_insert("thing", ("id", "body"), ((number, body) for number in range(150_000)))
        before = most = resident_bytes()
        with database.read() as session:
            for number, _ in session.stream("SELECT id, body FROM thing ORDER BY id", page_size=1_000):
                if number % 5_000 == 0:
                    most = max(most, resident_bytes())
        assert most - before < 60_000_000, "150 MB were read"


class ChangeContract:
    """Many changes and many questions at once."""

    COLUMNS = ("id", "name", "body")

    def test_rows_are_inserted_and_updated_together(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "one", b"1"), (2, "two", b"2"), (3, "three", b"3"))
        with database.write() as session:
            session.apply(
                [
                    Insert("thing", self.COLUMNS, [(4, "four", b"\x00\xff"), (5, None, None), (6, "", b"")]),
                    Update("thing", ("name", "body"), ("id",), (), [("first", b"", 1), ("third", b"'\\", 3)]),
                    Update("counter", ("n",), ("n",), (), [(7, 0)]),
                ]
            )
        assert things(database) == [
            (1, "first", b""),
            (2, "two", b"2"),
            (3, "third", b"'\\"),
            (4, "four", b"\x00\xff"),
            (5, None, None),
            (6, "", b""),
        ]
        assert counted(database) == 7

    def test_a_row_is_updated_only_if_all_that_is_asked_of_it_is_so(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "one", b"1"), (2, "two", b"2"), (3, None, None))
            session.apply(
                [Update("thing", ("name",), ("id",), ("body",), [("x", 1, b"1"), ("y", 2, b"1"), ("z", 9, b"1")])]
            )
        assert [name for _, name, _ in things(database)] == ["x", "two", None]

    def test_what_is_applied_is_seen_by_the_next_question_and_the_next_change(self, database: Database) -> None:
        with database.write() as session:
            session.apply([Insert("thing", self.COLUMNS, [(1, "one", b"")])])
            assert session.execute("SELECT name FROM thing") == [("one",)]
            session.apply([Update("thing", ("name",), ("id",), (), [("again", 1)])])
        assert things(database) == [(1, "again", b"")]

    def test_applying_nothing_changes_nothing(self, database: Database) -> None:
        with database.write() as session:
            session.apply([])
            session.apply([Insert("thing", self.COLUMNS, []), Update("counter", ("n",), ("n",), (), [])])
        assert (things(database), counted(database)) == ([], 0)

    @pytest.mark.parametrize("count", [1, 2, 1_000])
    def test_any_number_of_rows_is_applied(self, database: Database, count: int) -> None:
        rows = [(number, f"näme {number}", number.to_bytes(8, "big", signed=True)) for number in range(-count, count)]
        with database.write() as session:
            session.apply([Insert("thing", self.COLUMNS, rows)])
        assert things(database) == rows
        with database.write() as session:
            session.apply([Update("thing", ("name",), ("id",), (), [(f"new {row[0]}", row[0]) for row in rows])])
        assert things(database) == [(number, f"new {number}", body) for number, _, body in rows]

    def test_a_duplicate_among_the_changes_stores_none_of_them(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "one", b""))
        with pytest.raises(Conflict), database.write() as session:
            session.apply(
                [
                    Update("counter", ("n",), ("n",), (), [(1, 0)]),
                    Insert("thing", self.COLUMNS, [(2, "two", b""), (1, "again", b"")]),
                ]
            )
        assert (things(database), counted(database)) == ([(1, "one", b"")], 0)

    def test_each_question_gets_its_own_rows(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "a", b"1"), (2, "b", b"2"), (3, "a", b"3"), (4, "ä", None))
            select = "SELECT id, body FROM thing WHERE name = ? AND id > ? ORDER BY id DESC"
            asked = [("a", 0), ("nobody", 0), ("a", 1), ("ä", 0), ("a", 0)]
            other = Question("SELECT name FROM thing WHERE body = ?", [(b"2",)])
            answers, none, others = session.ask([Question(select, asked), Question(select, []), other])
            assert answers == [session.execute(select, row) for row in asked]
            assert answers[0] == [(3, b"3"), (1, b"1")]
            assert none == []
            assert others == [[("b",)]]
            assert session.ask([]) == []

    def test_a_locked_row_comes_with_the_time_since_which_it_is_locked(self, database: Database) -> None:
        """Also in the first statement of a transaction, which has to wait for another one."""
        entered, ended = threading.Event(), []

        def slow() -> None:
            with database.write() as session:
                session.lock("SELECT n FROM counter")
                session.execute("UPDATE counter SET n = 5")
                entered.set()
                time.sleep(0.3)
                ended.append(session.now_us())

        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(slow)
            assert entered.wait(10)
            with database.write() as session:
                rows, now_us, [[found]] = session.lock(
                    "SELECT n FROM counter", [Question("SELECT n FROM counter WHERE n > ?", [(0,)])]
                )
                assert rows == found == [(5,)]
                assert ended[0] <= now_us <= session.now_us()
            first.result()

    def test_a_row_may_be_locked_later_in_a_transaction_and_holds_every_type(self, database: Database) -> None:
        with database.write() as session:
            insert(session, (1, "ä?", b"\x00\xff"))
            assert session.lock("SELECT id, name, body FROM thing")[0] == [(1, "ä?", b"\x00\xff")]
        with database.write() as session:
            assert session.lock("SELECT id, name, body FROM thing")[0] == [(1, "ä?", b"\x00\xff")]
        with database.write() as session:
            assert session.lock("SELECT id FROM thing WHERE id = 9")[0] == []
