"""What every store must do; a test of an adapter subclasses this and gives a fixture `store` that is empty."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.errors import Conflict, NotFound, Unavailable, Usage
from infra.backup.stores.store import NAME_CHARACTERS_MAX, Store
from infra.backup.stores.url import open_store

LARGE_BYTES = 5 * 1024 * 1024
NAMES_MANY = 1010  # a page of S3 has 1,000
ROOT = Path(__file__).parents[2]

# Sorted as they must be listed: a dash and a dot come before a slash, and a slash before digits and letters.
SORTED_NAMES = (
    "0/1",
    "a",
    "a-b/1",
    "a.b",
    "d-1",
    "d.json",
    "d/manifests-old/1",
    "d/manifests/1",
    "d/manifests/10",
    "d/manifests/2",
    "d/segments/1-2.age",
    "d0",
    "z",
)
ILLEGAL_NAMES = (
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a b",
    "a\n",
    "a\\b",
    "a\0",
    "a:b",
    "ä",
    "A",
    "d/A",
    "a.",
    "a./b",
    "con",
    "d/nul.json",
    "com1",
    ".tmp-1",
    "a/.tmp-1",
    "a" * 256,
    "/".join(["a" * 255, "b" * 255, "c"]),
)


WRITER = """
import sys
from domain.errors import Conflict
from infra.backup.stores.url import open_store
store = open_store(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
try:
    store.put_new("d/manifest", sys.argv[2].encode())
except Conflict:
    print("lost")
else:
    print("won")
"""


class StoreContract:
    def test_what_is_put_is_got(self, store: Store) -> None:
        store.put_new("d/manifests/1", b"first")
        assert store.get("d/manifests/1") == b"first"
        assert store.head("d/manifests/1") == 5

    def test_an_empty_object_is_an_object(self, store: Store) -> None:
        store.put_new("empty", b"")
        assert (store.get("empty"), store.head("empty"), list(store.list())) == (b"", 0, ["empty"])

    def test_a_large_object_is_got_whole_and_as_a_stream(self, store: Store) -> None:
        store.put_new("large", large_object())
        assert store.get("large") == large_object()
        with store.open("large") as reader:
            assert b"".join(iter(lambda: reader.read(100_000), b"")) == large_object()

    def test_a_file_is_put_as_its_bytes(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "segment").write_bytes(large_object())
        store.put_file_new("d/segments/1", tmp_path / "segment")
        assert store.get("d/segments/1") == large_object()

    @pytest.mark.parametrize("source", ["missing", "."])
    def test_a_file_that_cannot_be_read_leaves_nothing(self, store: Store, tmp_path: Path, source: str) -> None:
        with pytest.raises(Unavailable, match=str(tmp_path / source)):
            store.put_file_new("a", tmp_path / source)
        assert list(store.list()) == []

    def test_a_second_put_is_refused_and_the_first_content_kept(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "third").write_bytes(b"third")
        store.put_new("d/a", b"first")
        with pytest.raises(Conflict, match="d/a"):
            store.put_new("d/a", b"second")
        with pytest.raises(Conflict, match="d/a"):
            store.put_file_new("d/a", tmp_path / "third")
        assert store.get("d/a") == b"first"

    def test_a_second_put_of_the_same_bytes_is_refused_or_changes_nothing(self, store: Store) -> None:
        store.put_new("d/a", b"first")
        with suppress(Conflict):
            store.put_new("d/a", b"first")
        assert store.get("d/a") == b"first"

    def test_a_deleted_name_is_free_again(self, store: Store) -> None:
        store.put_new("d/a", b"first")
        store.delete("d/a")
        assert list(store.list()) == []
        store.put_new("d/a", b"second")
        assert store.get("d/a") == b"second"

    def test_of_16_writers_of_one_name_one_wins(self, store: Store) -> None:
        start = threading.Barrier(16)

        def write(writer: int) -> int | None:
            start.wait()
            try:
                store.put_new("d/e/f/manifest", b"%d" % writer)
            except Conflict:
                return None
            return writer

        with ThreadPoolExecutor(16) as pool:
            winners = [writer for writer in pool.map(write, range(16)) if writer is not None]
        assert len(winners) == 1
        assert store.get("d/e/f/manifest") == b"%d" % winners[0]

    def test_of_4_processes_one_wins(self, store: Store) -> None:
        with ExitStack() as stack:
            writers = [stack.enter_context(_writer(store.location, number)) for number in range(4)]
            inputs = [writer.stdin for writer in writers if writer.stdin]
            outputs = [writer.stdout for writer in writers if writer.stdout]
            assert [output.readline() for output in outputs] == [b"ready\n"] * 4
            for begin in inputs:
                begin.close()
            answers = [output.read() for output in outputs]
        assert sorted(answers) == [b"lost\n"] * 3 + [b"won\n"]
        assert store.get("d/manifest") == b"%d" % answers.index(b"won\n")

    def test_a_reader_sees_the_whole_object_or_none(self, store: Store) -> None:
        written = threading.Event()

        def write() -> None:
            for number in range(4):
                store.put_new(f"d/{number}", large_object())
            written.set()

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not written.is_set() and not writing.done():
                assert {store.head(name) for name in store.list()} <= {LARGE_BYTES}
                assert size_or_none(store, "d/3") in (None, LARGE_BYTES)
            writing.result()
        assert list(store.list()) == ["d/0", "d/1", "d/2", "d/3"]

    def test_names_are_listed_in_order(self, store: Store) -> None:
        fill(store)
        assert tuple(store.list()) == SORTED_NAMES == tuple(sorted(SORTED_NAMES))

    @pytest.mark.parametrize("prefix", ["", "a", "d", "d/", "d/m", "d/manifests/", "d/manifests/1", "z", "x", "z/"])
    def test_a_prefix_selects_the_names_that_start_with_it(self, store: Store, prefix: str) -> None:
        fill(store)
        assert list(store.list(prefix)) == [name for name in SORTED_NAMES if name.startswith(prefix)]

    @pytest.mark.parametrize("after", ["", *SORTED_NAMES, "d", "d/", "d/manifests", "d/n", "zz"])
    def test_a_listing_goes_on_after_a_name(self, store: Store, after: str) -> None:
        fill(store)
        assert list(store.list(after=after)) == [name for name in SORTED_NAMES if name > after]
        in_folder = [name for name in SORTED_NAMES if name > after and name.startswith("d/m")]
        assert list(store.list("d/m", after=after)) == in_folder

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (0, 0, b""),
            (0, 1, b"0"),
            (3, 4, b"3456"),
            (9, 1, b"9"),
            (9, 2, b"9"),
            (4, None, b"456789"),
            (10, None, b""),
            (11, 1, b""),
        ],
    )
    def test_a_range_is_what_there_is_of_it(
        self, store: Store, start: int, length: int | None, expected: bytes
    ) -> None:
        store.put_new("digits", b"0123456789")
        assert store.get("digits", start=start, length=length) == expected

    @pytest.mark.parametrize("name", ["b", "d", "d/e", "d/b", "x/y"])
    @pytest.mark.parametrize("ask", [Store.get, Store.open, Store.head, Store.written_at, Store.delete])
    def test_a_missing_object_is_not_found(self, store: Store, ask: Callable[[Store, str], object], name: str) -> None:
        store.put_new("d/e/a", b"")
        with pytest.raises(NotFound, match=name):
            getattr(store, ask.__name__)(name)
        assert list(store.list()) == ["d/e/a"]

    @pytest.mark.parametrize("name", ILLEGAL_NAMES)
    def test_an_illegal_name_is_refused_everywhere(self, store: Store, tmp_path: Path, name: str) -> None:
        (tmp_path / "source").touch()
        for ask in (store.get, store.open, store.head, store.written_at, store.delete):
            with pytest.raises(Usage):
                ask(name)
        with pytest.raises(Usage):
            store.put_new(name, b"")
        with pytest.raises(Usage):
            store.put_file_new(name, tmp_path / "source")
        assert list(store.list()) == []

    @pytest.mark.parametrize("prefix", ["/", "../", "a//", "a b", ".tmp-"])
    def test_an_illegal_prefix_is_refused(self, store: Store, prefix: str) -> None:
        with pytest.raises(Usage):
            store.list(prefix)

    def test_the_longest_name_is_legal(self, store: Store) -> None:
        name = "/".join(["a" * 255, "b" * 254, "c"])
        assert len(name) == NAME_CHARACTERS_MAX
        store.put_new(name, b"")
        assert list(store.list()) == [name]

    def test_the_location_is_shown_as_a_url_that_opens_it(self, store: Store) -> None:
        assert "://" in store.location
        store.put_new("a", b"1")
        assert open_store(store.location).get("a") == b"1"

    def test_more_names_than_a_page_holds_are_listed(self, store: Store) -> None:
        names = [f"d/{number:04d}" for number in range(NAMES_MANY)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: store.put_new(name, b"1"), names))
        assert list(store.list()) == names
        assert list(store.list("d/", after="d/0998")) == names[999:]
        assert list(store.list("d/10")) == names[1000:]

    def test_a_sweep_takes_no_object(self, store: Store) -> None:
        store.put_new("d/a", b"1")
        assert store.sweep() == 0
        assert store.get("d/a") == b"1"

    def test_an_object_was_written_when_it_was_put(self, store: Store) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)
        store.put_new("d/a", b"1")
        assert before < store.written_at("d/a") < datetime.now(UTC) + timedelta(seconds=2)

    def test_what_the_place_offers_is_told_or_said_to_be_unknown(self, store: Store) -> None:
        store.put_new("a", b"1")
        offered = store.capabilities
        assert {offered.retention, offered.versions} <= {True, False, None}
        assert offered.free_bytes is None or offered.free_bytes > 0


def _writer(location: str, number: int) -> "subprocess.Popen[bytes]":
    """A process that says when it is ready, and writes when its input ends."""
    command = [sys.executable, "-c", WRITER, location, str(number)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)


def fill(store: Store) -> None:
    for name in reversed(SORTED_NAMES):
        store.put_new(name, name.encode())


def large_object() -> bytes:
    return bytes(range(256)) * (LARGE_BYTES // 256)


def size_or_none(store: Store, name: str) -> int | None:
    try:
        return store.head(name)
    except NotFound:
        return None
