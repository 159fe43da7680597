"""`resurgam backup list`: which backups there are."""

from typing import Any

from domain.instant import to_datetime
from infra.backup import choice
from infra.cli import manifest, output, repository, settings
from infra.cli.options import Json, example, group
from infra.cli.repository import Deployment, Location
from infra.control_plane.clock import host_clock

app = group("List backups.")


@app.command("list", epilog=example("resurgam backup list --repository file:///srv/backups"))
def list_backups(as_json: Json = False, location: Location = None, of: Deployment = None) -> None:
    """List the backups of each deployment, newest last; this needs no identity and no store."""
    opened = repository.opened(settings.load(repository=location))
    now = host_clock()
    listed = []
    for candidate in choice.candidates(opened):
        if of is None or candidate.deployment == of:
            rows = (
                [manifest.described(stored.manifest) for stored in opened.chain(candidate.deployment)]
                if candidate.newest
                else []
            )
            listed.append({"deployment": candidate.deployment, "damage": candidate.damage, "backups": rows})
    if as_json:
        output.write_json({"repository": opened.id, "location": opened.store.location, "deployments": listed})
        return
    for found in listed:
        _write_list(found, now)


def _write_list(found: dict[str, Any], now: str) -> None:
    rows = found["backups"]
    if found["damage"]:
        output.write_text(f"deployment {found['deployment']} is damaged: {found['damage']}")
        return
    newest = rows[-1]
    age = round((to_datetime(now) - to_datetime(newest["createdAt"])).total_seconds())
    ancestor = f", recovered from {newest['ancestor']}" if newest["ancestor"] else ""
    output.write_text(
        f"deployment {found['deployment']}{ancestor}: newest backup {age} s old, "
        f"up to position {newest['last']}, {newest['encryption']}"
    )
    columns = ("sequence", "createdAt", "last", "segments", "sizeBytes", "release", "signer")
    output.write_table(columns, [[row[column] for column in columns] for row in rows])
