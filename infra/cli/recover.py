"""`resurgam recover`: from nothing but a repository and an identity to an open deployment."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import Corrupt, Usage
from infra.backup.age import AgeIdentity
from infra.backup.repository import Repository
from infra.cli import (
    deployment,
    output,
    progress,
    recover_only,
    report_file,
    repository,
    settings,
    state,
    storage,
    survivors_file,
    wish,
)
from infra.cli.options import At, Json, RootKeyFile, Store, example, group
from infra.cli.report_file import ReportFile
from infra.cli.repository import AcceptDamage, Deployment, Expect, Identity, NamedVerifier, TrustFirstUse
from infra.cli.settings import Settings
from infra.cli.survivors_file import Survivors
from infra.control_plane import finished_recovery, first_records, plane, recovery, recovery_report, verified_backup
from infra.control_plane.clock import host_clock
from infra.control_plane.recovery import Plan, Report, Wish
from infra.database.session import Database, Session
from infra.state.snapshot import Snapshot
from projections.survivors import Inventory

DONE = "this recovery is done already, by an earlier run of this command: nothing was changed, and this is its report"

app = group("Recover a deployment.")


@app.command(
    epilog=example(
        "resurgam recover file:///srv/backups --identity identity.txt --plan",
        "resurgam recover file:///srv/backups --identity identity.txt --store sqlite:///recovered.db",
        "resurgam recover file:///srv/backups --identity identity.txt --inputs other-place.yaml --plan",
        "resurgam recover file:///srv/backups --identity identity.txt --only vaults --at 2026-11-03T14:00Z --plan",
        "resurgam recover file:///srv/backups --identity identity.txt --survivors outside.jsonl --report report.html",
    )
)
def recover(
    location: Annotated[
        str, typer.Argument(metavar="REPOSITORY", help=f"Where the backups live: {repository.LOCATIONS}.")
    ],
    identity: Identity = None,
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what would be recovered, and change nothing.")] = False,
    of: Deployment = None,
    at: At = None,
    verifier: NamedVerifier = None,
    trust_first_use: TrustFirstUse = False,
    expect: Expect = None,
    accept_damage: AcceptDamage = False,
    inputs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The deployment inputs of other hardware or another place, in YAML.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="SERVICE", help="Bring one service, or all, back into a running deployment."),
    ] = None,
    is_confirmed: Annotated[bool, typer.Option("--yes", help="With --only: restore without asking.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="With --only: why, for the history.")] = "",
    survivors: Survivors = None,
    report_path: ReportFile = None,
    as_json: Json = False,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Recover a deployment from nothing but a repository and an identity.

    It is rebuilt in an empty store, compared with what was backed up, and opened under a new identity. A refusal or a
    crash leaves the store empty: run the same command again. The new root key is written to --root-key-file (0600):
    keep a copy of it.

    With --only, a service of the deployment that runs in the store (identity, federation, certificates, subscriptions,
    vaults, roles, providers, or all) becomes again what it was in the backup: what differs is shown, and recorded as
    new events once it is confirmed. Nothing else changes, and no history is rewritten.
    """
    chosen = settings.load(store=store, root_key_file=root_key_file, repository=location)
    wished = wish.parse(
        deployment=of,
        at=at,
        verifier=verifier,
        trust_first_use=trust_first_use,
        expect=expect,
        accept_damage=accept_damage,
        inputs=inputs,
    )
    if only is not None:
        if any(one is not None for one in (inputs, survivors, report_path)):
            raise Usage(
                "--inputs, --survivors and --report belong to the recovery of a whole deployment: not to --only"
            )
        recover_only.restore(
            chosen,
            only,
            wished,
            identity,
            only_plan=only_plan,
            is_confirmed=is_confirmed,
            reason=reason,
            as_json=as_json,
        )
        return
    if is_confirmed or reason:
        raise Usage("--yes and --reason belong to --only SERVICE")
    inventory = None if survivors is None else survivors_file.read(survivors)
    report_file.check(report_path)
    if only_plan and report_path is not None:
        raise Usage("--report belongs to a recovery, and --plan makes none: leave one of them away")
    if chosen.root_key is not None:
        raise Usage("RESURGAM_ROOT_KEY is set, but a recovery makes a new root key in a file: unset it")
    identities = repository.identities(identity)
    opened = repository.opened(chosen)
    asks = sys.stdin.isatty() and wished.verifier is None and not trust_first_use
    planned = recovery.plan(opened, identities, replace(wished, trust_first_use=True) if asks else wished, host_clock())
    if only_plan:
        answer = _planned(planned, opened, identities, wished, inventory, as_json=as_json)
        output.write_json(answer) if as_json else output.write_fields(state.fields(answer))
        return
    if asks and planned.trust.reason == "FirstUse":
        _ask(planned)
        # Named, so that it is this signer that is believed, and no other that turns up meanwhile.
        wished = replace(wished, verifier=planned.trust.verifier)
    with storage.opened(chosen, create=True) as database:
        done = finished_recovery.find(database, chosen.root_key_file, planned, wished)
        if done is not None:
            output.note(DONE)
        answer = done or _recovered(database, chosen, opened, identities, wished, as_json=as_json)
        answer["rootKeyFile"] = str(chosen.root_key_file)
        answer |= _held_against(inventory, database)
    report_file.tell(answer, report_path, as_json=as_json)


