"""`resurgam secret`: the one place where a sealed value appears."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import NotFound, Refused, Usage
from domain.secret import SECRET, vault_of
from domain.secret_version import SECRET_PURPOSE, SecretVersion, need_readable, secret_of, secret_version_id
from infra.cli import deployment, file, output, settings
from infra.cli.options import As, Json, RootKeyFile, Store, example, group
from infra.control_plane.plane import ControlPlane, Reading
from infra.log import access_log
from infra.log.record import Actor
from projections.vault_access import vault_check

app = group("Read sealed values.")


@app.callback()
def secret() -> None:
    """Read sealed values."""


@app.command(
    epilog=example("resurgam secret read /subscriptions/…/secrets/database --reason 'ticket 17' --output password.txt")
)
def read(
    resource: Annotated[str, typer.Argument(metavar="ID", help="A secret, or a version of one.", show_default=False)],
    version: Annotated[
        str | None, typer.Option(metavar="V", help="A version's 32 digits; else the current one.")
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write to a new file of mode 0600, not to standard output."),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands in the access log.")] = "",
    principal: As = None,
    as_json: Json = False,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Show the value of a secret. Each reading is noted in the access log before the value is shown.

    With --as, the vault's access policies must give the principal the permission secrets/get.
    """
    chosen = settings.load(store=store, root_key_file=root_key_file)
    if target is not None and target.exists():
        raise Refused(f"{target} exists: it is never overwritten, name another file", rule="file-is-new")
    with deployment.opened(chosen) as plane:
        actor = deployment.acting(plane, chosen, principal)
        with plane.read() as reading:
            found = _readable(reading, resource, version, actor if principal is not None else None)
            value = plane.open_sealed(reading.session, found["value"], SECRET_PURPOSE, found["id"])
        _note_access(plane, found["id"], reason, actor)
    _show(found, value, target, as_json)


def _readable(reading: Reading, resource: str, version: str | None, enforced: Actor | None) -> SecretVersion:
    """Return the version whose value may be read by whoever asks."""
    world = reading.state
    if version is not None:
        if SECRET.get(world, resource) is None:
            raise NotFound(f"there is no secret {resource}")
        resource = secret_version_id(resource, version)
    if world.find(resource) is None:
        raise NotFound(f"there is no secret or version {resource}")
    found = need_readable(world, resource)
    if enforced is not None:
        decision = vault_check(world, enforced.principal or "", "secrets/get", vault_of(secret_of(found["id"])))
        if not decision.allowed:
            raise Refused(f"{found['id']} may not be read: {decision.text}", rule="not-allowed", resource=found["id"])
    return found


def _note_access(plane: ControlPlane, resource: str, reason: str, actor: Actor) -> None:
    with plane.database.write() as session:
        access_log.append(session, resource, reason, actor)


def _show(found: SecretVersion, value: bytes, target: Path | None, as_json: bool) -> None:
    if target is not None:
        file.create_private(target, value)
        output.note(f"the value is in {target}, which only you can read")
    elif as_json:
        attributes = {name: member for name, member in found.items() if name != "value"}
        try:
            output.write_json({**attributes, "value": value.decode()})
        except UnicodeDecodeError:
            raise Usage("the value is not text: read it without --json") from None
    else:
        # Exactly the value in a pipe; on a terminal the prompt needs a line of its own.
        output.write_bytes(value + b"\n" if sys.stdout.isatty() else value)
