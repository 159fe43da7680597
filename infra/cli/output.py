"""Output: JSON for programs, tables for people, notes on standard error."""

import dataclasses
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from pydantic.alias_generators import to_camel

from domain.errors import Unavailable

Fields = Iterable[tuple[str, object]]
"""(name, value) in the order in which they are shown."""


def plain(value: object) -> Any:
    """Return JSON of a value that may hold our dataclasses, whose fields then get ARM's spelling."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {to_camel(name): plain(member) for name, member in fields}
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    return value


def write_json(value: object) -> None:
    """Write one JSON document: indented on a terminal, one line in a pipe."""
    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    _write(orjson.dumps(plain(value), option=option | orjson.OPT_APPEND_NEWLINE))


def write_json_lines(values: Iterable[object]) -> None:
    """Write one line each, and let none wait in a buffer."""
    _write(b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values))


def write_bytes(data: bytes) -> None:
    """Write bytes as they are."""
    _write(data)


def write_text(text: str) -> None:
    """Write a line, or several."""
    _write(f"{visible(text)}\n".encode())


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a table as plain aligned columns."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in [list(columns), *cells]]


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table: with rules on a terminal, as plain aligned columns in a pipe."""
    if not sys.stdout.isatty():
        write_text("\n".join(table_lines(columns, rows)))
        return
    cells = [[_cell(cell) for cell in row] for row in rows]
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, header_style="bold")
    for row in cells:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console().print(table)


def write_fields(fields: Fields) -> None:
    """Write names and values, aligned."""
    shown = [(name, _cell(value)) for name, value in fields]
    width = max((len(name) for name, _ in shown), default=0)
    write_text("\n".join(f"{name.ljust(width)}  {value}".rstrip() for name, value in shown))


def note(text: str) -> None:
    """Say something to people that is no part of the answer."""
    print(f"resurgam: {text}", file=sys.stderr)


def as_text(value: object) -> str:
    """Return a value as people read it: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(plain(value)).decode()


def _cell(value: object) -> str:
    return "" if value is None else visible(as_text(value)).replace("\n", "\N{REPLACEMENT CHARACTER}")


def visible(text: str) -> str:
    """Return the text without what would move a terminal's cursor or hide something; line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c == "\n" or unicodedata.category(c)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _write(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Unavailable(f"standard output cannot be written: {error.strerror}") from error
