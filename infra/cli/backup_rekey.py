"""`resurgam backup rekey`: seals everything again to the present recipients."""

from infra.backup import memory, reach, rekeying
from infra.backup.reach import Reaches
from infra.cli import manifest, output, progress, recipients, repository, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.repository import Location
from infra.control_plane.clock import host_clock
from infra.log import head

app = group("Seal backups again.")


@app.command(epilog=example("resurgam backup rekey --repository file:///srv/backups"))
def rekey(
    as_json: Json = False,
    location: Location = None,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Seal everything that the newest backup holds again, to the present recipients and to nobody else.

    Run it after recipients were added or retired. It writes the log's own records and keys anew, as new backups, so it
    needs no identity. Earlier backups stay, sealed as they were, until they are pruned: the answer says what retired
    recipients can still open. Killed, or run again, it goes on where it was; with nothing to do it writes nothing.
    """
    chosen = settings.load(store=store, root_key_file=root_key_file, repository=location)
    with storage.unlocked(chosen) as (database, root_key):
        with database.read() as session:
            has_backups = memory.has_backups(session)
        target = repository.opened_for_backup(chosen, has_backups=has_backups, is_new=False)
        with progress.shown(as_json=as_json) as heard:
            done = rekeying.rekey(database, root_key, target, host_clock, heard)
        newest, reaches = done.last.manifest, Reaches(target)
        for _ in reaches.passing(stored.manifest for stored in target.chain(newest.deployment)):
            pass
        with database.read() as session:
            names = reach.named(session, head.read_open(session).position)
    answer = {
        "status": "rekeyed" if done.manifests else "unchanged",
        **manifest.described(newest),
        "newBackups": done.manifests,
        "writtenBytes": done.size_bytes,
    }
    found = recipients.described(reaches, names)
    if as_json:
        output.write_json({**answer, "recipients": found})
        return
    output.write_fields(answer.items())
    recipients.write(found)
    for line in recipients.advice(found, reaches.not_known):
        output.write_text(line)
