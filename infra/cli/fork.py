"""`resurgam fork`: a log that no longer agrees with its own backups goes on as a deployment of its own."""

import sys
from shlex import quote
from typing import Annotated, Any

import typer

from domain.errors import Refused
from infra.cli import deployment, output, repository, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.repository import Location
from infra.control_plane import fork as forking
from infra.control_plane.fork import Forked, Plan
from infra.log.record import Actor

app = group("Fork a deployment.")


@app.command(epilog=example("resurgam fork", "resurgam fork --yes --reason 'incident 4711: database restored'"))
def fork(
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Do it, without a question.")] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also if nothing is wrong: this store is a copy beside the original.")
    ] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    as_json: Json = False,
    location: Location = None,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Go on with a log that no longer agrees with its own backups, as a new deployment.

    For a store that was set back, or that took over without the last records. It gets a new id, epoch, signer and chain
    of backups; what it was before stays in the repository as its ancestor, and can still be recovered. Without --yes it
    says what only the backup has, and asks; without a terminal it refuses (3) then. If somebody may have changed the
    log, do not fork: recover.
    """
    chosen = settings.load(store=store, root_key_file=root_key_file, repository=location)
    with storage.unlocked(chosen) as (database, root_key):
        planned = forking.plan(database, root_key, repository.opened(chosen))
        if planned.is_needed or anyway:
            _confirm(planned, is_confirmed=is_confirmed)
        actor = deployment.local_actor(chosen)
        done = forking.fork(database, root_key, planned, actor, reason, anyway=anyway)
    answer = _described(done, actor, next_steps(done))
    if as_json:
        output.write_json(answer)
        return
    steps = answer.pop("next")
    output.write_fields(answer.items())
    output.write_text("next:\n" + "\n".join(f"  {step}" for step in steps))


def _confirm(planned: Plan, *, is_confirmed: bool) -> None:
    if is_confirmed:
        return
    facts = "\n  ".join(planned.found.facts())
    if not sys.stdin.isatty():
        raise Refused(
            f"this makes a new deployment of the log, for ever:\n  {facts}\nif that is what you want, add --yes",
            rule="fork-is-confirmed",
        )
    output.note(f"this makes a new deployment of the log, for ever:\n  {facts}")
    if not typer.confirm("Fork?", err=True):
        raise Refused("not confirmed: nothing was changed", rule="fork-is-confirmed")


def _described(done: Forked, actor: Actor, steps: list[str]) -> dict[str, Any]:
    found = done.plan.found
    of = found.backup.manifest
    return {
        "deployment": done.head.deployment,
        "epoch": done.head.epoch,
        "position": done.head.position,
        "verifier": str(done.verifier),
        "fingerprint": done.verifier.fingerprint,
        "ancestor": of.deployment,
        "agreedPosition": found.agreed,
        "isExact": found.is_exact,
        "onlyBackup": {"first": found.agreed + 1, "records": len(found.only_backup), "until": of.recorded_at},
        "onlyLog": {"first": found.agreed + 1, "records": len(found.only_log)},
        "next": steps,
    }


def next_steps(done: Forked) -> list[str]:
    """Return what to do now, in order, as commands where there is one."""
    found = done.plan.found
    place, of = quote(found.location), found.backup.manifest
    steps = [
        "keep every other copy of this deployment off: two must not serve the same region",
        f"resurgam backup run --verified --repository {place}   # the first backup of this deployment, a full copy",
        "resurgam key inspect   # then, offline: resurgam key endorse VERIFIER --identity FILE",
        f"resurgam backup kit --repository {place} --output kit.html   # and throw the old one away",
    ]
    if found.only_backup:
        first, last = found.only_backup[0], found.only_backup[-1]
        steps += [
            f"resurgam recover {place} --identity FILE --deployment {of.deployment} --store sqlite:///ancestor.db "
            "--root-key-file ancestor.root-key   # to look at what this log lacks",
            f"resurgam log export --store sqlite:///ancestor.db --after {first - 1}   # positions {first} to {last}",
            "resurgam record CHANGES.jsonl   # send that again: command ids that are unknown here are recorded anew",
            "revoke, disable, purge and retire again what was so at these positions: here it is as it was before",
        ]
    return steps
