"""`resurgam` for tests that run it a hundred times: a process that has loaded the program forks for each command.

Each command is a process of its own all the same, with its caller's arguments, folder, environment and streams; only
the loading is saved. `python preloaded.py SOCKET` serves, and `python preloaded.py SOCKET ARGUMENT …` runs a command.
"""

import json
import os
import signal
import socket
import sys

STREAMS = (0, 1, 2)
REQUEST_BYTES_MAX = 1 << 17


def call(path: str, arguments: list[str]) -> int:
    """Have the server run a command on our streams; returns its exit code, 1 if it died."""
    request = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        socket.send_fds(connection, [request], STREAMS)
        return int(connection.recv(16) or b"1")


def serve(path: str) -> None:
    """Load the program, say so, and answer until killed."""
    from importlib import import_module

    from infra.cli.app import COMMANDS

    for module in filter(None, (module for module, _ in COMMANDS.values())):
        import_module(f"infra.cli.{module}")
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # nobody waits for the children, whose exit codes go through the socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                _answer(connection)
            connection.close()


def _answer(connection: socket.socket) -> None:
    """Become the process that was asked for, and end."""
    from infra.cli.app import run

    request, streams, *_ = socket.recv_fds(connection, REQUEST_BYTES_MAX, len(STREAMS))
    arguments, folder, environment = json.loads(request)
    for given, stream in zip(streams, STREAMS, strict=True):
        os.dup2(given, stream)
        os.close(given)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    connection.send(str(run(arguments)).encode())
    os._exit(0)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
