"""A proxy between a client and PostgreSQL that cuts connections at COMMIT, before or after the server has done it."""

import contextlib
import socket
import threading
import time
from enum import Enum
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

PIECE_BYTES = 1 << 16
COMMIT = b"COMMIT\0"


class Cut(Enum):
    """What happens to a COMMIT."""

    NEVER = "it passes"
    BEFORE = "the server never hears of it"
    UNDER_WAY = "the server hears of it, and nobody waits for it"
    AFTER = "the server does it, and its answer is lost"
    TERMINATED_BEFORE = "an administrator ends the connection before the server hears of it"
    TERMINATED_AFTER = "an administrator ends the connection once the server has answered"


class CuttingProxy:
    """Listens on a port of this host, and passes everything on until told what to do to a COMMIT."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._every, self._way = 1, Cut.NEVER
        settings = conninfo_to_dict(server_url)
        self._host, self._port = str(settings["host"]), int(settings.get("port") or 5432)
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._application = f"cut-{uuid4()}"
        self._commits = 0
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener_thread = threading.Thread(target=self._listen, daemon=True)
        self._listener_thread.start()

    @property
    def url(self) -> str:
        """The server's URL through the proxy."""
        settings = conninfo_to_dict(self._server_url)
        port = self._listener.getsockname()[1]
        address = f"{settings['user']}@127.0.0.1:{port}/{settings['dbname']}"
        return f"postgresql://{address}?sslmode=disable&application_name={self._application}"

    def cut_every(self, count: int, way: Cut) -> None:
        """Do this to each `count`-th COMMIT from now on."""
        with self._lock:
            self._commits, self._every, self._way = 0, count, way

    def refuse_everybody(self) -> None:
        """Stop listening, and end every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener_thread.join()
        for each in self._sockets:
            _end(each)

    def close(self) -> None:
        """Refuse everybody, and free the sockets."""
        self.refuse_everybody()
        for each in self._sockets:
            each.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self._connected()
            self._sockets += [client, server]
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _connected(self) -> socket.socket:
        if self._host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._host}/.s.PGSQL.{self._port}")
            return server
        return socket.create_connection((self._host, self._port))

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        """Pass on what the client sends until it ends or is cut; another thread passes on what the server answers."""
        is_cut = threading.Event()
        threading.Thread(target=self._answer, args=(client, server, is_cut), daemon=True).start()
        with contextlib.suppress(OSError):
            while not is_cut.is_set() and (sent := client.recv(PIECE_BYTES)):
                self._pass_on(server, sent, is_cut)
        _end(client)
        _end(server)

    def _answer(self, client: socket.socket, server: socket.socket, is_cut: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while (received := server.recv(PIECE_BYTES)) and not is_cut.is_set():
                client.sendall(received)
        _end(client)

    def _pass_on(self, server: socket.socket, sent: bytes, is_cut: threading.Event) -> None:
        cut = self._cut(sent)
        if cut in (Cut.BEFORE, Cut.UNDER_WAY, Cut.AFTER):
            is_cut.set()
        if cut is Cut.TERMINATED_BEFORE:
            self._terminate("idle in transaction")
        if cut is not Cut.BEFORE:
            server.sendall(sent)
        if cut in (Cut.AFTER, Cut.TERMINATED_AFTER):
            self._wait_until_none_is("active", "idle in transaction")
        if cut is Cut.TERMINATED_AFTER:
            self._terminate("idle")

    def _cut(self, sent: bytes) -> Cut:
        if COMMIT not in sent:
            return Cut.NEVER
        with self._lock:
            self._commits += 1
            cut = self._way if self._commits % self._every == 0 else Cut.NEVER
            self.cuts += cut is not Cut.NEVER
        return cut

    def _terminate(self, state: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND state = %s",
                (self._application, state),
            )
        self._wait_until_none_is(state)

    def _wait_until_none_is(self, *states: str) -> None:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state = ANY(%s)"
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            while connection.execute(sql, (self._application, list(states))).fetchone() != (0,):
                time.sleep(0.001)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
