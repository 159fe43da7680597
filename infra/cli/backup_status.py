"""`resurgam backup status`: how far the backups of a deployment reach, for people and for monitoring."""

from contextlib import ExitStack, suppress
from typing import Annotated, NamedTuple

import typer

from domain.errors import Corrupt, NotFound, Refused, ResurgamError, Usage
from infra.backup import choice, ending, holes, status
from infra.backup.age import AgeIdentity
from infra.backup.repository import Repository, Stored
from infra.backup.status import Status
from infra.cli import backup_metrics, backup_status_text, duration, identity_file, output, repository, settings, storage
from infra.cli.options import Json, Store, example, group
from infra.cli.repository import Deployment, Identity, Location
from infra.cli.settings import Settings
from infra.control_plane.clock import host_clock
from infra.database.session import Database
from infra.log import head

app = group("Show the status of backups.")


@app.command(
    "status",
    epilog=example("resurgam backup status --max-age 13h", "resurgam backup status --max-age 13h --prometheus"),
)
def show_status(
    max_age: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="End with 3 if the newest verified backup is older.", show_default=False),
    ] = None,
    prometheus: Annotated[bool, typer.Option("--prometheus", help="Write Prometheus's text format.")] = False,
    as_json: Json = False,
    location: Location = None,
    of: Deployment = None,
    identity: Identity = None,
    store: Store = None,
) -> None:
    """Show how far the backups reach, and how old the newest verified one is.

    It reads the store and the repository, and goes on without the one that cannot be reached: the repository alone
    tells the ages, the store alone what runs out. Needs no root key. Ends with 3 if the newest verified backup is older
    than --max-age, with 6 if the newest backup is damaged, and with 8 if the repository cannot be reached. What
    runs out is shown 90 days ahead, and changes no exit code.
    """
    max_age_s = duration.parse(max_age, "--max-age") if max_age else None
    if prometheus and as_json:
        raise Usage("--prometheus and --json are two forms of the same: choose one")
    identities = identity_file.read(identity) if identity else ()
    found = Status(host_clock(), max_age_s)
    with ExitStack() as stack:
        _find(found, settings.load(store=store, repository=location), of, identities, stack)
    if prometheus:
        output.write_bytes(backup_metrics.text(backup_status_text.samples(found)).encode())
    elif as_json:
        output.write_json(backup_status_text.described(found))
    else:
        backup_status_text.write(found)
    for error in found.errors:
        raise error
    if not found.is_fresh():
        age = found.verified_age_s()
        is_what = "there is none" if age is None else f"it is {duration.shown(age)} old"
        raise Refused(
            f"no backup was verified in the last {duration.shown(max_age_s or 0)}: {is_what}", rule="backup-is-fresh"
        )


def _find(
    found: Status, chosen: Settings, of: str | None, identities: tuple[AgeIdentity, ...], stack: ExitStack
) -> None:
    found.location = repository.location(chosen)
    with suppress(ResurgamError):  # of settings that are wrong, which opening the place says too
        found.place = ending.of_place(found.location, found.now)
    known = _open_store(found, chosen, stack)
    if known is not None and of not in (None, known.deployment):
        found.missing["store"] = f"the store is that of deployment {known.deployment}"
        known = None
    opened: Repository | None = None
    try:
        opened = repository.opened(chosen)
        found.deployment = of or (known.deployment if known is not None else _only(opened))
        found.repository = status.in_repository(opened, found.deployment, found.now, identities)
        if found.repository.newest is None:
            raise NotFound(f"{found.location} holds no backup of deployment {found.deployment}")
    except ResurgamError as error:
        found.missing["repository"] = str(error)
        found.errors.append(error)
        found.repository = None
    if opened is not None and found.repository is not None and found.repository.newest is not None:
        try:
            holes.check(opened, found.repository.newest.manifest)
        except Corrupt as error:
            found.errors.append(error)
    if known is None:
        return
    found.deployment = known.deployment
    with known.database.read() as session:
        found.store = status.in_store(session, found.now, known.last, opened.id if opened else None)
        newest = found.repository.newest if found.repository else found.store.remembered
        found.backlog = status.backlog(session, found.now, newest.manifest.last if newest else 0)
    if found.repository is not None:
        try:
            status.check_goes_forward(found.repository, found.store, found.location)
        except (Refused, Corrupt) as error:
            found.errors.append(error)


class _Known(NamedTuple):
    """A store that is there, and what it knew before the repository was read."""

    database: Database
    deployment: str
    last: list[Stored]


def _open_store(found: Status, chosen: Settings, stack: ExitStack) -> _Known | None:
    """Open the store if it is there; without it the repository still tells the most important."""
    try:
        database = stack.enter_context(storage.opened(chosen))
        with database.read() as session:
            return _Known(database, head.read_open(session).deployment, status.remembered(session))
    except Usage:
        raise
    except ResurgamError as error:
        found.missing["store"] = str(error)
        if isinstance(error, Corrupt):
            found.errors.append(error)
        return None


def _only(opened: Repository) -> str:
    """Return the only deployment of a repository; Refused, listing them, if there are several."""
    names = opened.deployments()
    if not names:
        raise NotFound(f"{opened.store.location} holds no backup")
    if len(names) > 1:
        listed = "\n".join(f"  --deployment {candidate.line()}" for candidate in choice.candidates(opened))
        raise Refused(
            f"{opened.store.location} holds {len(names)} deployments, and no store says which: name one:\n{listed}",
            rule="deployment-named",
        )
    return names[0]
