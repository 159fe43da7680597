"""PostgreSQL's binary forms of arrays and of COPY rows, packed column by column: an adapter would call per value."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat
from struct import Struct, pack
from typing import Any

INTEGER, TEXT, BYTES = 20, 25, 17
"""The type numbers of BIGINT, TEXT and BYTEA."""

ARRAY_NAMES = {INTEGER: "bigint[]", TEXT: "text[]", BYTES: "bytea[]"}

COPY_PAGE_ROWS = 2_000
COPY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"

_NULL = b"\xff\xff\xff\xff"
_EMPTY: dict[int, Any] = {INTEGER: 0, TEXT: "", BYTES: b""}
_length = Struct(">i").pack
_integer = Struct(">iq").pack


def kind_of(value: object) -> int:
    """Return the type number of the column type that holds such values."""
    return INTEGER if isinstance(value, int) else TEXT if isinstance(value, str) else BYTES


def array(kind: int, values: Sequence[Any]) -> bytes:
    """Return the array of one column's values."""
    header = pack(">iiiii", 1, None in values, kind, len(values), 1)
    return b"".join(chain((header,), chain.from_iterable(zip(*_pieces(kind, values), strict=True))))


def copy_pages(kinds: Sequence[int], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield what COPY reads: its start, the rows, and its end."""
    source = iter(rows)
    count = pack(">h", len(kinds))
    yield COPY_START
    while page := list(islice(source, COPY_PAGE_ROWS)):
        columns = zip(*page, strict=True)
        pieces = chain.from_iterable(_pieces(kind, values) for kind, values in zip(kinds, columns, strict=True))
        # Every step over the values runs in C: a loop in Python would take twice as long.
        yield b"".join(chain.from_iterable(zip([count] * len(page), *pieces, strict=True)))
    yield COPY_END


def _pieces(kind: int, values: Sequence[Any]) -> list[Sequence[bytes]]:
    """Return a column in parallel lists: of each value its length, and its bytes if they are not of one length."""
    if None in values:
        present = [_EMPTY[kind] if value is None else value for value in values]
        lengths, *rest = _pieces(kind, present)
        return [[_NULL if v is None else length for v, length in zip(values, lengths, strict=True)], *rest]
    if kind == INTEGER:
        return [list(map(_integer, repeat(8), values))]
    data: Sequence[bytes] = [value.encode() for value in values] if kind == TEXT else values
    lengths = list(map(_length, map(len, data)))
    return [lengths, data]
