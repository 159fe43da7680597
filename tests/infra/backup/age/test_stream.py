"""The payload: every length around a chunk, every way to cut reads and writes, and no way on after a failure."""

import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Corrupt
from infra.backup.age.source import Source
from infra.backup.age.stream import CHUNK_BYTES, PayloadReader, PayloadWriter

FILE_KEY = b"YELLOW SUBMARINE"
SEALED = CHUNK_BYTES + 16
NONCE = 16
lengths = pytest.mark.parametrize(
    "length",
    [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES - 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1],
)


class Trickle:
    """A source whose reads are short, as those of sockets and pipes are."""

    def __init__(self, data: bytes, size_max: int) -> None:
        self._data = io.BytesIO(data)
        self._size_max = size_max

    def read(self, size: int, /) -> bytes:
        return self._data.read(min(size, self._size_max))


class FailingSink:
    """A sink that fails at one of its writes and would work again afterwards."""

    def __init__(self, fail_at: int) -> None:
        self.writes = 0
        self._fail_at = fail_at

    def write(self, data: bytes, /) -> None:
        self.writes += 1
        if self.writes == self._fail_at:
            raise OSError("no space left")


def plaintext(length: int) -> bytes:
    return (b"0123456789abcdef" * (length // 16 + 1))[:length]


def seal(data: bytes) -> bytes:
    sink = io.BytesIO()
    with PayloadWriter(sink, FILE_KEY) as writer:
        assert writer.write(data) == len(data)
    return sink.getvalue()


def reader(payload: bytes) -> PayloadReader:
    return PayloadReader(Source(io.BytesIO(payload)), FILE_KEY)


def read_until_damage(payload: bytes) -> tuple[bytes, str]:
    """What was given before Corrupt was raised, and what it said."""
    opened = reader(payload)
    given = b""
    try:
        while part := opened.read(1000):
            given += part
    except Corrupt as damage:
        return given, str(damage)
    raise AssertionError("the end of a damaged payload was reported")


@lengths
def test_a_payload_is_read_as_written(length: int) -> None:
    payload = seal(plaintext(length))
    chunks = max(1, -(-length // CHUNK_BYTES))
    assert len(payload) == NONCE + length + 16 * chunks
    assert reader(payload).read() == plaintext(length)
    assert b"".join(reader(payload)) == plaintext(length)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_how_writes_and_reads_are_cut_makes_no_difference(data: st.DataObject) -> None:
    size = st.one_of(st.integers(0, 300), st.integers(CHUNK_BYTES - 2, CHUNK_BYTES + 2), st.just(3 * CHUNK_BYTES))
    written = data.draw(st.lists(size, max_size=6))
    whole = plaintext(sum(written))
    sink = io.BytesIO()
    with PayloadWriter(sink, FILE_KEY) as writer:
        start = 0
        for length in written:
            writer.write(memoryview(whole)[start : start + length])
            start += length
    opened = PayloadReader(Source(Trickle(sink.getvalue(), data.draw(st.integers(1000, 70000)))), FILE_KEY)
    found = b""
    while part := opened.read(asked := data.draw(size.filter(bool))):
        assert len(part) == min(asked, len(whole) - len(found))
        found += part
    assert found == whole
    assert opened.read() == opened.read(10) == b""


def test_reading_and_iterating_go_on_where_the_other_stopped() -> None:
    whole = plaintext(2 * CHUNK_BYTES + 5)
    opened = reader(seal(whole))
    parts = [opened.read(10), next(iter(opened)), opened.read(3), opened.read()]
    assert [len(part) for part in parts] == [10, CHUNK_BYTES - 10, 3, CHUNK_BYTES + 2]
    assert b"".join(parts) == whole


def test_two_payloads_of_one_plaintext_have_nothing_in_common() -> None:
    first, second = seal(bytes(1000)), seal(bytes(1000))
    assert first[:NONCE] != second[:NONCE]
    assert first[NONCE:] != second[NONCE:]


@pytest.mark.parametrize("length", [0, 1, 100, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_a_truncated_payload_raises_before_its_end_is_reported(length: int) -> None:
    payload = seal(plaintext(length))
    boundaries = {NONCE + SEALED * chunk + near for chunk in range(3) for near in (-1, 0, 1, 15, 16, 17)}
    for cut in sorted(boundaries | {NONCE, len(payload) - 1}):
        if NONCE <= cut < len(payload):
            given, damage = read_until_damage(payload[:cut])
            assert plaintext(length).startswith(given)
            assert "cut short" in damage


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_trailing_data_is_refused_before_the_last_chunk_is_given(length: int) -> None:
    payload = seal(plaintext(length))
    for trailing in (b"\0", bytes(16), bytes(SEALED), payload[NONCE:]):
        given, _ = read_until_damage(payload + trailing)
        assert len(given) < max(length, 1)


def test_chunks_that_changed_places_are_refused() -> None:
    payload = seal(plaintext(3 * CHUNK_BYTES))
    nonce, first, second, third = (
        payload[:NONCE],
        *(payload[NONCE + SEALED * n : NONCE + SEALED * (n + 1)] for n in range(3)),
    )
    for chunks in (
        second + first + third,
        first + third,
        first + second,
        first + first + third,
        third + first + second,
    ):
        with pytest.raises(Corrupt):
            reader(nonce + chunks).read()


def test_a_damaged_payload_stays_damaged_at_every_later_read() -> None:
    payload = bytearray(seal(plaintext(2 * CHUNK_BYTES)))
    payload[NONCE + SEALED + 5] ^= 1
    opened = reader(bytes(payload))
    assert opened.read(CHUNK_BYTES) == plaintext(CHUNK_BYTES)
    for _ in range(2):
        with pytest.raises(Corrupt, match="chunk 2"):
            opened.read(1)
        with pytest.raises(Corrupt, match="chunk 2"):
            list(opened)


def test_trailing_data_is_reported_at_every_later_read() -> None:
    opened = reader(seal(plaintext(CHUNK_BYTES)) + b"more")
    for _ in range(2):
        with pytest.raises(Corrupt, match="data follows"):
            opened.read()


def test_a_writer_left_by_an_error_makes_no_whole_file() -> None:
    sink = io.BytesIO()
    writer = PayloadWriter(sink, FILE_KEY)

    def fail_half_way() -> None:
        with writer:
            writer.write(plaintext(CHUNK_BYTES + 1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    writer.close()
    with pytest.raises(Corrupt):
        reader(sink.getvalue()).read()


def test_closing_twice_ends_the_file_once_and_writing_after_it_is_refused() -> None:
    sink = io.BytesIO()
    writer = PayloadWriter(sink, FILE_KEY)
    writer.write(b"all")
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")
    assert reader(sink.getvalue()).read() == b"all"


@pytest.mark.parametrize("fail_at", [2, 3, 4])
def test_a_writer_does_not_go_on_after_its_sink_failed(fail_at: int) -> None:
    sink = FailingSink(fail_at)
    writer = PayloadWriter(sink, FILE_KEY)

    def write_all() -> None:
        writer.write(plaintext(2 * CHUNK_BYTES + 1))
        writer.close()

    with pytest.raises(OSError, match="no space left"):
        write_all()
    for attempt in (writer.close, lambda: writer.write(b"more")):
        with pytest.raises(ValueError, match="write it anew"):
            attempt()
    assert sink.writes == fail_at


def test_memory_stays_at_a_few_chunks() -> None:
    class Pipe:
        """What is written to it can be read from it, once."""

        def __init__(self) -> None:
            self.held = b""

        def write(self, data: bytes, /) -> None:
            self.held += data

        def read(self, size: int, /) -> bytes:
            part, self.held = self.held[:size], self.held[size:]
            return part

    pipe = Pipe()
    writer = PayloadWriter(pipe, FILE_KEY)
    opened = PayloadReader(Source(pipe), FILE_KEY)
    block = bytes(CHUNK_BYTES)
    writer.write(block)
    tracemalloc.start()
    try:
        for _ in range(500):
            writer.write(block)
            assert opened.read(CHUNK_BYTES) == block
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * CHUNK_BYTES
