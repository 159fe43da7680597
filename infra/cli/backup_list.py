"""`resurgam backup list`: which backups there are."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from infra.backup import choice, freshness, layout
from infra.backup.age import AgeIdentity
from infra.backup.attestation import Judged
from infra.backup.choice import Candidate
from infra.backup.freshness import age_s
from infra.backup.reach import Reaches
from infra.backup.repository import Repository
from infra.cli import duration, identity_file, manifest, output, recipients, repository, settings, verified
from infra.cli.options import Json, example, group
from infra.cli.repository import Deployment, Identity, Location
from infra.control_plane.clock import host_clock

SHOWN = 20
"""A watch makes thousands of backups a day, and the first line is what counts."""

app = group("List backups.")


@app.command("list", epilog=example("resurgam backup list --repository file:///srv/backups"))
def list_backups(
    as_json: Json = False,
    location: Location = None,
    of: Deployment = None,
    identity: Identity = None,
    shows_all: Annotated[bool, typer.Option("--all", help="Show more than the newest ones.")] = False,
) -> None:
    """List the backups of each deployment, newest last; this needs no identity and no store.

    The first line says how old the newest verified one is. What the holder of an identity verified counts only with
    that identity, without which nobody can tell who said so.
    """
    opened = repository.opened(settings.load(repository=location))
    identities = identity_file.read(identity) if identity else ()
    now = host_clock()
    listed = [
        _listed(opened, candidate, now, identities)
        for candidate in choice.candidates(opened)
        if of is None or candidate.deployment == of
    ]
    if as_json:
        shown = [{name: value for name, value in one.items() if name != "line"} for one in listed]
        output.write_json({"repository": opened.id, "location": opened.store.location, "deployments": shown})
        return
    for found in listed:
        _write_list(found, now, shows_all=shows_all)


def _listed(opened: Repository, candidate: Candidate, now: str, identities: tuple[AgeIdentity, ...]) -> dict[str, Any]:
    deployment = candidate.deployment
    if candidate.newest is None:
        return {"deployment": deployment, "damage": candidate.damage, "backups": []}
    judged = list(freshness.judged(opened, deployment, identities))
    by = _verified_by(judged)
    reaches = Reaches(opened)
    rows = [
        {**manifest.described(of), "verifiedBy": by[of.sequence]}
        for of in reaches.passing(stored.manifest for stored in opened.chain(deployment))
    ]
    found = freshness.freshness(opened, deployment, now, identities)
    return {
        "deployment": deployment,
        "damage": "",
        "verified": verified.described(found, now),
        "line": verified.line(found, now),
        "withoutWorth": verified.without_worth([one for one in judged if one.standing != "valid"]),
        "recipients": recipients.described(reaches),
        "recipientsNotKnown": reaches.not_known,
        "backups": rows,
    }


def _verified_by(judged: list[Judged]) -> Mapping[int, list[str]]:
    """Return who verified each manifest, each once."""
    by: dict[int, list[str]] = defaultdict(list)
    for one in judged:
        if one.attestation is not None and one.standing == "valid" and one.attestation.by() not in by[_sequence(one)]:
            by[_sequence(one)].append(one.attestation.by())
    return by


def _sequence(one: Judged) -> int:
    return layout.attested_sequence(one.name) or 0


def _write_list(found: dict[str, Any], now: str, *, shows_all: bool) -> None:
    if found["damage"]:
        output.write_text(f"deployment {found['deployment']} is damaged: {found['damage']}")
        return
    newest = found["backups"][-1]
    age = age_s(newest["createdAt"], now)
    shown = f"{duration.shown(age)} old" if age is not None else f"of {newest['createdAt']}, which lies in the future"
    ancestor = f", {newest['ancestry']}" if newest["ancestor"] else ""
    output.write_text(f"deployment {found['deployment']}{ancestor}: {found['line']}")
    output.write_text(f"newest backup {shown}, up to position {newest['last']}, {newest['encryption']}")
    columns = ("sequence", "createdAt", "last", "verifiedBy", "segments", "sizeBytes", "release", "signer")
    backups = found["backups"] if shows_all else _newest(found["backups"])
    rows = [{**row, "verifiedBy": ", ".join(row["verifiedBy"])} for row in backups]
    output.write_table(columns, [[row[column] for column in columns] for row in rows])
    if len(rows) < len(found["backups"]):
        output.write_text(f"{len(found['backups']) - len(rows)} more backups: --all shows them")
    for line in recipients.advice(found["recipients"], found["recipientsNotKnown"]):
        output.write_text(line)
    for one in found["withoutWorth"]:
        output.write_text(f"{one['standing']}: {one['name']}: {one['reason']}")


def _newest(backups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the newest backups and the newest verified ones, in their order."""
    older, newest = backups[:-SHOWN], backups[-SHOWN:]
    return [*[row for row in older if row["verifiedBy"]][-SHOWN:], *newest]
