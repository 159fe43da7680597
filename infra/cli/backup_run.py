"""`resurgam backup run`: makes a backup."""

from typing import Annotated

import typer

from infra.backup import memory, run
from infra.backup.repository import Repository
from infra.backup.run import Outcome
from infra.cli import manifest, output, progress, repository, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.repository import Location, NewRepository
from infra.control_plane.clock import host_clock
from infra.database.session import Database
from infra.keys.root_key import RootKey
from projections.progress import Progress

app = group("Make a backup.")


@app.command("run", epilog=example("resurgam backup run --repository file:///srv/backups"))
def run_backup(
    as_json: Json = False,
    location: Location = None,
    store: Store = None,
    root_key_file: RootKeyFile = None,
    is_new: NewRepository = False,
    is_verified: Annotated[
        bool, typer.Option("--verified", help="Then replay the whole backup from the repository, compare, and attest.")
    ] = False,
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
            if is_verified:
                outcome, attested = _verified(database, root_key, target, heard)
            else:
                outcome, attested = run.run(database, root_key, target, host_clock, heard), {}
    answer = {
        "status": "written" if outcome.is_new else "unchanged",
        **manifest.described(outcome.manifest),
        "newRecords": outcome.records,
        "newKeys": outcome.keys,
        "writtenBytes": outcome.size_bytes,
        "manifestSha256": outcome.sha256,
        **attested,
    }
    if as_json:
        output.write_json(answer)
    else:
        output.write_fields(answer.items())


def _verified(
    database: Database, root_key: RootKey, target: Repository, heard: Progress
) -> tuple[Outcome, dict[str, object]]:
    # Loaded only here: it brings the fold of every event, which a run without it does not need.
    from infra.control_plane import verified_backup

    made = verified_backup.make(database, root_key, target, host_clock, heard)
    comparisons = {measure.name: measure.result for measure in made.report.measures}
    return made.outcome, {"comparisons": comparisons, "liveKeys": made.report.keys, "attestation": made.attestation}
