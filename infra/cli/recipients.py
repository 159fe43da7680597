"""What recipients can open, as operators read it."""

from collections.abc import Iterable, Mapping
from typing import Any

from infra.backup.reach import Named, Reach, Reaches
from infra.cli import output

COLUMNS = (
    "recipient",
    "kind",
    "is",
    "opens of the newest",
    "records until",
    "secrets until",
    "objects",
    "last named by",
)


def described(reaches: Reaches, names: Mapping[str, Named] | None = None) -> list[dict[str, Any]]:
    """Return what each recipient opens; with the names that the log has for them, if a store is at hand."""
    names = names or {}
    return [_described(one, names.get(one.fingerprint)) for one in reaches.all()]


def _described(one: Reach, name: Named | None) -> dict[str, Any]:
    last = one.last_manifest
    return {
        "fingerprint": one.fingerprint,
        "kind": one.kind,
        **({"id": name.id, "label": name.label, "retiredAt": name.retired_at or None} if name else {}),
        "state": "present" if one.is_present else "retired",
        "opensOfNewest": one.newest,
        "recordsUntil": one.last,
        "secretsUntil": one.keys_until,
        "objects": len(one.objects),
        "sizeBytes": one.size_bytes,
        "lastNamedBy": {"sequence": last.sequence, "createdAt": last.created_at} if last else None,
    }


def write(found: Iterable[Mapping[str, Any]]) -> None:
    """Write one line a recipient, named if the log has a name for it."""
    rows = [
        (
            one.get("id") or one["fingerprint"],
            one["kind"],
            one["state"],
            one["opensOfNewest"],
            one["recordsUntil"],
            one["secretsUntil"],
            one["objects"],
            f"manifest {one['lastNamedBy']['sequence']}" if one["lastNamedBy"] else "",
        )
        for one in found
    ]
    output.write_table(COLUMNS, rows)


def advice(found: Iterable[Mapping[str, Any]], not_known: int) -> list[str]:
    """Return a sentence for each recipient that opens less, or more, than an operator would think."""
    lines = []
    for one in found:
        who = f"{one['fingerprint']} ({one['kind']})"
        opens = one["opensOfNewest"]
        if one["state"] == "present" and opens != "all":
            lines.append(
                f"{who} is a recipient, and opens {opens} of the newest backup"
                f"{'' if opens == 'nothing' else ' only'}: run `resurgam backup rekey`"
            )
        if one["state"] == "retired" and one["objects"]:
            until = f"records up to position {one['recordsUntil']}, secrets up to position {one['secretsUntil']}"
            ends = (
                "run `resurgam backup rekey`, and prune what was there before"
                if opens != "nothing"
                else f"until manifest {one['lastNamedBy']['sequence']} of {one['lastNamedBy']['createdAt']} and all "
                "before it are pruned (the newest verified backup never is: make a new one)"
            )
            lines.append(f"{who} is retired, and still opens {one['objects']} objects, {until}: {ends}")
    if not_known:
        lines.append(
            f"of {not_known} objects of the newest backup it is not known who opens them, an earlier program wrote "
            "them: run `resurgam backup rekey`"
        )
    return lines
