"""The rows that changes leave in a store, for those who are to insert the same rows without having thought of them."""

import pickle
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.database.url import open_database
from projections.version import OPEN
from scripts.benchmark.worker import Stopwatch
from scripts.benchmark.workload import ACTOR, AT_ONCE, Workload, recorded

TABLES = {
    "events": ("position", "originator_id", "originator_version", "topic", "recorded_at", "command_id", "record"),
    "versions": ("resource", "sequence", "kind", "valid_from", "valid_to", "state"),
    "links": ("source", "relation", "target", "valid_from", "valid_to"),
    "keyring": ("key_id", "root_key_id", "wrapped", "added_at", "shredded_at"),
}
BEGUN = {"events": 0, "versions": 3, "links": 3, "keyring": 3}
"""Which column of each table says at which position the row came."""

ENDED = {"versions": 4, "links": 4}

Row = tuple[Any, ...]
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Left:
    """What an estate and the changes after it left: `base` is the estate's last position."""

    base: int
    rows: Rows

    @property
    def events(self) -> int:
        """How many events the changes made."""
        return sum(event[0] > self.base for event in self.rows["events"])

    def before(self) -> Rows:
        """Return the rows as they were before the changes."""
        return {
            table: [
                (*row[:end], OPEN, *row[end + 1 :]) if (end := ENDED.get(table, 0)) and row[end] > self.base else row
                for row in rows
                if row[BEGUN[table]] <= self.base
            ]
            for table, rows in self.rows.items()
        }

    def commands(self) -> list[list[Row]]:
        """Return the rows of events of each change."""
        commands: list[list[Row]] = []
        for event in self.rows["events"]:
            if event[0] > self.base:
                if event[5] is not None:
                    commands.append([])
                commands[-1].append(event)
        return commands

    def batches(self, changes: int) -> list[Rows]:
        """Return the rows that each transaction of so many changes leaves, in the form that they have at the end."""
        commands = self.commands()
        lasts = [commands[min(first + changes, len(commands)) - 1][-1][0] for first in range(0, len(commands), changes)]
        batches: list[Rows] = [{table: [] for table in TABLES} for _ in lasts]
        for table, rows in self.rows.items():
            column, number = BEGUN[table], 0
            for row in sorted(rows, key=lambda row: row[column]):
                if row[column] > self.base:
                    while row[column] > lasts[number]:
                        number += 1
                    batches[number][table].append(row)
        return batches


def leave(stopwatch: Stopwatch, path: str, changes: int) -> None:
    """Record an estate and changes after it, and keep the rows in a file: what every peer is given."""
    workload = Workload()
    file = Path(path)
    url = f"sqlite:///{file.with_suffix('.db')}"
    plane = workload.installed(url)
    base = plane.head().position
    requests = workload.changes(changes)
    with stopwatch.measuring(changes):
        for first in range(0, changes, AT_ONCE):
            recorded(plane.execute_all(requests[first : first + AT_ONCE], ACTOR))
    plane.database.close()
    database = open_database(url)
    with database.read() as session:
        rows = {
            table: session.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {columns[BEGUN[table]]}")  # noqa: S608, our own names
            for table, columns in TABLES.items()
        }
    database.close()
    file.write_bytes(pickle.dumps(Left(base, rows)))


def read(path: str) -> Left:
    """Return what `leave` kept."""
    left = pickle.loads(Path(path).read_bytes())  # noqa: S301, written by ourselves a moment ago
    assert isinstance(left, Left)
    return left


def inner(event: Row) -> bytes:
    """Return the bytes of an event's record that eventsourcing keeps too: all but what a recorder frames them with."""
    record: bytes = event[6]
    return record[len(b'{"event":') : record.rindex(b',"position":')]


def packed(rows: Sequence[Row]) -> bytes:
    """Return rows in PostgreSQL's binary format of COPY."""
    return b"".join((b"PGCOPY\n\xff\r\n\0", bytes(8), *map(_packed, rows), b"\xff\xff"))


def _packed(row: Row) -> bytes:
    return struct.pack(">h", len(row)) + b"".join(_fields(row))


def _fields(row: Row) -> Iterator[bytes]:
    for value in row:
        if value is None:
            yield b"\xff\xff\xff\xff"
        else:
            data = struct.pack(">q", value) if isinstance(value, int) else _bytes(value)
            yield struct.pack(">i", len(data)) + data


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)
