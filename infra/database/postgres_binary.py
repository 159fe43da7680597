"""PostgreSQL's binary forms of arrays and of COPY rows, packed column by column: an adapter would call per value."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from struct import Struct, pack
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

INTEGER, TEXT, BYTES = 20, 25, 17
"""The type numbers of BIGINT, TEXT and BYTEA."""

ARRAY_NAMES = {INTEGER: "bigint[]", TEXT: "text[]", BYTES: "bytea[]"}
_ARRAYS = {INTEGER: 1016, TEXT: 1009, BYTES: 1001}

COPY_PAGE_ROWS = 2_000
COPY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"

_NULL = b"\xff\xff\xff\xff"
_length = Struct(">i").pack
_integer = Struct(">iq").pack
_one = Struct(">iiiiii").pack
_one_integer = Struct(">iiiiiiq").pack


class IntegerArray(bytes):
    """A packed bigint[]."""


class TextArray(bytes):
    """A packed text[]."""


class BytesArray(bytes):
    """A packed bytea[]."""


_CLASSES: dict[int, type[bytes]] = {INTEGER: IntegerArray, TEXT: TextArray, BYTES: BytesArray}


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer | None:
        packed: bytes = obj
        return packed


def register(connection: "psycopg.Connection[Any]") -> None:
    """Let the connection take packed arrays as parameters."""
    for kind, packed in _CLASSES.items():
        dumper = type(f"{packed.__name__}Dumper", (_ArrayDumper,), {"oid": _ARRAYS[kind]})
        connection.adapters.register_dumper(packed, dumper)


def kind_of(value: object) -> int:
    """Return the type number of the column type that holds such values."""
    return INTEGER if isinstance(value, int) else TEXT if isinstance(value, str) else BYTES


def array(kind: int, values: Sequence[Any]) -> bytes:
    """Return the array of one column's values."""
    packed = _CLASSES[kind]
    if len(values) == 1 and values[0] is not None:
        [value] = values
        if kind == INTEGER:
            return packed(_one_integer(1, 0, kind, 1, 1, 8, value))
        data = value.encode() if kind == TEXT else value
        return packed(_one(1, 0, kind, 1, 1, len(data)) + data)
    header = pack(">iiiii", 1, None in values, kind, len(values), 1)
    return packed(b"".join(chain((header,), chain.from_iterable(zip(*_pieces(kind, values), strict=True)))))


def copy_pages(kinds: Sequence[int], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield what COPY reads: its start, the rows, and its end."""
    source = iter(rows)
    row = pack(">h", len(kinds)) + b"".join(b"%b" if kind == INTEGER else b"%b%b" for kind in kinds)
    yield COPY_START
    while page := list(islice(source, COPY_PAGE_ROWS)):
        columns = zip(*page, strict=True)
        pieces = chain.from_iterable(_pieces(kind, values) for kind, values in zip(kinds, columns, strict=True))
        yield b"".join([row % each for each in zip(*pieces, strict=True)])
    yield COPY_END


def _pieces(kind: int, values: Sequence[Any]) -> list[Sequence[bytes]]:
    """Return a column in parallel lists: of each value its length, and its bytes if they are not of one length."""
    if kind == INTEGER:
        return [[_NULL if value is None else _integer(8, value) for value in values]]
    if None in values:
        present = ["" if value is None and kind == TEXT else b"" if value is None else value for value in values]
        lengths, data = _pieces(kind, present)
        return [[_NULL if v is None else length for v, length in zip(values, lengths, strict=True)], data]
    data = [value.encode() for value in values] if kind == TEXT else values
    return [[_length(len(each)) for each in data], data]
