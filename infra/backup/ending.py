"""Ending: what a deployment and its backups depend on and that runs out, so that it is renewed in time."""

from collections.abc import Sequence
from itertools import chain

from infra.backup.stores import lifetime
from infra.state.snapshot import Snapshot
from projections import expiry
from projections.expiry import Expiry

OWN_KINDS = tuple(kind for kind in expiry.ENDS if kind != "secret-version")
"""What ends a control plane's own service: tenants' secrets are theirs to renew, `resurgam expiring` lists them too."""

PLACE = "repository"
"""The kind of what a repository's place is reached with."""


def of_deployment(state: Snapshot, now: str) -> Sequence[Expiry]:
    """Return what of the deployment's own has expired, or will within 90 days."""
    resources = chain.from_iterable(state.of_kind(kind) for kind in OWN_KINDS)
    return expiry.expiring(state, resources, now, expiry.WARNING_DAYS)


def of_place(location: str, now: str) -> Sequence[Expiry]:
    """Return which credentials and certificates of a repository's place have expired, or will within 90 days.

    Of what somebody renews, only what has expired. What cannot be seen from here is not told: `doctor` names it.
    """
    known = lifetime.lifetimes(location)
    ends = [(one, expiry.ending(location, PLACE, one.what, one.expires, now)) for one in known if one.expires]
    found = [end for one, end in ends if end.expired or (end.severity != "information" and not one.is_renewed)]
    return sorted(found, key=lambda end: (end.expires, end.what))


def counted(found: Sequence[Expiry]) -> dict[str, int]:
    """Return how many things have expired, will within 30 days, and will within 90; each is counted once."""
    counts = {"expired": 0, "30d": 0, "90d": 0}
    for one in found:
        counts["expired" if one.expired else "30d" if one.severity == "critical" else "90d"] += 1
    return counts
