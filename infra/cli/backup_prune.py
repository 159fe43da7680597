"""`resurgam backup prune`: marks and deletes backups that are no longer wanted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated

import typer

from domain.errors import Usage
from domain.instant import from_datetime, to_datetime
from infra.backup import layout, pruning
from infra.backup.pruning import Outcome
from infra.backup.retention import REACH_DAYS_MAX, Policy
from infra.cli import duration, output, progress, repository, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.cli.repository import Location
from infra.cli.settings import Settings
from infra.control_plane.clock import host_clock

app = group("Prune backups.")

Days = Annotated[
    int | None, typer.Option("--keep-days", metavar="N", help="Keep backups of the last N days.", show_default=False)
]
Last = Annotated[
    int | None, typer.Option("--keep-last", metavar="N", help="Keep the newest N backups.", show_default=False)
]
Daily = Annotated[
    int | None, typer.Option("--keep-daily", metavar="N", help="Keep one for each of N days.", show_default=False)
]
Weekly = Annotated[
    int | None, typer.Option("--keep-weekly", metavar="N", help="Keep one for each of N weeks.", show_default=False)
]
Monthly = Annotated[
    int | None, typer.Option("--keep-monthly", metavar="N", help="Keep one for each of N months.", show_default=False)
]


@app.command(epilog=example("resurgam backup prune --keep-days 14 --keep-monthly 12 --dry-run"))
def prune(
    keep_days: Days = None,
    keep_last: Last = None,
    keep_daily: Daily = None,
    keep_weekly: Weekly = None,
    keep_monthly: Monthly = None,
    grace: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="How long what is marked stays: 24h, 2d.", show_default=False),
    ] = None,
    keyring_grace: Annotated[
        str | None,
        typer.Option(
            metavar="AGE", help="How long a keyring stays that a newer one replaced: 14d.", show_default=False
        ),
    ] = None,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
    as_json: Json = False,
    location: Location = None,
    store: Store = None,
    root_key_file: RootKeyFile = None,
) -> None:
    """Mark the backups that are no longer wanted, and delete what was marked before.

    Kept is what any rule keeps, 14 days if nothing is said, always the newest backup, and all that a kept one needs.
    Keyrings that a newer one replaced go after a grace of their own, so that destroyed keys do, whatever is kept.
    """
    chosen = settings.load(
        store=store,
        root_key_file=root_key_file,
        repository=location,
        keep_days=keep_days,
        keep_last=keep_last,
        keep_daily=keep_daily,
        keep_weekly=keep_weekly,
        keep_monthly=keep_monthly,
        prune_grace=grace,
        keyring_grace=keyring_grace,
    )
    waits, keyrings_wait = graces(chosen)
    target = repository.opened(chosen)
    with storage.unlocked(chosen) as (database, root_key), progress.shown(as_json=as_json) as heard:
        outcome = pruning.prune(
            database,
            root_key,
            target,
            _policy(chosen),
            waits,
            host_clock,
            keyring_grace=keyrings_wait,
            is_dry_run=is_dry_run,
            progress=heard,
        )
    answer = _described(outcome, waits, is_dry_run=is_dry_run)
    if as_json:
        output.write_json(answer | _listed(outcome))
    else:
        output.write_fields(answer.items())
        for failure in outcome.failures:
            output.write_text(f"not deleted: {failure.name}" + (f": {failure.reason}" if failure.reason else ""))
    if outcome.failures:
        output.note(
            f"{len(outcome.failures)} objects were not deleted, the first because: {outcome.failures[0].reason}; "
            "the next prune tries again, or delete them with an account that may"
        )


def _policy(chosen: Settings) -> Policy:
    return Policy(chosen.keep_days, chosen.keep_last, chosen.keep_daily, chosen.keep_weekly, chosen.keep_monthly)


def graces(chosen: Settings) -> tuple[timedelta, timedelta]:
    """Return how long what is marked stays, and how long a keyring that was replaced."""
    return _grace(chosen.prune_grace, "--grace"), _grace(chosen.keyring_grace, "--keyring-grace")


def _grace(text: str, option: str) -> timedelta:
    seconds = duration.parse(text, option)
    if seconds > REACH_DAYS_MAX * 86_400:
        raise Usage(f"{option} {text} is longer than a century")
    return timedelta(seconds=seconds)


def _described(outcome: Outcome, grace: timedelta, *, is_dry_run: bool) -> dict[str, object]:
    plan = outcome.plan
    newest, oldest = plan.found.newest.manifest, plan.found.manifests[min(plan.kept)]
    rules = Counter(reason for reasons in plan.kept.values() for reason in reasons)
    return {
        "status": "planned" if is_dry_run else "pruned",
        "deployment": newest.deployment,
        "kept": {"backups": len(plan.kept), **rules},
        "oldestKept": {
            "sequence": oldest.link.sequence,
            "createdAt": oldest.backup.created_at,
            "last": oldest.last,
        },
        "restorable": {"first": 1 if newest.last else 0, "last": newest.last, "until": newest.recorded_at},
        "marked": _counted(outcome, plan.marked_manifests, plan.marked_objects),
        "statement": outcome.statement,
        "deleted": _counted(outcome, outcome.deleted_manifests, outcome.deleted_objects),
        "waiting": _waiting(outcome, grace),
        "supersededKeyrings": _superseded(outcome),
        "notDeleted": len(outcome.failures),
        "sweptTemporaryFiles": outcome.swept,
    }


def _waiting(outcome: Outcome, grace: timedelta) -> dict[str, object]:
    """Return what was marked before and stays for now, and until when at least."""
    plan = outcome.plan
    waiting = [s for s in plan.found.statements if s not in plan.due and plan.is_left(s, set())]
    manifests = plan.unwanted_manifests.intersection(n for s in waiting for n in s.manifests)
    objects = plan.unwanted_objects.intersection(name for s in waiting for name in s.objects).difference(
        plan.superseded
    )
    until = min((from_datetime(to_datetime(s.marked_at) + grace) for s in waiting), default=None)
    return {**_counted(outcome, sorted(manifests), sorted(objects)), "until": until}


def _superseded(outcome: Outcome) -> dict[str, object]:
    """Return what kept backups name of replaced keyrings, and until when the first of them stays at least."""
    left = {name: until for name, until in outcome.plan.superseded.items() if name not in outcome.deleted_objects}
    until = min(left.values(), default=None)
    return {
        "objects": len(left),
        "sizeBytes": outcome.plan.found.size_bytes((), left),
        "until": from_datetime(until) if until else None,
    }


def _counted(outcome: Outcome, manifests: Sequence[int], objects: Iterable[str]) -> dict[str, object]:
    names = list(objects)
    size_bytes = outcome.plan.found.size_bytes(manifests, names)
    return {"manifests": len(manifests), "objects": len(names), "sizeBytes": size_bytes}


def _listed(outcome: Outcome) -> dict[str, object]:
    """Return by name what was marked and deleted, or would be, and what could not be deleted, for programs."""
    deployment = outcome.plan.found.newest.manifest.deployment

    def names(manifests: Sequence[int], objects: Sequence[str]) -> list[str]:
        return [*(layout.manifest(deployment, number) for number in manifests), *objects]

    return {
        "markedNames": names(outcome.plan.marked_manifests, outcome.plan.marked_objects),
        "deletedNames": names(outcome.deleted_manifests, outcome.deleted_objects),
        "notDeleted": outcome.failures,
    }
