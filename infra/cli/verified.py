"""A verified backup, as operators read it."""

from infra.backup.attestation import Judged
from infra.backup.freshness import Freshness, VerifiedBackup, age_s
from infra.cli import duration

NONE = "no verified backup: make one with `resurgam backup run --verified`, or drill with --identity"
UNCHECKED = "no verified backup that can be checked here: what was drilled counts with --identity"


def described(found: Freshness, now: str) -> dict[str, object] | None:
    """Return what is shown of the newest verified backup; `ageSeconds` is None if its time lies in the future."""
    newest = found.newest
    if newest is None:
        return None
    return {
        "sequence": newest.attestation.sequence,
        "position": newest.attestation.position,
        "verifiedAt": newest.attestation.verified_at,
        "since": newest.since,
        "ageSeconds": age_s(newest.since, now),
        "by": newest.attestation.by(),
        "identityWasTried": bool(newest.attestation.fingerprint),
    }


def without_worth(found: list[Judged]) -> list[dict[str, str]]:
    """Return the attestations that count for nothing, and why."""
    return [{"name": one.name, "standing": one.standing, "reason": one.reason} for one in found]


def line(found: Freshness, now: str) -> str:
    """Return the first thing that an operator wants to know."""
    newest = found.newest
    if newest is None:
        return UNCHECKED if any(one.standing == "unchecked" for one in found.others) else NONE
    age = age_s(newest.since, now)
    of = f"manifest {newest.attestation.sequence}, position {newest.attestation.position}, {_how(newest)}"
    if age is None:
        return f"newest verified backup of {newest.since}, which lies in the future: a clock is wrong ({of})"
    return f"newest verified backup {duration.shown(age)} old ({of})"


def _how(newest: VerifiedBackup) -> str:
    if newest.attestation.fingerprint:
        return f"drilled with the identity {newest.attestation.fingerprint}"
    return "replayed by the deployment; that an identity opens it only a drill shows"
