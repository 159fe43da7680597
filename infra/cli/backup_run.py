"""`resurgam backup run`: makes a backup."""

from typing import Annotated

import typer

from infra.backup import memory, run
from infra.cli import manifest, output, progress, repository, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.repository import Location
from infra.control_plane.clock import host_clock

app = group("Make a backup.")


@app.command("run", epilog=example("resurgam backup run --repository file:///srv/backups"))
def run_backup(
    as_json: Json = False,
    location: Location = None,
    store: Store = None,
    root_key_file: RootKeyFile = None,
    is_new: Annotated[bool, typer.Option("--new-repository", help="Begin a repository where there is none.")] = False,
) -> None:
    """Back up whatever is new, read it back, and state it in a signed manifest.

    It refuses (3, 6) if the log and its backups no longer agree. Killed at any moment, the next run goes on.
    """
    chosen = settings.load(store=store, root_key_file=root_key_file, repository=location)
    with storage.unlocked(chosen) as (database, root_key):
        with database.read() as session:
            has_backups = memory.has_backups(session)
        target = repository.opened_for_backup(chosen, has_backups=has_backups, is_new=is_new)
        with progress.shown(as_json=as_json) as heard:
            outcome = run.run(database, root_key, target, host_clock, heard)
    answer = {
        "status": "written" if outcome.is_new else "unchanged",
        **manifest.described(outcome.manifest),
        "newRecords": outcome.records,
        "newKeys": outcome.keys,
        "writtenBytes": outcome.size_bytes,
        "manifestSha256": outcome.sha256,
    }
    if as_json:
        output.write_json(answer)
    else:
        output.write_fields(answer.items())
