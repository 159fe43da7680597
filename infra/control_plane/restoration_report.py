"""The report of a restoration: what it would change or has changed, what it leaves as it is, and what to know of it."""

from collections.abc import Callable, Iterator
from typing import Any

from domain.altered_world import Alteration
from domain.event import State
from domain.sealed_value import key_ids
from infra.control_plane.job import Outcome
from infra.control_plane.recovery_report import describe_plan
from infra.control_plane.restoration import Proposal

CREDENTIALS = frozenset({"user", "service-principal", "password-credential", "key-credential"})

Differ = Callable[[State | None, State | None], list[dict[str, object]]]
"""(state before, state after) -> what differs, without anything secret."""


def describe(proposal: Proposal, differ: Differ) -> dict[str, Any]:
    """Return the proposal as plain JSON."""
    vetted, source = proposal.vetted, proposal.origin.source()
    return {
        "service": proposal.service,
        "plan": describe_plan(proposal.origin.plan),
        "from": {
            "deployment": source.deployment_id,
            "position": source.position,
            "recordedAt": source.recorded_at,
            "isSameLog": proposal.is_same_log,
        },
        "into": {"deployment": proposal.live.deployment, "position": proposal.live.position},
        "differences": [_difference(one) | {"changes": differ(one.before, one.after)} for one in vetted.accepted],
        "skipped": [_difference(one.alteration) | {"rule": one.rule, "reason": one.reason} for one in vetted.skipped],
        "leftOut": [{"id": one.resource, "reason": one.reason} for one in vetted.left_out],
        "credentialsBack": [one.id for one in vetted.accepted if _is_valid_again(one)],
        "valuesBroughtBack": [{"id": of, "destroyedAt": position} for of, position in proposal.brought_back],
        "valuesDestroyed": list(proposal.destroyed),
    }


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return what was recorded as plain JSON."""
    return {
        "commandId": outcome.command_id,
        "first": outcome.first,
        "last": outcome.last,
        "recordedAt": outcome.recorded_at,
    }


def _difference(one: Alteration) -> dict[str, Any]:
    change = "created" if one.before is None else "deleted" if one.after is None else "changed"
    return {"id": one.id, "kind": one.kind.name, "change": change}


def _is_valid_again(one: Alteration) -> bool:
    """Whether somebody can log in again with what was removed, replaced or disabled since."""
    if one.kind.name not in CREDENTIALS or one.after is None:
        return False
    if one.before is None:
        return True
    is_enabled_again = bool(one.after.get("accountEnabled")) and not one.before.get("accountEnabled")
    return is_enabled_again or set(key_ids(one.after)) != set(key_ids(one.before))


def summary(answer: dict[str, Any]) -> str:
    """Return the numbers of what differs and of what is skipped, on one line."""
    counts = ", ".join(_counts(answer))
    return f"{counts or 'nothing'} to restore; {len(answer['skipped'])} skipped"


def _counts(answer: dict[str, Any]) -> Iterator[str]:
    for change, word in (("created", "brought back"), ("changed", "changed back"), ("deleted", "taken away")):
        count = sum(one["change"] == change for one in answer["differences"])
        if count:
            yield f"{count} {word}"
