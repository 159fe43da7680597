"""The file of a report, in the form that its name says: looked at before the work begins, and written after it."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from domain.errors import NotFound, Refused, Unavailable, Usage
from infra.cli import file, output, report, report_html

FORMS: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
    ".html": lambda answer: report_html.html(answer).encode(),
    ".json": lambda answer: orjson.dumps(output.plain(answer), option=orjson.OPT_INDENT_2) + b"\n",
    ".txt": lambda answer: report.text(answer).encode(),
}

ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write the report also to a new file, named .html, .json or .txt.",
        show_default=False,
    ),
]


def check(path: Path | None) -> None:
    """Refuse a file that could not be written when all is done."""
    if path is None:
        return
    if path.suffix not in FORMS:
        raise Usage(f"--report {path}: its name says the form, and ends with {', '.join(FORMS)}")
    if path.exists():
        raise Refused(f"{path} exists: it is never overwritten, name another file for the report", rule="file-is-new")
    if not path.parent.is_dir():
        raise NotFound(f"--report {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Unavailable(f"--report {path}: nothing can be written into the folder {path.parent}")


def write(path: Path | None, answer: Mapping[str, Any]) -> None:
    """Write the report whole, or leave nothing under that name: 0600, as it tells much of the deployment."""
    if path is None:
        return
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    file.create_private(partial, FORMS[path.suffix](answer))
    if path.exists():
        partial.unlink()
        raise Refused(f"{path} exists by now: it is never overwritten, name another file", rule="file-is-new")
    partial.rename(path)


def tell(answer: Mapping[str, Any], path: Path | None, *, as_json: bool) -> None:
    """Write the report to its file and to standard output, there also if the file cannot be written."""
    try:
        write(path, answer)
    finally:
        if as_json:
            output.write_json(answer)
        else:
            report.write(answer)
