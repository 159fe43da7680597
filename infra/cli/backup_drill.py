"""`resurgam backup drill`: whether a backup can be recovered."""

from typing import Annotated

import typer

from infra.cli import output, progress, report_file, repository, settings, survivors_file, wish
from infra.cli.options import At, Json, example, group
from infra.cli.report_file import ReportFile
from infra.cli.repository import AcceptDamage, Deployment, Expect, Identity, Location, NamedVerifier, TrustFirstUse
from infra.cli.survivors_file import Survivors
from infra.control_plane import plane, recovery, recovery_report, verified_backup
from infra.control_plane.clock import host_clock

app = group("Drill backups.")


@app.command(
    epilog=example(
        "resurgam backup drill --identity identity.txt",
        "resurgam backup drill --identity identity.txt --report drill.html",
    )
)
def drill(
    identity: Identity = None,
    as_json: Json = False,
    location: Location = None,
    of: Deployment = None,
    at: At = None,
    verifier: NamedVerifier = None,
    trust_first_use: TrustFirstUse = False,
    expect: Expect = None,
    accept_damage: AcceptDamage = False,
    survivors: Survivors = None,
    report_path: ReportFile = None,
    is_silent: Annotated[bool, typer.Option("--no-attest", help="Write nothing into the repository.")] = False,
) -> None:
    """Recover a backup into a scratch store, compare it with what was backed up, and throw it away.

    Needs nothing but the repository and an identity; run it on a machine that is not the deployment's. A whole backup
    that proved good is attested in the repository: whoever holds the identity can tell that this drill took place.
    """
    opened = repository.opened(settings.load(repository=location))
    wished = wish.parse(
        deployment=of,
        at=at,
        verifier=verifier,
        trust_first_use=trust_first_use,
        expect=expect,
        accept_damage=accept_damage,
    )
    identities = repository.identities(identity)
    inventory = None if survivors is None else survivors_file.read(survivors)
    report_file.check(report_path)
    began = host_clock()
    with verified_backup.scratch() as database, progress.shown(as_json=as_json) as heard:
        drilled = recovery.drill(database, opened, identities, wished, began, heard)
        answer = recovery_report.describe(drilled, host_clock())
        with plane.read(database) as reading:
            answer |= recovery_report.describe_needs(reading.state, host_clock())
            if inventory is not None:
                answer["survivors"] = recovery_report.describe_survivors(reading.state, inventory)
    if not is_silent:
        attested = verified_backup.attest_drill(opened, drilled, identities, began)
        answer |= {"attestation": attested.name or None, "notAttested": attested.reason}
        if attested.reason:
            output.note(f"the drill is good, and not attested: {attested.reason}")
    report_file.tell(answer, report_path, as_json=as_json)
