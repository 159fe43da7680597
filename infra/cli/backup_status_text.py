"""The status of backups, as people and monitoring read it."""

from collections.abc import Iterator
from typing import Any

from domain.instant import to_microseconds
from infra.backup.audience import encryption_of, stale
from infra.backup.ending import counted
from infra.backup.freshness import age_s
from infra.backup.status import Status
from infra.cli import duration, output, verified
from infra.cli.backup_metrics import Sample


def described(found: Status) -> dict[str, Any]:
    """Return the status as plain JSON; what is not known is null, and `missing` says why."""
    newest = found.repository.newest.manifest if found.repository and found.repository.newest else None
    freshness = found.repository.freshness if found.repository else None
    return {
        "deployment": found.deployment or None,
        "location": found.location,
        "now": found.now,
        "verified": verified.described(freshness, found.now) if freshness else None,
        "fresh": found.is_fresh() if found.max_age_s is not None else None,
        "withoutWorth": verified.without_worth(list(freshness.others)) if freshness else [],
        "newest": newest
        and {
            "sequence": newest.sequence,
            "createdAt": newest.created_at,
            "ageSeconds": age_s(newest.created_at, found.now),
            "position": newest.last,
            "encryption": encryption_of(newest),
            "recipients": [entry.fingerprint for entry in newest.recipients],
            "staleObjects": len(stale(newest, newest.recipients)),
        },
        "backlog": found.backlog and {"records": found.backlog.records, "oldestSeconds": found.backlog.oldest_s},
        "recipients": found.store
        and [
            {"id": one["id"], "kind": one["recipientKind"], "label": one["label"], "recipient": one["recipient"]}
            for one in found.store.recipients
        ],
        "expiring": output.plain(found.store.expiring) if found.store else None,
        "repositoryExpiring": output.plain(found.place),
        "rootKey": found.store
        and {
            "id": found.store.wrapping.root_key_id if found.store.wrapping else None,
            "ageSeconds": found.root_key_age_s(),
            "rotationDue": found.is_rotation_due(),
        },
        "missing": found.missing,
    }


def write(found: Status) -> None:
    """Write the age of the newest verified backup first, and what runs out last."""
    if found.repository is not None:
        output.write_text(verified.line(found.repository.freshness, found.now))
    output.write_fields(_fields(found))
    if found.repository is not None:
        for one in found.repository.freshness.others:
            output.write_text(f"{one.standing}: {one.name}: {one.reason}")
    if expiring := found.expiring():
        rows = [(e.expires, "expired" if e.expired else e.severity, e.kind, e.resource, e.what) for e in expiring]
        output.write_table(("expires", "severity", "kind", "id", "what"), rows)


def _fields(found: Status) -> Iterator[tuple[str, object]]:
    yield "deployment", found.deployment or "not known"
    yield "repository", f"missing: {found.missing['repository']}" if "repository" in found.missing else found.location
    newest = found.repository.newest.manifest if found.repository and found.repository.newest else None
    if newest is not None:
        age = age_s(newest.created_at, found.now)
        shown = f"{duration.shown(age)} old" if age is not None else "in the future: a clock is wrong"
        yield "newest", f"manifest {newest.sequence} of {newest.created_at}, {shown}, up to position {newest.last}"
        yield "encryption", encryption_of(newest)
        yield "recipients", ", ".join(f"{entry.fingerprint} {entry.kind}" for entry in newest.recipients)
        if others := stale(newest, newest.recipients):
            yield "rekey due", f"{len(others)} of {len(newest.objects())} objects are sealed to others than these"
    if "store" in found.missing:
        yield "store", f"missing: {found.missing['store']}; what was not backed up and what runs out is not known"
    if found.backlog is not None:
        oldest = f", the oldest {duration.shown(found.backlog.oldest_s)} old" if found.backlog.records else ""
        since = "" if newest is not None else " after the last backup that the store remembers"
        yield "backlog", f"{found.backlog.records} records{oldest}{since}"
    if found.store is not None:
        yield "root key", _root_key(found)
    if found.store is not None or found.place:
        counts = counted(found.expiring())
        yield "expiring", f"{counts['expired']} expired, {counts['30d']} within 30 days, {counts['90d']} within 90 days"


def _root_key(found: Status) -> str:
    age = found.root_key_age_s()
    shown = "of unknown age" if age is None else f"{duration.shown(age)} old"
    return f"{shown}: rotate it with `resurgam key rotate-root`" if found.is_rotation_due() else shown


def samples(found: Status) -> list[Sample]:
    """Return the status as metrics; what is not known has no sample."""
    return list(_samples(found))


def _samples(found: Status) -> Iterator[Sample]:
    of = {"deployment": found.deployment} if found.deployment else {}
    up = "1 if it was read and is in order."
    yield "resurgam_backup_repository_up", f"The repository: {up}", of, found.repository is not None
    yield "resurgam_backup_store_up", f"The store: {up}", of, found.store is not None
    if found.repository is not None and found.repository.newest is not None:
        newest = found.repository.newest.manifest
        yield "resurgam_backup_newest_sequence", "Number of the newest manifest.", of, newest.sequence
        yield "resurgam_backup_newest_position", "Last position of the newest backup.", of, newest.last
        others = len(stale(newest, newest.recipients))
        yield (
            "resurgam_backup_stale_objects",
            "Objects of it that are sealed to others than its recipients.",
            of,
            others,
        )
        at = to_microseconds(newest.created_at) / 1e6
        yield "resurgam_backup_newest_timestamp_seconds", "When the newest backup was made.", of, at
    if found.repository is not None:
        invalid = sum(one.standing == "invalid" for one in found.repository.freshness.others)
        yield "resurgam_backup_invalid_attestations", "Newer attestations that are not valid.", of, invalid
    yield from _verified(found, of)
    if found.max_age_s is not None:
        yield "resurgam_backup_verified_fresh", "1 if verified within --max-age.", of, found.is_fresh()
    if found.backlog is not None:
        yield "resurgam_backup_backlog_records", "Records that are in no backup.", of, found.backlog.records
        yield "resurgam_backup_backlog_seconds", "Age of the oldest of them.", of, found.backlog.oldest_s
    if found.store is not None:
        yield "resurgam_backup_recipients", "Recipients of backups.", of, len(found.store.recipients)
        if (age := found.root_key_age_s()) is not None:
            yield "resurgam_root_key_age_seconds", "Age of the root key.", of, age
        for within, count in counted(found.store.expiring).items():
            yield "resurgam_backup_expiring", "What runs out, each counted once.", {**of, "within": within}, count
    for within, count in counted(found.place).items():
        help_text = "What the repository is reached with and that runs out, each counted once."
        yield "resurgam_backup_repository_expiring", help_text, {**of, "within": within}, count


def _verified(found: Status, of: dict[str, str]) -> Iterator[Sample]:
    newest = found.repository.freshness.newest if found.repository else None
    if newest is None:
        return
    prefix, attestation = "resurgam_backup_verified", newest.attestation
    yield f"{prefix}_sequence", "Number of the newest verified manifest.", of, attestation.sequence
    yield f"{prefix}_position", "Last position of the newest verified backup.", of, attestation.position
    yield f"{prefix}_timestamp_seconds", "From when its age counts.", of, to_microseconds(newest.since) / 1e6
    age = found.verified_age_s()
    if age is not None:
        yield f"{prefix}_age_seconds", "Age of the newest verified backup.", of, age
