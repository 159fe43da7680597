"""Copies of stores, as a backup tool, a snapshot of a machine or a replica that lags behind makes them."""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from infra.control_plane.store import TABLES
from tests.postgres import drop_schema, with_schema


@contextmanager
def copied(url: str, folder: Path) -> Iterator[str]:
    """The URL of a store that is now what another one is, and goes its own way from now on."""
    if url.startswith("sqlite:///"):
        copy = folder / f"copy-{uuid.uuid4().hex}.db"
        with (
            closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        yield f"sqlite:///{copy}"
        return
    server, _, schema = url.rpartition("schema=")
    server, copy_schema = server.rstrip("?&"), f"copy_{uuid.uuid4().hex}"
    statements = [f"CREATE SCHEMA {copy_schema}"]
    for table in TABLES:
        statements.append(f"CREATE TABLE {copy_schema}.{table} (LIKE {schema}.{table} INCLUDING ALL)")
        statements.append(f"INSERT INTO {copy_schema}.{table} SELECT * FROM {schema}.{table}")
    with psycopg.connect(server) as connection:
        connection.execute("; ".join(statements).encode())
    yield with_schema(server, copy_schema)
    drop_schema(server, copy_schema)
