"""`resurgam key check`: whether a held identity still opens the newest backup."""

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import Refused, Usage
from infra.backup import choice, endorsement, key_check
from infra.backup.audience import encryption_of
from infra.backup.freshness import age_s
from infra.backup.key_check import KeyCheck
from infra.cli import duration, file, identity_file, output, progress, repository, settings
from infra.cli.options import Json, example, group
from infra.cli.repository import Deployment, Location
from infra.control_plane.clock import host_clock

TRUST = {"Endorsed": "endorsed"}

app = group("Check identities.")


@app.command(
    epilog=example(
        "resurgam key check --identity identity.txt --repository file:///srv/backups",
        "resurgam key check --save newest.keycheck                            # where the backups are",
        "resurgam key check --identity identity.txt --from newest.keycheck    # offline, where the identity is",
    )
)
def check(
    identity: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The identity that is to open the backup.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Check what --save wrote.", show_default=False)
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--save", metavar="FILE", help="Write a new file for a check elsewhere.", show_default=False),
    ] = None,
    max_age: Annotated[
        str | None, typer.Option(metavar="AGE", help="End with 3 if the backup is older.", show_default=False)
    ] = None,
    as_json: Json = False,
    location: Location = None,
    of: Deployment = None,
) -> None:
    """Prove that an identity still opens the newest backup, also without the network.

    It reads the headers of the backup's objects: they alone say who opens them. With --from it needs nothing but the
    identity and the file that --save wrote; that holds no secret. Ends with 7 if the identity does not open each
    object, and with 6 if a header or the manifest is damaged. That all content is whole, `backup drill` shows.
    """
    if (source is not None and target is not None) or (identity is None and (source is not None or target is None)):
        raise Usage("give --identity FILE, --save FILE, or both; or --identity FILE and --from FILE")
    max_age_s = duration.parse(max_age, "--max-age") if max_age else None
    identities = identity_file.read(identity) if identity else ()
    found = _read(source) if source else _gathered(location, of, as_json=as_json)
    stated = found.stored.manifest
    age = age_s(stated.created_at, host_clock())
    answer: dict[str, object] = {
        "deployment": stated.deployment,
        "sequence": stated.sequence,
        "createdAt": stated.created_at,
        "ageSeconds": age,
        "last": stated.last,
        "encryption": encryption_of(stated),
        "recipients": [entry.fingerprint for entry in stated.recipients],
        "objects": len(stated.objects()),
    }
    if target is not None:
        file.create_private(target, found.to_bytes())
        answer["saved"] = str(target)
    if identity is not None:
        trust = endorsement.trust(stated, identities, None, first_use=True)
        opened = found.opened(identities)
        answer |= {
            "opened": opened,
            "signer": stated.signer().fingerprint,
            "signerTrust": TRUST.get(trust.reason, "unproven"),
        }
    output.write_json(answer) if as_json else output.write_fields(answer.items())
    if max_age_s is not None and (age is None or age > max_age_s):
        is_what = "of the future: a clock is wrong" if age is None else f"{duration.shown(age)} old"
        raise Refused(f"the backup is {is_what}: save a newer one, or see why there is none", rule="backup-is-fresh")


def _read(source: Path) -> KeyCheck:
    return key_check.parse(file.read(source, key_check.BYTES_MAX), str(source))


def _gathered(location: str | None, of: str | None, *, as_json: bool) -> KeyCheck:
    opened = repository.opened(settings.load(repository=location))
    with progress.shown(as_json=as_json) as heard:
        return key_check.gather(opened, choice.choose(opened, of), heard)