def _planned(
    planned: Plan,
    opened: Repository,
    identities: Sequence[AgeIdentity],
    wished: Wish,
    inventory: Inventory | None,
    *,
    as_json: bool,
) -> dict[str, Any]:
    """Return the plan; what it says of the recovered state, a drill tells."""
    answer = recovery_report.describe_plan(planned)
    if wished.inputs is None and inventory is None:
        return answer
    named = replace(wished, verifier=planned.trust.verifier)
    with verified_backup.scratch() as database, progress.shown(as_json=as_json) as heard:
        recovery.drill(database, opened, identities, named, host_clock(), heard)
        with plane.read(database) as reading:
            if wished.inputs is not None:
                answer["inputsChanged"] = first_records.planned_inputs(reading.state, wished.inputs)
        return answer | _held_against(inventory, database)


def _held_against(inventory: Inventory | None, database: Database) -> dict[str, Any]:
    if inventory is None:
        return {}
    with plane.read(database) as reading:
        return {"survivors": recovery_report.describe_survivors(reading.state, inventory)}


def _recovered(
    database: Database,
    chosen: Settings,
    opened: Repository,
    identities: Sequence[AgeIdentity],
    wished: Wish,
    *,
    as_json: bool,
) -> dict[str, Any]:
    """Recover, and return the report, which the store keeps as well."""
    if chosen.root_key_file.exists():
        output.note(
            f"{chosen.root_key_file} is there already and becomes the new root key: for a fresh one name a new file"
        )
    answer: dict[str, Any] = {}

    def keep(session: Session, report: Report) -> None:
        state = Snapshot(session, report.head.position)
        answer.update(recovery_report.describe_opened(report, state, host_clock(), repository.location(chosen)))
        finished_recovery.put(session, report.plan, wished, report.head.position, answer)

    actor = deployment.local_actor(chosen)
    with progress.shown(as_json=as_json) as heard:
        recovery.recover(database, chosen.root_key_file, opened, identities, wished, actor, host_clock, heard, keep)
    return answer


def _ask(planned: Plan) -> None:
    """Let whoever sits at the terminal decide whether to believe a signer."""
    output.note(
        f"nothing proves the signer {planned.trust.verifier.fingerprint} of this backup: compare it with your records"
    )
    if not typer.confirm("Is it the right one?", err=True):
        raise Corrupt("the signer was not believed: nothing was recovered")
