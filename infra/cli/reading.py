"""`resurgam get`, `history`, `diff` and `expiring`: the state at any point in time, and how it came to be."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any

import typer

from domain.control_plane import KINDS
from domain.errors import NotFound, Usage
from domain.event import State
from domain.instant import from_microseconds
from domain.resource import Resource
from infra.cli import change_lines, deployment, output, settings, state
from infra.cli.deployment import Asking
from infra.cli.options import As, At, Json, Store, example, group
from infra.control_plane import when
from infra.control_plane.when import When
from infra.log import event_table
from projections import expiry
from projections.derived import derived
from projections.view import Difference, Step

Within = re.compile(r"(\d{1,5})([dw])")

app = group("Read the state.")


@app.command(epilog=example("resurgam get subscription --at 3d", "resurgam get /subscriptions/… --json"))
def get(
    what: Annotated[
        str, typer.Argument(metavar="KIND|ID", help="A kind, such as user, or a resource id.", show_default=False)
    ],
    at: At = None,
    principal: As = None,
    as_json: Json = False,
    store: Store = None,
) -> None:
    """Show a resource, or all resources of a kind."""
    if not what.startswith("/") and what not in KINDS:
        raise Usage(f"there is no kind {what!r}: an id begins with /, and kinds are {', '.join(sorted(KINDS))}")
    with deployment.asking(settings.load(store=store), at, principal) as asked:
        if what.startswith("/"):
            _show_one(asked, _visible(asked, what), as_json)
        else:
            found = [r for r in asked.reading.state.of_kind(what) if asked.may_see(r.id)]
            _show_all(asked, found, as_json)


@app.command(epilog=example("resurgam history /providers/Microsoft.Graph/directoryObjects/…"))
def history(
    resource: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    at: At = None,
    principal: As = None,
    as_json: Json = False,
    store: Store = None,
) -> None:
    """Show every version of a resource: who, when, why, and what changed."""
    with deployment.asking(settings.load(store=store), at, principal) as asked:
        steps = asked.reading.state.history(resource)
        if not steps or not asked.may_see(resource):
            raise _unknown(asked, resource)
        versions = list(_versions(asked, steps))
    if as_json:
        output.write_json({"id": resource, "versions": versions})
        return
    for version in versions:
        actor, reason = version["actor"], version["reason"]
        who = f"{actor['os_user']}@{actor['host']}" + (f" as {actor['principal']}" if "principal" in actor else "")
        output.write_text(
            f"{version['position']}  {version['recordedAt']}  {version['event']}  by {who}  {reason}".rstrip()
        )
        change_lines.write(version["changes"])


@app.command(epilog=example("resurgam diff 4711 2026-11-03T14:00Z", "resurgam diff 1d 0s"))
def diff(
    since: Annotated[str, typer.Argument(metavar="A", help="A position, an instant or an age.", show_default=False)],
    until: Annotated[str, typer.Argument(metavar="B", help="A later one.", show_default=False)],
    principal: As = None,
    as_json: Json = False,
    store: Store = None,
) -> None:
    """Show what changed between two points in time."""
    with deployment.asking(settings.load(store=store), until, principal) as asked:
        end = asked.reading.moment.position
        start = when.resolve(asked.reading.session, when.parse(since, asked.now)).position
        if start > end:
            raise Usage(
                f"{since} is position {start}, which comes after position {end} of {until}: name the earlier one first"
            )
        differences = [_difference(d) for d in asked.reading.state.changed_since(start) if asked.may_see(d.resource)]
    if as_json:
        output.write_json({"from": start, "to": end, "differences": differences})
        return
    for difference in differences:
        output.write_text(f"{difference['change']}  {difference['kind']}  {difference['id']}")
        change_lines.write(difference["changes"])
    output.note(f"{len(differences)} resources differ between position {start} and position {end}")


@app.command(epilog=example("resurgam expiring --within 30d"))
def expiring(
    within: Annotated[str, typer.Option(metavar="AGE", help="How far ahead to look, in days or weeks.")] = "90d",
    at: At = None,
    principal: As = None,
    as_json: Json = False,
    store: Store = None,
) -> None:
    """Show certificates, secrets and credentials that run out."""
    age = Within.fullmatch(within)
    if age is None:
        raise Usage(f"--within {within}: write days or weeks, such as 90d or 12w")
    days = int(age[1]) * (7 if age[2] == "w" else 1)
    with deployment.asking(settings.load(store=store), at, principal) as asked:
        view = asked.reading.state
        resources = chain.from_iterable(view.of_kind(kind) for kind in expiry.ENDS)
        now = _instant_of(asked, at)
        found = expiry.expiring(view, (r for r in resources if asked.may_see(r.id)), now, days)
        position = asked.reading.moment.position
    if as_json:
        output.write_json({"position": position, "now": now, "expiring": found})
        return
    rows = [(e.expires, e.severity, e.kind, e.resource, e.what) for e in found]
    output.write_table(("expires", "severity", "kind", "id", "what"), rows)


def _visible(asked: Asking, resource: str) -> Resource:
    found = asked.reading.state.find(resource)
    if found is None or not asked.may_see(found.id):
        raise _unknown(asked, resource)
    return found


def _unknown(asked: Asking, resource: str) -> NotFound:
    """Return the same answer for what does not exist and for what may not be seen."""
    return NotFound(f"there is no {resource} at position {asked.reading.moment.position}, or it may not be seen")


def _show_one(asked: Asking, found: Resource, as_json: bool) -> None:
    shown = state.shown(found.state)
    facts = derived(asked.reading.state, found)
    position = asked.reading.moment.position
    if as_json:
        also = {"derived": facts} if facts else {}
        output.write_json({"position": position, **_plain(found), "state": shown, **also})
        return
    head = [("kind", found.kind), ("sequence", found.sequence), ("position", position)]
    output.write_fields([*head, *state.fields(shown), *facts.items()])


def _show_all(asked: Asking, found: list[Resource], as_json: bool) -> None:
    position = asked.reading.moment.position
    if as_json:
        resources = [{**_plain(resource), "state": state.shown(resource.state)} for resource in found]
        output.write_json({"position": position, "resources": resources})
        return
    output.write_table(("id", "sequence", "name"), [(r.id, r.sequence, _title(r.state)) for r in found])
    output.note(f"{len(found)} at position {position}")


def _plain(resource: Resource) -> dict[str, object]:
    return {"id": resource.id, "kind": resource.kind, "sequence": resource.sequence}


def _title(of: State) -> object:
    """Return the name by which people know the resource, if its state has one."""
    names = ("userPrincipalName", "displayName", "roleName", "subject", "label")
    return next((of[name] for name in names if name in of), "")


def _versions(asked: Asking, steps: list[Step]) -> Iterator[dict[str, Any]]:
    before: State | None = None
    for step in steps:
        record = event_table.record_at(asked.reading.session, step.position)
        assert record is not None, "every version was opened by a record"
        event = record.event
        yield {
            "position": step.position,
            "recordedAt": record.recorded_at,
            "sequence": step.sequence,
            "event": event["type"],
            "command": {"name": event["command"]["name"], "id": event["command"]["id"]},
            "actor": event["actor"],
            "reason": event.get("reason", ""),
            "changes": state.changes(before, step.state),
            "state": state.shown(step.state),
        }
        before = step.state


def _difference(difference: Difference) -> dict[str, Any]:
    before, after = difference.before, difference.after
    present = after if after is not None else before
    return {
        "id": str(present["id"]) if present is not None else difference.resource,
        "kind": difference.kind,
        "change": "created" if before is None else "deleted" if after is None else "changed",
        "changes": state.changes(before, after),
    }


def _instant_of(asked: Asking, at: str | None) -> str:
    """Return the instant that was asked about; of a position, its recorded-at."""
    if at is None:
        return asked.now
    asked_for: When = when.parse(at, asked.now)
    if asked_for.instant_us is not None:
        return from_microseconds(asked_for.instant_us)
    record = event_table.record_at(asked.reading.session, asked.reading.moment.position)
    return asked.now if record is None else record.recorded_at
