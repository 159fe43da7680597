"""`resurgam key rotate-root`: wraps everything by a new root key, and destroys the old one."""

from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import Usage
from infra.cli import output, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.settings import Settings
from infra.control_plane import root_key_rotation
from infra.database.session import Database
from infra.keys.root_key import FileRootKey, RootKey
from infra.keys.root_key_change import RootKeyChange
from infra.log import wrapping

app = group("Change the root key.")


@app.command("rotate-root", epilog=example("resurgam key rotate-root"))
def rotate_root(
    target: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Where the new root key goes if the old one is given as RESURGAM_ROOT_KEY.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Wrap everything by a new root key, and destroy the old one.

    What old copies of the store hold of destroyed keys (dead rows, write-ahead logs, replicas) is worth nothing from
    then on, unless somebody kept the old root key. Do it every month. Interrupted anywhere, run it again.
    """
    chosen = settings.load(store=store, root_key_file=root_key_file)
    if (chosen.root_key is None) != (target is None):
        raise Usage(
            "the root key is in a file, which is replaced: leave --output out"
            if chosen.root_key is None
            else "the root key is in RESURGAM_ROOT_KEY: say with --output FILE where the new one goes"
        )
    with storage.opened(chosen) as database:
        old = storage.unlock(chosen, database)
        answer = _into_file(database, old, target) if target is not None else in_place(database, old, chosen)
    if as_json:
        output.write_json(answer)
    else:
        output.write_fields(answer.items())
    _write_next(answer)


def in_place(database: Database, old: RootKey, chosen: Settings) -> dict[str, Any]:
    """Rotate the root key in its file, or finish what was interrupted; return what was done."""
    change = RootKeyChange(chosen.root_key_file)
    pending = change.pending()
    if pending is not None and pending.id == old.id:
        is_destroyed = change.finish()
        with database.read() as session:
            used = wrapping.read(session)
        since = used.since if used is not None else ""
        return _answer("finished", old, None, chosen.root_key_file, None, since, is_destroyed=is_destroyed)
    new = change.prepare()
    rotated = root_key_rotation.rotate(database, old, new)
    is_destroyed = change.finish()
    return _answer("rotated", new, old, chosen.root_key_file, rotated.keys, rotated.since, is_destroyed=is_destroyed)


def _into_file(database: Database, old: RootKey, target: Path) -> dict[str, Any]:
    new = FileRootKey.create(target)
    rotated = root_key_rotation.rotate(database, old, new)
    return _answer("rotated", new, old, target, rotated.keys, rotated.since, is_destroyed=False)


def _answer(
    status: str, new: RootKey, old: RootKey | None, path: Path, keys: int | None, since: str, *, is_destroyed: bool
) -> dict[str, Any]:
    return {
        "status": status,
        "rootKey": new.id,
        "rootKeyFile": str(path),
        "since": since,
        "keys": keys,
        "oldRootKey": old.id if old else None,
        "oldDestroyed": is_destroyed,
    }


def _write_next(answer: dict[str, Any]) -> None:
    output.note(
        f"copy the new root key {answer['rootKey']} to where root keys are kept, and destroy copies of older ones"
    )
    if answer["oldDestroyed"]:
        output.note(
            "the old file was overwritten and removed; snapshots and the spare blocks of a disk may still hold it"
        )
    else:
        output.note(
            f"set RESURGAM_ROOT_KEY to the line in {answer['rootKeyFile']}, wherever it is set, and remove that file"
        )
    output.note("start again whatever runs on this store with the old root key: it is refused (7) until then")
