"""`resurgam backup shred-report`: until when a copy of a destroyed key can exist, and where."""

from typing import Any

from infra.backup import shred_report
from infra.backup.shred_report import InDatabase, ShredReport
from infra.cli import backup_prune, output, progress, repository, settings, storage
from infra.cli.options import Json, Store, example, group
from infra.cli.repository import Location
from infra.control_plane.clock import host_clock

SHOWN = 20
"""With so many lines it is still read; JSON has all."""

app = group("Report on destroyed keys.")


@app.command("shred-report", epilog=example("resurgam backup shred-report --repository file:///srv/backups"))
def report(as_json: Json = False, location: Location = None, store: Store = None) -> None:
    """Show where copies of destroyed keys can still be, and until when.

    Purging a secret, or replacing a password, destroys its key in the store at once; copies may be in the repository
    and in the database. Needs no root key and no identity.
    """
    chosen = settings.load(store=store, repository=location)
    target = repository.opened(chosen)
    graces = backup_prune.graces(chosen)
    with storage.opened(chosen) as database, progress.shown(as_json=as_json) as heard:
        found = shred_report.make(database, target, *graces, host_clock(), heard)
    if as_json:
        output.write_json(_described(found))
        return
    output.write_text(_line(found))
    output.write_fields(
        [
            ("deployment", found.deployment),
            ("destroyed keys", found.destroyed),
            ("in the repository", _in_repository(found)),
            ("in the database", _in_database(found.database)),
            ("object lock", _lock(found.retention)),
        ]
    )
    if found.files:
        rows = [(file.name, _why(file.why), file.keys, file.until) for file in found.files[:SHOWN]]
        output.write_table(("keyring file", "why it is there", "destroyed keys", "until a prune after"), rows)
    if found.keys:
        keys = [(key.resource, key.destroyed_at, key.files, key.until) for key in found.keys[-SHOWN:]]
        output.write_table(("destroyed", "at", "files", "until a prune after"), keys)
    if max(len(found.files), len(found.keys)) > SHOWN:
        output.note(f"the first {SHOWN} files and the {SHOWN} newest keys are shown; --json has all")


def _described(found: ShredReport) -> dict[str, Any]:
    answer: dict[str, Any] = output.plain(found)
    return {
        "nothingLeft": found.is_nothing_left,
        "until": found.until,
        "recoverableKeys": len(found.keys),
        **answer,
    }


def _line(found: ShredReport) -> str:
    if found.is_nothing_left:
        return "nothing left: the repository holds no destroyed key, and the root key that wrapped them is gone"
    if found.is_repository_clean:
        return "nothing left in the repository; copies of the database hold wrapped keys until the root key is rotated"
    if found.until is None:
        return "copies of destroyed keys are in the repository, some without an end: see below why"
    return f"copies of destroyed keys can be in the repository until a prune after {found.until}"


def _in_repository(found: ShredReport) -> str:
    if found.is_repository_clean:
        return "nothing"
    return f"{len(found.keys)} destroyed keys in {len(found.files)} keyring files, sealed to the recipients"


def _in_database(database: InDatabase) -> str:
    if not database.keys:
        return "nothing that an older root key does not wrap: destroy copies of older root keys too"
    own = (
        "its own files were overwritten, but copies of them (snapshots, backups of the file)"
        if database.overwrites
        else "dead rows, write-ahead logs, replicas and dumps"
    )
    return f"{own} can hold {database.keys} destroyed keys, wrapped, until `resurgam key rotate-root`"


def _lock(retention: bool | None) -> str:
    if retention is None:
        return "not known from here: if there is one, files stay until it ends"
    return "files stay until it ends, if that is later" if retention else "none"


def _why(why: str) -> str:
    return {
        "newest": "part of the newest backup: make one, which begins a new keyring",
        "superseded": "replaced by a newer one",
        "unnamed": "no backup names it: a prune marks it, and the next one a day later deletes it",
        "ancestor": "left by the deployment that this one came from: no prune touches it, remove its folder by hand",
    }[why]
