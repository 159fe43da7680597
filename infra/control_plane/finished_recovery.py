"""Finished recoveries: a store keeps the report of its own, so that the same command again shows it and does nothing.

A run may be killed between its commit and its last line; whoever repeats the command wants to know how it ended.
"""

from pathlib import Path
from typing import Any

from infra.backup import memory
from infra.canonical_json import decode, encode
from infra.control_plane.recovery import Plan, Wish
from infra.database.session import Database, Session
from infra.keys.root_key import FileRootKey
from infra.log import head, local_fact

REPORT = "recovery-report"


def put(session: Session, planned: Plan, wish: Wish, position: int, report: dict[str, Any]) -> None:
    """Keep the report in the recovery's own transaction; `position` is where its log ends."""
    fact = {"of": _asked(planned, wish), "position": position, "report": report}
    local_fact.put(session, REPORT, encode(fact))


def find(database: Database, root_key_file: Path, planned: Plan, wish: Wish) -> dict[str, Any] | None:
    """Return the report if exactly this was recovered into the store, and nothing was recorded since.

    NotFound or WrongKey if the root key file is not the one that the recovery made.
    """
    with database.read() as session:
        data = local_fact.get(session, REPORT) if session.has_table("log_head") else None
        if data is None:
            return None
        fact = decode(data, "the report that is kept of the recovery")
        if fact["of"] != _asked(planned, wish) or fact["position"] != head.read_open(session).position:
            return None
        memory.get_signer(session, FileRootKey.load(root_key_file))
        report: dict[str, Any] = fact["report"]
        return report


def _asked(planned: Plan, wish: Wish) -> dict[str, Any]:
    """Return which backup was taken, and what was wished of it, as it was typed."""
    of = planned.manifest
    return {
        "at": wish.at,
        "deployment": of.deployment,
        "manifest": of.sequence,
        "sha256": planned.stored.sha256,
        "inputs": None if wish.inputs is None else wish.inputs.fields(),
    }
