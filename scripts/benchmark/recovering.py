"""Benchmarks of recovery: from a repository to an open, verified store, beside the restoring of a plain dump."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo

from infra.control_plane import plane
from infra.control_plane.clock import host_clock
from infra.control_plane.when import parse
from infra.database.url import open_database
from infra.log import head
from scripts.benchmark import store
from scripts.benchmark.backing_up import back_up
from scripts.benchmark.benchmark import SECONDS, Benchmark, Result, Sample, Target
from scripts.benchmark.cloud.installation import IDENTITY
from scripts.benchmark.context import Context
from scripts.benchmark.tools import RESURGAM, fresh, tool

PG_RESTORE = "pg_restore -j2"
SQLITE = "sqlite3 .dump | sqlite3"


def identity_file(context: Context) -> Path:
    """Return a file with the identity that opens the backups of every filled store."""
    path = context.folder / "identity.txt"
    path.write_text(f"{IDENTITY.secret_text()}\n", "ascii")
    path.chmod(0o600)
    return path


def recover(context: Context, repository: Path, url: str, events: int) -> Sample:
    """Time a whole `resurgam recover` into an empty place, and check that all history answers."""
    root_key = context.folder / f"{uuid4().hex}.root-key"
    wish = ("--identity", str(identity_file(context)), "--trust-first-use", "--json")
    target = ("--store", url, "--root-key-file", str(root_key))
    sample = context.program([*RESURGAM, "recover", f"file://{repository}", *wish, *target], events=events)
    _check_history(url, events)
    return sample


def _check_history(url: str, events: int) -> None:
    database = open_database(url)
    try:
        for position in (events // 2, events):
            with plane.read(database, parse(str(position), host_clock())) as reading:
                if sum(reading.state.counts().values()) == 0 or head.read_open(reading.session).position != events + 1:
                    raise AssertionError(f"the recovered store does not answer at position {position}")
    finally:
        database.close()


def _postgres(context: Context) -> Sequence[Result]:
    source = context.filled.postgres(context.events)
    repository = context.folder / "repository"
    back_up(context, source, repository, context.events)
    dump = _dumped(context, source)

    def ours() -> Sample:
        with context.server.schema() as url:
            return recover(context, repository, url, context.events)

    def theirs() -> Sample:
        with _database(context) as conninfo:
            command = (str(context.server.programs / "pg_restore"), "-j2", "--exit-on-error", "-d", conninfo, str(dump))
            return context.program(command, events=context.events)

    return [context.in_turn(ours, {PG_RESTORE: theirs})]


def _dumped(context: Context, url: str) -> Path:
    """Return an uncompressed dump of a store's tables with their indexes."""
    address, _, schema = url.rpartition("schema=")
    folder = context.folder / "dump"
    command = (str(context.server.programs / "pg_dump"), "-Fd", "-Z0", "-j2", "-n", schema, "-f", str(folder))
    subprocess.run([*command, "-d", address.rstrip("?&")], check=True)  # noqa: S603, the server's own program
    return folder


@contextmanager
def _database(context: Context) -> Iterator[str]:
    """Lend an empty database of the server."""
    name = f"bench_{uuid4().hex}"
    with psycopg.connect(context.server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield make_conninfo(context.server.url, dbname=name)
        finally:
            connection.execute(f"DROP DATABASE {name}".encode())
            connection.execute("CHECKPOINT")


def _sqlite(context: Context) -> Sequence[Result]:
    source = store.copied(context.events, context.cache, context.folder)
    repository = context.folder / "repository"
    back_up(context, source, repository, context.events)
    sqlite3 = tool("sqlite3")

    def ours() -> Sample:
        folder = fresh(context.folder / "recovered")
        folder.mkdir()
        sample = recover(context, repository, f"sqlite:///{folder / 'new.db'}", context.events)
        fresh(folder)
        return sample

    def theirs() -> Sample:
        folder = fresh(context.folder / "restored")
        folder.mkdir()
        script = '"$SQLITE" -readonly "$OLD" .dump | "$SQLITE" "$NEW"'
        environment = {"SQLITE": sqlite3, "OLD": source.removeprefix("sqlite:///"), "NEW": str(folder / "new.db")}
        command = ["bash", "-o", "pipefail", "-c", script]
        sample = context.program(command, events=context.events, environment=environment)
        fresh(folder)
        return sample

    return [context.in_turn(ours, {SQLITE: theirs})]


BENCHMARKS = (
    Benchmark("recover-postgres", "a verified recovery into an empty PostgreSQL, with its process",
              [Target(SECONDS, PG_RESTORE, at_most=1.5)], _postgres, 1_000_000),
    Benchmark("recover-sqlite", "a verified recovery into a new SQLite file, with its process",
              [Target(SECONDS, SQLITE, at_most=0.7)], _sqlite, 1_000_000),
)  # fmt: skip
