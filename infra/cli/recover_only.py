"""`resurgam recover --only`: one service, or all of them, back into a running deployment."""

import sys
from pathlib import Path
from typing import Any

import typer

from domain.errors import Conflict, Refused, Usage
from infra.cli import change_lines, deployment, output, progress, repository, state, storage
from infra.cli.settings import Settings
from infra.control_plane import recovery, restoration, restoration_report, verified_backup
from infra.control_plane.clock import host_clock
from infra.control_plane.job import Outcome
from infra.control_plane.recovery import Wish

REASON_CHARACTERS_MAX = 4096


def restore(
    chosen: Settings,
    service: str,
    wish: Wish,
    identity: Path | None,
    *,
    only_plan: bool,
    is_confirmed: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Show what would change in the running deployment, and record it once that is confirmed."""
    restoration.kinds_of(service)
    if len(reason) > REASON_CHARACTERS_MAX:
        raise Usage(f"a reason of {len(reason)} characters: {REASON_CHARACTERS_MAX} at most")
    identities = repository.identities(identity)
    opened = repository.opened(chosen)
    with storage.unlocked(chosen) as store, verified_backup.scratch() as scratch:
        with store.database.read() as session:
            wish = restoration.wish_for(session, store.root_key, opened, wish)
        planned = recovery.plan(opened, identities, wish, host_clock())
        with progress.shown(as_json=as_json) as heard:
            origin = restoration.replayed(scratch, opened, identities, wish, planned, heard)
        while True:
            proposal = restoration.propose(store.database, store.root_key, origin, service)
            answer = restoration_report.describe(proposal, state.changes)
            if only_plan or not proposal.vetted.accepted:
                _write(answer, None, as_json=as_json)
                return
            if not as_json:
                _show(answer)
            if not is_confirmed:
                _confirm(as_json=as_json)
            try:
                actor = deployment.local_actor(chosen)
                outcome = restoration.apply(store.database, store.root_key, proposal, actor, reason)
            except Conflict as error:
                if is_confirmed:
                    raise
                output.note(str(error))
                continue
            _write(answer, outcome, as_json=as_json)
            return


def _confirm(*, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise Refused(
            "nothing was restored: look at what would change with --plan, and say --yes", rule="restoration-confirmed"
        )
    if not typer.confirm("Restore this?", err=True):
        raise Refused("nothing was restored, as you said", rule="restoration-confirmed")


def _write(answer: dict[str, Any], outcome: Outcome | None, *, as_json: bool) -> None:
    if as_json:
        recorded = None if outcome is None else restoration_report.describe_outcome(outcome)
        output.write_json(answer | {"recorded": recorded})
    elif outcome is None:
        _show(answer)
    else:
        output.write_text(
            f"restored at positions {outcome.first} to {outcome.last}; each resource's history shows what it was before"
        )
        output.write_text("next:\n  resurgam backup run   # so that the backups have it too")


def _show(answer: dict[str, Any]) -> None:
    origin = answer["from"]
    output.write_text(
        f"{answer['service']} as of position {origin['position']}, {origin['recordedAt']}, from backup "
        f"{answer['plan']['manifest']} of {origin['deployment']}"
    )
    for one in answer["differences"]:
        output.write_text(f"{one['change']}  {one['kind']}  {one['id']}")
        change_lines.write(one["changes"])
    for one in answer["skipped"]:
        output.write_text(f"skipped  {one['kind']}  {one['id']}: {one['reason']}")
    for one in answer["leftOut"]:
        output.write_text(f"left out of {one['id']}: {one['reason']}")
    for resource in answer["credentialsBack"]:
        output.write_text(f"credentials that become valid again: {resource}")
    for one in answer["valuesBroughtBack"]:
        output.write_text(f"value destroyed at position {one['destroyedAt']} that comes back: {one['id']}")
    for resource in answer["valuesDestroyed"]:
        output.write_text(f"value of today that is destroyed, for ever: {resource}")
    output.write_text(restoration_report.summary(answer))
