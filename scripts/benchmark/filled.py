"""Stores that are filled with a long history once, and only read by the benchmarks of a run."""

from contextlib import ExitStack

from scripts.benchmark.server import Server


class Filled:
    """Fills a store when it is first asked for."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lent = ExitStack()
        self._urls: dict[int, str] = {}

    def postgres(self, count: int) -> str:
        """Return the URL of a schema with a history of so many events; whoever changes it makes a schema of its own."""
        from scripts.benchmark import store

        if count not in self._urls:
            url = self._lent.enter_context(self._server.schema())
            store.fill(url, count)
            self._urls[count] = url
        return self._urls[count]

    def drop(self) -> None:
        """Drop what was filled."""
        self._lent.close()
        self._urls.clear()
