"""The release of the control plane's software, and the gate: which backups and stores this release accepts."""

from domain.errors import Refused

RELEASE = "1.0"

ACCEPTED = (RELEASE,)
"""The releases whose backups this one restores: its own. A later release adds the one before it."""


def gate(release: str, what: str) -> None:
    """Refuse whatever another release wrote, naming both and what to do first."""
    if release not in ACCEPTED:
        raise Refused(
            f"{what} is of release {release}, this is release {RELEASE}, which accepts {', '.join(ACCEPTED)}: "
            f"install release {release} first",
            rule="version-gate",
            resource=what,
        )
