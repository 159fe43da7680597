"""The composition of an estate: its areas in the order in which they need each other, part by part."""

from pathlib import Path

from scripts.estate import access, certificates, deployment, identity, last_hour, tenancy, vaults
from scripts.estate.draft import Draft


def write_base(draft: Draft, roles: Path | None = None) -> None:
    """Write the estate as it stands before the first backup; with `roles` also the definitions in that file."""
    draft.part = "base"
    deployment.begin(draft)
    identity.begin(draft)
    certificates.begin(draft)
    tenancy.begin(draft)
    vaults.begin(draft)
    access.begin(draft, roles)


def write_more(draft: Draft) -> None:
    """Write a week of changes in all areas, which the second backup sees."""
    draft.part = "more"
    for area in (deployment, identity, certificates, tenancy, vaults, access):
        area.go_on(draft)


def write_lost(draft: Draft) -> None:
    """Write the last hour, which no backup saw."""
    draft.part = "lost"
    last_hour.go_on(draft)
