"""A `backup watch` that runs as a process of its own, and what it tells."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from time import monotonic
from typing import Any

from tests.infra.cli.command_line import process

PATIENCE_S = 60
"""No test waits so long unless something is broken."""


class Watching:
    """A `backup watch` that runs, and the events that it tells; into `backups` unless the environment says where."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        where = () if "RESURGAM_REPOSITORY" in os.environ else ("--repository", "backups")
        flags = (*where, "--every", "1s", "--json")
        self.process = process("backup", "watch", *flags, *arguments, folder=folder)
        self.events: list[dict[str, Any]] = []
        self._lines: Queue[dict[str, Any]] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put({**json.loads(line), "heard": monotonic()})

    def until(self, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Listen until it tells of what is waited for."""
        while True:
            try:
                event = self._lines.get(timeout=PATIENCE_S)
            except Empty:
                raise AssertionError(f"not told: {self.events}") from None
            self.events.append(event)
            if is_it(event):
                return event

    def until_shipped(self, position: int = 0) -> dict[str, Any]:
        return self.until(lambda event: event["event"] == "shipped" and event["position"] >= position)

    def until_told(self, name: str) -> dict[str, Any]:
        return self.until(lambda event: event["event"] == name)

    def end(self, by: int = signal.SIGTERM) -> int:
        """End it, and hear what it still had to say."""
        self.process.send_signal(by)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        while not self._lines.empty():
            self.events.append(self._lines.get())
        return code

    def told(self) -> list[str]:
        return [event["event"] for event in self.events]


def close(process: "subprocess.Popen[bytes]") -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        assert stream is not None
        stream.close()
