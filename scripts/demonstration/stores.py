"""The stores of the clouds: SQLite files in their folders, or schemas of one PostgreSQL database."""

from collections.abc import Sequence
from uuid import uuid4

import psycopg


class Stores:
    """Names stores, and deletes them; with a PostgreSQL URL each is a schema of its own."""

    def __init__(self, postgres_url: str | None) -> None:
        self._url = postgres_url
        self._prefix = f"resurgam_demo_{uuid4().hex[:8]}"
        self._names: set[str] = set()

    def url(self, name: str) -> str:
        """Return the URL of a cloud's store."""
        if self._url is None:
            return "sqlite:///resurgam.db"
        self._names.add(name)
        return f"{self._url}{'&' if '?' in self._url else '?'}schema={self._schema(name)}"

    def flags(self, name: str) -> Sequence[str]:
        """Return what names the store on a command line, where there are no settings yet."""
        return () if self._url is None else ("--store", self.url(name))

    def drop(self, name: str) -> None:
        """Delete what is not in the cloud's folder."""
        if self._url is not None:
            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute("SET client_min_messages = warning")
                connection.execute(f"DROP SCHEMA IF EXISTS {self._schema(name)} CASCADE".encode())
            self._names.discard(name)

    def drop_all(self) -> None:
        """Delete every store that was named and is still there."""
        for name in sorted(self._names):
            self.drop(name)

    def _schema(self, name: str) -> str:
        return f"{self._prefix}_{name.replace('-', '_')}"
