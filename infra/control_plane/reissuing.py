"""Re-issuing: after a recovery the TLS certificates of the internal roots get new keys, and the roots stay.

The keys of the old ones may be in strangers' hands, or still in use by what was lost, and the names may have changed.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from domain.certificate_authority import CertificateAuthority, active_root
from domain.command import Command
from domain.deployment_inputs import DeploymentInputsFields
from domain.errors import NotFound, Refused, Usage
from domain.instant import to_datetime
from domain.issued_certificate import IssueCertificate, IssuedCertificate, RevokeCertificate
from domain.resource import Resource, World
from projections.progress import Progress, silent

TLS = frozenset({"serverAuth", "clientAuth"})
COMMON_NAME = re.compile(r"(?<=CN=)[^,+\\]+")

Record = Callable[[Command], Sequence[str]]
"""Record a command, and return the ids of what it changed; raises what refuses it."""


@dataclass(frozen=True, slots=True)
class Reissued:
    """A certificate in whose place a new one was issued; it is revoked unless its root is retired."""

    before: str
    after: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A valid certificate that stays as it is, and why."""

    resource: str
    reason: str


@dataclass(frozen=True, slots=True)
class Leaves:
    """What became of the valid certificates of the internal roots."""

    reissued: tuple[Reissued, ...] = ()
    kept: tuple[Kept, ...] = ()


def reissue(
    world: World,
    issued: Sequence[Resource],
    since: str,
    now: str,
    rename: Callable[[str], str],
    record: Record,
    progress: Progress = silent,
) -> Leaves:
    """Issue anew each certificate that was valid at `since`, the last recovered change, and revoke the old one."""
    reissued, kept = [], []
    valid = list(_valid(issued, since))
    for number, old in enumerate(valid, 1):
        progress("issuing certificates anew", number, len(valid))
        root = active_root(world)
        reason = _kept_because(old, root, now)
        if root is None or reason:
            kept.append(Kept(old["id"], reason))
            continue
        try:
            command = _command(old, root, now, rename)
            [new] = record(command)
        except ValidationError:
            kept.append(Kept(old["id"], "its new names cannot stand in a certificate: issue another one by hand"))
            continue
        except (Refused, Usage, NotFound) as error:
            kept.append(Kept(old["id"], str(error)))
            continue
        if old["notAfter"] >= now:
            _revoke(old, record)
        reissued.append(Reissued(old["id"], new, command.subject_alternative_names))
    return Leaves(tuple(reissued), tuple(kept))


def renaming(before: DeploymentInputsFields, after: DeploymentInputsFields) -> Callable[[str], str]:
    """Return what gives a name or an address of the old inputs as it is by the new ones."""
    old_domain, new_domain = before["internalDomainName"].lower(), after["internalDomainName"]
    addresses = {node["name"].lower(): node["ipAddress"] for node in after["nodes"] if "ipAddress" in node}
    moved: Mapping[str, str] = {
        node["ipAddress"]: addresses[node["name"].lower()]
        for node in before["nodes"]
        if "ipAddress" in node and node["name"].lower() in addresses
    }

    def renamed(name: str) -> str:
        if name.lower() == old_domain:
            return new_domain
        if name.lower().endswith(f".{old_domain}"):
            return name[: -len(old_domain)] + new_domain
        return moved.get(name, name)

    return renamed


def _valid(issued: Sequence[Resource], since: str) -> Iterator[IssuedCertificate]:
    for resource in issued:
        state = cast(IssuedCertificate, resource.state)
        if "revokedOn" not in state and state["notAfter"] >= since:
            yield state


def _kept_because(old: IssuedCertificate, root: CertificateAuthority | None, now: str) -> str:
    if not TLS.intersection(old["extendedKeyUsage"]):
        return "it is not for TLS"
    if "privateKey" not in old:
        return "its key is held elsewhere: if that is lost, issue another one for a new key, and revoke this one"
    if root is None:
        return "no certificate authority is active: create one, and issue it anew"
    if _days_left(root, now) < 1:
        return f"certificate authority {root['id']} ends {root['notAfter']}: rotate it, and issue this one anew"
    return ""


def _command(
    old: IssuedCertificate, root: CertificateAuthority, now: str, rename: Callable[[str], str]
) -> IssueCertificate:
    """Return the command for one of the same kind that lasts as long, or as long as its root."""
    lasted = to_datetime(old["notAfter"]) - to_datetime(old["notBefore"])
    given: dict[str, Any] = {
        "subject": COMMON_NAME.sub(lambda found: rename(found[0]), old["subject"]),
        "validity_days": max(1, min(lasted.days, _days_left(root, now))),
        "subject_alternative_names": tuple(map(rename, old["subjectAlternativeNames"])),
        "extended_key_usage": tuple(old["extendedKeyUsage"]),
        "root": root["id"],
    }
    return IssueCertificate(**given)


def _days_left(root: CertificateAuthority, now: str) -> int:
    return (to_datetime(root["notAfter"]) - to_datetime(now)).days


def _revoke(old: IssuedCertificate, record: Record) -> None:
    try:
        record(RevokeCertificate(id=old["id"], reason="superseded"))
    except Refused as error:
        if error.rule != "root-can-publish":  # nobody trusts what a retired root signed
            raise
