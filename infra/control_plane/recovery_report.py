"""The recovery report: what came back, what did not, how that was proven, and what to type next."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from domain.control_plane import KINDS
from domain.instant import to_datetime
from domain.resource import SERVICES
from infra.control_plane.first_records import FirstRecords
from infra.control_plane.recovery import Plan, Report
from infra.log.record import Recorded
from projections.expiry import ENDS, expiring
from projections.survivors import Drift, Inventory, compare
from projections.view import View

OUT_OF_SCOPE = (
    "the workloads of users (virtual machines, storage accounts, networks …) are no part of a control plane's backup"
)
WARNING_DAYS = 90
LISTED_MAX = 1_000

T = TypeVar("T")


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return what a recovery would take, as plain JSON."""
    of = plan.manifest
    return {
        "deployment": of.deployment,
        "manifest": of.sequence,
        "createdAt": of.created_at,
        "release": of.release,
        "positions": {"first": 1 if of.last else 0, "last": of.last},
        "lastRecordedAt": of.recorded_at,
        "checkpoint": f"{of.last}:{of.opened_checkpoint().body().splitlines()[2]}",
        "encryption": of.encryption,
        "recipients": [entry.fingerprint for entry in of.recipients],
        "segments": len(of.segments),
        "sizeBytes": sum(entry.size_bytes for entry in of.objects()),
        "signer": {"verifier": of.verifier, "fingerprint": of.signer().fingerprint, "trust": plan.trust.reason},
        "limit": {"position": plan.limit.position, "instant": plan.limit.instant},
        "ancestor": of.ancestor.deployment if of.ancestor else None,
        "answers": None if of.answers is None else {"answers": of.answers.answers, "position": of.answers.position},
    }


def describe(report: Report, now: str) -> dict[str, Any]:
    """Return what a recovery or a drill did, as plain JSON."""
    return {
        "plan": describe_plan(report.plan),
        "lastRecoveredChange": _change(report.last, now),
        "recoveredPosition": report.recovered_position,
        "counts": per_service(report.counts),
        "eventTypes": dict(sorted(report.types.items())),
        "comparisons": [
            {"name": m.name, "expected": m.expected, "found": m.found, "result": m.result} for m in report.measures
        ],
        "liveKeys": report.keys,
        "destroyedValues": [{"resource": lost.resource, "shreddedAt": lost.shredded_at} for lost in report.lost],
        "notRecovered": {
            "records": report.beyond.count,
            "first": [{"position": p, "type": t, "resource": r} for p, t, r in report.beyond.first],
            "outOfScope": OUT_OF_SCOPE,
        },
    }


def describe_opened(report: Report, state: View, now: str, repository: str) -> dict[str, Any]:
    """Return the report of a recovery whose store is open, with what needs an operator's hand and the next commands."""
    needing = describe_needs(state, now)
    by_hand, trusts = needing["providersToRestoreByHand"], needing["federationToReestablish"]
    return {
        "deployment": report.head.deployment,
        "epoch": report.head.epoch,
        "position": report.head.position,
        **describe(report, now),
        **_describe_first_records(report.first_records),
        **needing,
        "next": next_steps(
            report, repository, by_hand=bool(by_hand), trusts=bool(trusts), expired=bool(needing["expiring"])
        ),
    }


def describe_needs(state: View, now: str) -> dict[str, Any]:
    """Return what of a state needs an operator's hand."""
    ending = (resource for kind in ENDS for resource in state.of_kind(kind))
    return {
        "providersToRestoreByHand": [
            r.id for r in state.of_kind("resource-provider") if r.state["restoredBy"] == "ByHand"
        ],
        "federationToReestablish": [r.id for r in state.of_kind("claims-provider-trust")],
        "expiring": [
            {"resource": e.resource, "what": e.what, "expires": e.expires, "expired": e.expired}
            for e in expiring(state, ending, now, WARNING_DAYS)
        ],
    }


def describe_survivors(state: View, inventory: Inventory) -> dict[str, Any]:
    """Return how a state and an inventory of what survived differ; of each sort the first thousand."""
    found = compare(state, inventory)
    return {
        "survivors": len(inventory.survivors),
        "recovered": found.matched,
        "kinds": list(found.kinds),
        "phantom": _first(found.phantom, lambda one: {"resource": one.id, "kind": one.kind}),
        "unknown": _first(found.unknown, lambda one: {"survivor": one.label, "line": one.line}),
        "drifted": _first(found.drifted, lambda one: {"resource": one.resource, "fields": _drift(one)}),
    }


def _first(found: Sequence[T], described: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(found), "first": [described(one) for one in found[:LISTED_MAX]]}


def _drift(one: Drift) -> list[dict[str, Any]]:
    return [
        {"field": field, "sealed": recovered is survived is None, "recovered": recovered, "survived": survived}
        for field, recovered, survived in one.fields
    ]


def _describe_first_records(recorded: FirstRecords | None) -> dict[str, Any]:
    if recorded is None:
        return {}
    leaves = recorded.leaves
    return {
        "inputsChanged": list(recorded.inputs),
        "certificatesReissued": [
            {"before": one.before, "after": one.after, "names": list(one.names)} for one in leaves.reissued
        ],
        "certificatesKept": [{"resource": one.resource, "reason": one.reason} for one in leaves.kept],
    }


def next_steps(report: Report, repository: str, *, by_hand: bool, trusts: bool, expired: bool) -> list[str]:
    """Return what to do now, in order, as commands where there is one."""
    steps = [
        "keep the old deployment off: two deployments must not serve the same region",
        f"resurgam backup run --repository {repository}   # the first backup of this deployment",
        "resurgam key inspect   # then, offline: resurgam key endorse VERIFIER --identity FILE",
        f"resurgam backup kit --repository {repository} --output kit.html   # print it for the next time",
        "resurgam record CHANGES.jsonl   # send again what came after the last recovered change: "
        "only what was lost is recorded",
    ]
    recorded = report.first_records
    if recorded is not None and recorded.leaves.reissued:
        steps.append(
            "install the new TLS certificates that are listed above, and publish the revocation of the old ones: "
            "PublishRevocationList for each root"
        )
    if report.lost:
        steps.append("set again the secrets that were destroyed after the recovered position (listed above)")
    if by_hand:
        steps.append("restore the resource providers that are listed above by hand")
    if trusts:
        steps.append("re-establish the relying party on the side of each federation partner listed above")
    if expired:
        steps.append(f"resurgam expiring --within {WARNING_DAYS}d   # replace what has expired")
    steps.append("update to the latest release")
    return steps


def per_service(counts: dict[str, int]) -> dict[str, dict[str, int]]:
    """Return counts of kinds under the service that each belongs to."""
    grouped: dict[str, dict[str, int]] = {service: {} for service in SERVICES}
    for kind, count in counts.items():
        grouped[KINDS[kind].service][kind] = count
    return grouped


def _change(last: Recorded | None, now: str) -> dict[str, Any] | None:
    if last is None:
        return None
    event = last.event
    return {
        "position": last.position,
        "recordedAt": last.recorded_at,
        "ageSeconds": max(0, round((to_datetime(now) - to_datetime(last.recorded_at)).total_seconds())),
        "type": event["type"],
        "resource": event["resource"],
        "actor": event["actor"],
        "reason": event.get("reason", ""),
    }
