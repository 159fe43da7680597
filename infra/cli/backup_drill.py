"""`resurgam backup drill`: whether a backup can be recovered."""

import tempfile
from pathlib import Path

from infra.cli import output, progress, report, repository, settings, wish
from infra.cli.options import At, Json, example, group
from infra.cli.repository import AcceptDamage, Deployment, Expect, Identity, Location, NamedVerifier, TrustFirstUse
from infra.control_plane import recovery, recovery_report
from infra.control_plane.clock import host_clock
from infra.database.url import open_database

app = group("Drill backups.")


@app.command(epilog=example("resurgam backup drill --identity identity.txt"))
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
) -> None:
    """Recover a backup into a scratch store, compare it with what was backed up, and throw it away.

    Needs nothing but the repository and an identity; run it on a machine that is not the deployment's.
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
    with tempfile.TemporaryDirectory(prefix="resurgam-drill-") as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'scratch.db'}", create=True)
        try:
            with progress.shown(as_json=as_json) as heard:
                drilled = recovery.drill(database, opened, identities, wished, host_clock(), heard)
        finally:
            database.close()
    answer = recovery_report.describe(drilled, host_clock())
    if as_json:
        output.write_json(answer)
    else:
        report.write(answer)
