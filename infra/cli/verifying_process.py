"""A verified backup in a process of its own, so that shipping goes on beside the replay of the whole log."""

import json
import os
import subprocess
import sys

from domain.errors import ResurgamError, Unavailable
from infra.backup.watching import VerifiedRun
from infra.cli import errors
from infra.cli.settings import Settings

# A service manager sends SIGTERM to all processes of a service: like Ctrl-C it must not leave the scratch store behind.
# And nobody waits for a replay, which takes all of a processor: others come first.
PROGRAM = (
    "import os, signal; os.nice(10); signal.signal(signal.SIGTERM, signal.default_int_handler); "
    "from infra.cli import main; main()"
)
STOPPING_S = 10


class VerifyingProcess:
    """See infra.backup.watching.Verification: `resurgam backup run --verified` with the settings of this process.

    They go by the environment, as a command line is shown to everybody on the machine.
    """

    def __init__(self, chosen: Settings) -> None:
        self._environment = {
            **os.environ,
            "RESURGAM_STORE": chosen.store,
            "RESURGAM_ROOT_KEY_FILE": str(chosen.root_key_file),
            "RESURGAM_REPOSITORY": chosen.repository or "",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-P", "-c", PROGRAM, "backup", "run", "--verified", "--json"]
        try:
            self._process = subprocess.Popen(  # noqa: S603, every word of the command is ours
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # a few kilobytes, which no pipe is too small for
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise Unavailable(f"cannot start a process for a verified backup: {error.strerror}") from error

    def result(self) -> VerifiedRun | None:
        assert self._process is not None
        code = self._process.poll()
        if code is None:
            return None
        out, err = self._process.communicate()
        self._process = None
        if code:
            raise _error(code, err)
        answer = json.loads(out)
        return VerifiedRun(answer["sequence"], answer["last"], answer["attestation"])

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOPPING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._process = None


def _error(code: int, said: bytes) -> ResurgamError:
    """Return the error that the process ended with, as its last line on standard error says it."""
    lines = said.splitlines()
    try:
        error = json.loads(lines[-1])["error"]
        return errors.of_class(error["class"], error["message"])
    except (IndexError, KeyError, TypeError, ValueError):
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return ResurgamError(f"the process of the verified backup ended with {how}, and did not say why")
