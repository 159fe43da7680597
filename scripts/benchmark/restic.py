"""The peer of backups: restic, which is given all records by the database's own program."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from scripts.benchmark.benchmark import Sample
from scripts.benchmark.context import Context
from scripts.benchmark.tools import fresh, size_bytes, tool

NAME = "restic"
PASSWORD = "sample"  # noqa: S105, nothing is behind it
RECORDS = "SELECT record FROM events ORDER BY position"


class Restic:
    """A repository that takes what a pipe says; restic can find what is new only by reading all of it."""

    def __init__(self, context: Context, folder: Path) -> None:
        self._context = context
        self._restic = tool("restic")
        self._folder = folder
        self._environment = {
            "RESTIC_REPOSITORY": str(folder / "repository"),
            "RESTIC_CACHE_DIR": str(folder / "cache"),
            "RESTIC_PASSWORD": PASSWORD,
        }

    def init(self) -> None:
        """Begin anew with an empty repository."""
        fresh(self._folder)
        subprocess.run(  # noqa: S603, a fixed command
            [self._restic, "init", "--quiet"], env={**os.environ, **self._environment}, check=True
        )

    def backup(self, source: "Source", events: int) -> Sample:
        """Time a backup of all that the source says."""
        script = f'{source.script} | "$RESTIC" backup --quiet --stdin --stdin-filename records'
        sample = self._context.program(
            ["bash", "-o", "pipefail", "-c", script],
            events=events,
            environment={**source.environment, **self._environment, "RESTIC": self._restic},
        )
        return replace(sample, extra={"size_bytes": size_bytes(self._folder / "repository")})


class Source:
    """A command line that writes all records of a store to its standard output, as raw as the engine can."""

    def __init__(self, context: Context, url: str) -> None:
        self.url = url
        if url.startswith("sqlite:///"):
            self.script = '"$SQLITE" -readonly "$STORE" "$QUERY"'
            self.environment: Mapping[str, str] = {
                "SQLITE": tool("sqlite3"),
                "STORE": url.removeprefix("sqlite:///"),
                "QUERY": RECORDS.replace("record", "CAST(record AS TEXT)", 1),
            }
        else:
            address, _, schema = url.rpartition("schema=")
            self.script = '"$PSQL" --no-psqlrc --quiet "$STORE" --command "$QUERY"'
            self.environment = {
                "PSQL": str(context.server.programs / "psql"),
                "STORE": address.rstrip("?&"),
                "PGOPTIONS": f"-c search_path={schema}",
                "QUERY": f"COPY ({RECORDS}) TO STDOUT (FORMAT binary)",
            }

    def read(self, context: Context, events: int) -> Sample:
        """Time reading alone."""
        return context.program(["bash", "-c", self.script], events=events, environment=self.environment)
