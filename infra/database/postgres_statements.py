"""The statements that PostgreSQL is sent: placeholders by number, and one statement for what concerns many rows."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from infra.database.postgres_binary import ARRAY_NAMES
from infra.database.session import Insert

# A quoted string, a quoted name or a comment is kept; any other question mark is a placeholder.
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|\?", re.DOTALL)


@lru_cache(maxsize=1_000)
def numbered(sql: str) -> bytes:
    """Write the placeholders `?` as `$1`, `$2` …, as the server knows them (so a literal `%` needs no care).

    In bytes, because psycopg's types take only string literals.
    """
    return _with_values(sql, (f"${number}" for number in count(1))).encode()


Shape = tuple[Any, ...]
"""An `Insert` or an `Update` without its rows."""


@lru_cache(maxsize=1_000)
def apply_sql(changes: tuple[tuple[Shape, tuple[int, ...], bool], ...]) -> bytes:
    """Return one statement for changes of these shapes and column types.

    A change of one row has its values as parameters, which takes the server a third of the time; others have an array
    for each column.
    """
    numbers = count(1)
    parts = []
    for index, (shape, kinds, is_one) in enumerate(changes):
        if is_one:
            given = [f"${next(numbers)}::{_type(kind)}" for kind in kinds]
            source = ""
        else:
            given = [f"g{number}" for number in range(len(kinds))]
            arrays = ", ".join(f"${next(numbers)}::{ARRAY_NAMES[kind]}" for kind in kinds)
            source = f" FROM unnest({arrays}) AS given ({', '.join(given)})"
        is_insert = len(shape) == len(Insert._fields) - 1
        sql = _insert(shape, given, source) if is_insert else _update(shape, given, source)
        parts.append(f"change_{index} AS ({sql})")
    return f"WITH {', '.join(parts)} SELECT".encode()


def _insert(shape: Shape, given: Sequence[str], source: str) -> str:
    table, columns = shape
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(given)}{source}"


def _update(shape: Shape, given: Sequence[str], source: str) -> str:
    table, columns, where, also = shape
    values = iter(given)
    sets = [f"{name} = {next(values)}" for name in columns]
    found = [f"{table}.{name} = {next(values)}" for name in where]
    # No index serves this comparison.
    found += [f"{table}.{name} IS NOT DISTINCT FROM {next(values)}" for name in also]
    return f"UPDATE {table} SET {', '.join(sets)}{source} WHERE {' AND '.join(found)}"


@lru_cache(maxsize=1_000)
def each_sql(select: str, kinds: Sequence[int], is_one: bool) -> bytes:
    """Return one statement that runs a SELECT for each row of arrays of these types, and numbers the rows from 1.

    A single row has its values as parameters, as in `apply_sql`.
    """
    if is_one:
        values = (f"${number}::{_type(kind)}" for number, kind in enumerate(kinds, 1))
        return f"SELECT 1, found.* FROM ({_with_values(select, values)}) AS found".encode()
    given = [f"g{number}" for number in range(len(kinds))]
    select = _with_values(select, (f"given.{name}" for name in given))
    arrays = ", ".join(f"${number}::{ARRAY_NAMES[kind]}" for number, kind in enumerate(kinds, 1))
    source = f"unnest({arrays}) WITH ORDINALITY AS given ({', '.join(given)}, number)"
    return f"SELECT given.number, found.* FROM {source} CROSS JOIN LATERAL ({select}) AS found".encode()


def _with_values(sql: str, values: Iterator[str]) -> str:
    return _TOKEN.sub(lambda token: next(values) if token[0] == "?" else token[0], sql)


def _type(kind: int) -> str:
    return ARRAY_NAMES[kind].removesuffix("[]")
