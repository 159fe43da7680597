"""Headers: their one spelling, their limits, and that any other spelling is refused."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt, Usage
from infra.backup.age import Stanza
from infra.backup.age.header import HEADER_BYTES_MAX, parse, serialise
from infra.backup.age.source import Source

FILE_KEY = b"YELLOW SUBMARINE"
visible = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)
stanzas = st.builds(Stanza, visible, st.lists(visible, max_size=3).map(tuple), st.binary(max_size=200))


@given(st.lists(stanzas, min_size=1, max_size=4))
def test_any_stanzas_are_read_as_written_and_the_payload_follows(written: list[Stanza]) -> None:
    source = Source(io.BytesIO(serialise(written, FILE_KEY) + b"payload"))
    header = parse(source)
    header.authenticate(FILE_KEY)
    assert list(header.stanzas) == written
    assert source.read(100) == b"payload"


@pytest.mark.parametrize("size_bytes", [0, 1, 47, 48, 49, 95, 96, 97])
def test_a_body_ends_with_a_short_line_which_may_be_empty(size_bytes: int) -> None:
    header = serialise([Stanza("kind", (), bytes(size_bytes))], FILE_KEY)
    rows = header.split(b"\n")[2:-2]
    assert all(len(row) == 64 for row in rows[:-1])
    assert len(rows[-1]) < 64
    assert parse(Source(io.BytesIO(header))).stanzas[0].body == bytes(size_bytes)


def test_another_file_key_does_not_authenticate_a_header() -> None:
    header = parse(Source(io.BytesIO(serialise([Stanza("kind", (), b"")], FILE_KEY))))
    with pytest.raises(Corrupt, match="HMAC"):
        header.authenticate(b"another file key")


@pytest.mark.parametrize(
    ("right", "wrong", "damage"),
    [
        (b"org/v1\n", b"org/v2\n", "not an age v1 file"),
        (b"org/v1\n", b"org/v1 \n", "not an age v1 file"),
        (b"-> kind", b"->kind", "malformed stanza"),
        (b"-> kind", b"->x kind", "malformed stanza"),
        (b"-> kind", b"->", "malformed stanza"),
        (b"-> kind", b"-> ", "malformed stanza"),
        (b"-> kind", b"-> kind ", "malformed stanza"),
        (b"-> kind", b"-> kind\x7f", "malformed stanza"),
        (b"A" * 64 + b"\n", b"A" * 68 + b"\n", "longer than 64 columns"),
        (b"A" * 64 + b"\nA", b"A" * 64 + b"\n=A", "base64"),
        (b"--- ", b"--", "no proper MAC line"),
        (b"--- ", b"---", "no proper MAC line"),
        (b"--- ", b"--- AAAA", "no proper MAC line"),
    ],
)
def test_a_misspelt_header_is_refused(right: bytes, wrong: bytes, damage: str) -> None:
    header = serialise([Stanza("kind", (), bytes(60))], FILE_KEY)
    assert header.count(right) == 1
    with pytest.raises(Corrupt, match=damage):
        parse(Source(io.BytesIO(header.replace(right, wrong))))


def test_a_header_without_a_recipient_is_refused() -> None:
    with pytest.raises(Corrupt, match="names no recipient"):
        parse(Source(io.BytesIO(serialise([], FILE_KEY))))


def test_a_header_has_the_same_limit_when_written_and_when_read() -> None:
    rows = HEADER_BYTES_MAX // 65 - 2
    longest = Stanza("kind", ("x" * 57,), bytes(48 * rows))
    size = len(serialise([longest], FILE_KEY))
    fitting = Stanza("kind", ("x" * (57 + HEADER_BYTES_MAX - size),), longest.body)
    header = serialise([fitting], FILE_KEY)
    assert len(header) == HEADER_BYTES_MAX
    assert parse(Source(io.BytesIO(header))).stanzas == (fitting,)
    with pytest.raises(Usage, match="name fewer recipients"):
        serialise([fitting, Stanza("kind", (), b"")], FILE_KEY)
    with pytest.raises(Corrupt, match="longer than"):
        parse(Source(io.BytesIO(header.replace(b"-> kind x", b"-> kind xx"))))


def test_an_endless_line_is_given_up_at_the_limit() -> None:
    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += size
            return b"a" * size

    endless = Endless()
    with pytest.raises(Corrupt, match="longer than"):
        parse(Source(endless))
    assert endless.given <= HEADER_BYTES_MAX + 4096
