"""The command line: `resurgam`, the trusted local way in."""

import gc
import sys

GARBAGE_THRESHOLD = 100_000
"""Allocations between two looks for garbage: nearly all that start-up and replay allocate stays."""


def main() -> None:
    """Run the command that the arguments name, and end the process with its exit code."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    from infra.cli.app import run

    sys.exit(run(sys.argv[1:]))
