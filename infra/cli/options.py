"""Options that several commands share, and how commands are declared."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Write JSON, also errors.")]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="The store, sqlite:///FILE or postgresql://…", show_default=False),
]
RootKeyFile = Annotated[
    Path | None,
    typer.Option("--root-key-file", metavar="FILE", help="The file that holds the root key.", show_default=False),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="WHEN", help="A position (4711), an instant (2026-11-03T14:00Z) or an age (3d); else now.",
        show_default=False,
    ),
]  # fmt: skip
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="PRINCIPAL",
        help="Act under this principal, and see only what its roles allow: an object id, a user principal name or an "
        "application id.",
        show_default=False,
    ),
]


def group(help_text: str) -> typer.Typer:
    """Return a group of commands; the help is plain text."""
    return typer.Typer(
        help=help_text,
        rich_markup_mode=None,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )


def example(*lines: str) -> str:
    """Return the end of a command's help; the mark keeps its lines from being joined."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])
