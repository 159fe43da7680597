"""The command line: `resurgam`, the trusted local way in."""

import gc
import sys

INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""

GARBAGE_THRESHOLD = 100_000
"""Allocations between two looks for garbage: nearly all that start-up and replay allocate stays."""


def main() -> None:
    """Run the command that the arguments name, and end the process with its exit code."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        from infra.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    gc.freeze()  # else the interpreter looks for garbage once more in all that lives to its end, a fifth of its time
    sys.exit(code)
