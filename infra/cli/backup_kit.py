"""`resurgam backup kit`: what a bare machine needs to recover, to be printed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import Unavailable, Usage
from infra.backup import kit
from infra.backup.kit import Kit
from infra.cli import kit_page, output, repository, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.repository import Location
from infra.control_plane.clock import host_clock

PAGES: Mapping[str, Callable[[Kit], str]] = {".html": kit_page.html, ".txt": kit_page.text}

app = group("Print a kit.")


@app.command(
    "kit",
    epilog=example("resurgam backup kit --output kit.html", "resurgam backup kit --repository s3://backups/region-1"),
)
def print_kit(
    target: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write FILE.html or FILE.txt instead.", show_default=False),
    ] = None,
    as_json: Json = False,
    location: Location = None,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Print what a bare machine needs to recover: places, fingerprints, steps, no secrets.

    It says where the backups are, which identities open them, who signs them and how far they went at least, with the
    exact commands. Print it, and keep it with the identity. A file that is there is replaced.
    """
    if target is not None and target.suffix not in PAGES:
        raise Usage(f"--output {target}: a kit is a file that ends with {' or '.join(PAGES)}")
    chosen = settings.load(store=store, root_key_file=root_key_file, repository=location)
    with storage.unlocked(chosen) as (database, root_key):
        made = kit.make(database, root_key, repository.opened(chosen), host_clock())
    if target is not None:
        _write(target, PAGES[target.suffix](made).encode())
    if as_json:
        steps = [{"text": step.text, "commands": list(step.commands)} for step in made.steps()]
        output.write_json({**output.plain(made), "steps": steps})
    elif target is None:
        output.write_text(kit_page.text(made).removesuffix("\n"))


def _write(target: Path, data: bytes) -> None:
    """Replace a file as a whole."""
    beside = target.with_name(f".{target.name}.new")
    try:
        beside.write_bytes(data)
        beside.replace(target)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror}") from error
