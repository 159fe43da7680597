"""Proxies before a store's server: one that answers HTTP requests otherwise, one that cuts SMB after some messages."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

WAIT_S = 2
HOP_HEADERS = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of a request: whether the server hears of it, and what is answered; without a status, nothing.

    With `kept_bytes` the server's own answer is cut off after so many.
    """

    is_passed_on: bool
    status: int | None = None
    body: bytes = b""
    kept_bytes: int | None = None


Plan = Callable[[str, int], Fault | None]
"""By its method and number (from 1) what is done to a request; None lets it pass."""


@contextmanager
def http_faults(endpoint: str, plan: Plan, *, adds: Mapping[str, Mapping[str, str]] | None = None) -> Iterator[str]:
    """The endpoint as it is through the proxy; `adds` gives headers to requests that carry the header before them."""
    server = urlsplit(endpoint)
    counted: dict[str, int] = {}
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

        def _handle(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                counted[self.command] = counted.get(self.command, 0) + 1
                fault = plan(self.command, counted[self.command])
            if fault is None or fault.is_passed_on:
                connection = http.client.HTTPConnection(server.netloc, timeout=60)
                headers = dict(self.headers.items())
                for name, more in (adds or {}).items():
                    headers.update(more if name in self.headers else {})
                connection.request(self.command, self.path, sent, headers)
                answer = connection.getresponse()
                body = answer.read()
                connection.close()
            if fault is None:
                self._answer(answer.status, body, {name.lower(): value for name, value in answer.getheaders()})
            elif fault.status is None:
                if fault.kept_bytes is not None:
                    self._answer_in_part(answer, body, fault.kept_bytes)
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self._answer(fault.status, fault.body, {})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response_only(status)
            length = headers.get("content-length") if self.command == "HEAD" else None
            for name, value in headers.items():
                if name not in HOP_HEADERS:
                    self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _answer_in_part(self, answer: http.client.HTTPResponse, body: bytes, kept_bytes: int) -> None:
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_HEADERS}
            headers["Content-Length"] = answer.getheader("content-length") or str(len(body))
            lines = [
                f"HTTP/1.1 {answer.status} {answer.reason}",
                *(f"{name}: {value}" for name, value in headers.items()),
            ]
            whole = "\r\n".join([*lines, "", ""]).encode() + body
            self.wfile.write(whole[:kept_bytes])
            self.wfile.flush()

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _handle

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}{server.path}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


class MessageCutter:
    """Passes SMB on, and cuts a connection after the client's messages that `cut_after` counts, once."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._lock = threading.Lock()
        self._left: int | None = None
        self._is_answered = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def has_cut(self) -> bool:
        """Whether it came to the cut."""
        return self._left is None

    def cut_after(self, count: int) -> None:
        """Cut when so many more messages were passed on, before the answer to the last one."""
        with self._lock:
            self._left = count

    def close(self) -> None:
        """End everything."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._address)
                self._sockets += [client, server]
                ends = (client, server, threading.Event(), threading.Event())
                threading.Thread(target=self._requests, args=ends, daemon=True).start()
                threading.Thread(target=self._answers, args=ends, daemon=True).start()

    def _requests(
        self, client: socket.socket, server: socket.socket, gone: threading.Event, answered: threading.Event
    ) -> None:
        with suppress(OSError):
            while header := _exactly(client, 4):
                message = _exactly(client, struct.unpack(">L", header)[0])
                is_last = self._is_last()
                if is_last:
                    gone.set()
                server.sendall(header + message)
                if is_last:
                    answered.wait(WAIT_S)  # then it has done what it was asked
                    break
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _answers(
        self, client: socket.socket, server: socket.socket, gone: threading.Event, answered: threading.Event
    ) -> None:
        with suppress(OSError):
            while received := server.recv(1 << 16):
                if gone.is_set():
                    answered.set()
                else:
                    client.sendall(received)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def _is_last(self) -> bool:
        with self._lock:
            if self._left is None:
                return False
            self._left -= 1
            if self._left == 0:
                self._left = None
                return True
            return False


def _exactly(source: socket.socket, size_bytes: int) -> bytes:
    found = b""
    while len(found) < size_bytes:
        received = source.recv(size_bytes - len(found))
        if not received:
            return b""
        found += received
    return found
