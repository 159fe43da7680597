"""The command line: `resurgam`, the trusted local way in."""

import sys


def main() -> None:
    """Run the command that the arguments name, and end the process with its exit code."""
    from infra.cli.app import run

    sys.exit(run(sys.argv[1:]))
