"""Errors at the command line: the one table of exit codes, and the one line on standard error that an error becomes."""

import json
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from domain.errors import Conflict, Corrupt, NotFound, Refused, ResurgamError, Unavailable, Usage, WrongKey

EXIT_CODES: Mapping[type[ResurgamError], int] = {
    Usage: 2,
    Refused: 3,
    NotFound: 4,
    Conflict: 5,
    Corrupt: 6,
    WrongKey: 7,
    Unavailable: 8,
}
OTHER = 1
REFUSED = EXIT_CODES[Refused]


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error: that of its class, or of the nearest class above that has one."""
    return next((EXIT_CODES[cls] for cls in type(error).__mro__ if cls in EXIT_CODES), OTHER)


def of_class(name: str, message: str) -> ResurgamError:
    """Return an error that another process described with `as_json`."""
    known = {cls.__name__: cls for cls in EXIT_CODES}
    return known.get(name, ResurgamError)(message)


def as_json(error: ResurgamError) -> dict[str, str]:
    """Return what a program needs to act on an error; `rule` and `resource` are empty unless a rule refused."""
    name = next((cls.__name__ for cls in type(error).__mro__ if cls in EXIT_CODES), type(error).__name__)
    rule, resource = (error.rule, error.resource) if isinstance(error, Refused) else ("", "")
    return {"class": name, "rule": rule, "resource": resource, "message": str(error)}


def report(error: ResurgamError, *, is_json: bool) -> int:
    """Write the error to standard error and return its exit code."""
    if os.environ.get("RESURGAM_DEBUG"):
        traceback.print_exception(error)
    line = json.dumps({"error": as_json(error)}, ensure_ascii=False) if is_json else f"resurgam: {_tidy(str(error))}"
    print(line, file=sys.stderr)
    return exit_code(error)


def defect(error: Exception) -> ResurgamError:
    """Return what is said of an error that nobody foresaw: where it happened; its text may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return ResurgamError(
        f"unexpected {type(error).__name__} at {place}: this is a defect, RESURGAM_DEBUG=1 shows where it comes from"
    )


def _tidy(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return "\n  ".join(lines)
