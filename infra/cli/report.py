"""The report of a recovery or a drill, as people read it."""

from typing import Any

from infra.cli import output


def write(answer: dict[str, Any]) -> None:
    """Write what `infra.control_plane.recovery_report` describes."""
    last = answer["lastRecoveredChange"]
    if last is not None:
        actor = last["actor"].get("principal") or last["actor"]["os_user"]
        output.write_text(
            f"last recovered change: position {last['position']}, {last['recordedAt']}, {last['type']} of "
            f"{last['resource']}, by {actor}, {last['ageSeconds']} s ago; what came after it is lost"
        )
    output.write_table(
        ("area", "kind", "recovered"),
        [(area, kind, count) for area, kinds in answer["counts"].items() for kind, count in kinds.items()],
    )
    output.write_table(("comparison", "result"), [(c["name"], c["result"]) for c in answer["comparisons"]])
    changed = answer.get("inputsChanged", ())
    if changed:
        rows = [(one["field"], one.get("before"), one.get("after")) for one in changed]
        output.write_table(("deployment input", "before", "after"), rows)
    for one in answer.get("certificatesReissued", ()):
        output.write_text(f"TLS certificate issued anew: {one['after']}, for {', '.join(one['names'])}")
    for one in answer.get("certificatesKept", ()):
        output.write_text(f"certificate kept: {one['resource']}: {one['reason']}")
    for lost in answer["destroyedValues"]:
        output.write_text(f"destroyed at position {lost['shreddedAt']} and not recovered: {lost['resource']}")
    if answer["notRecovered"]["records"]:
        output.write_text(f"records of the backup beyond the asked moment: {answer['notRecovered']['records']}")
    output.write_text(f"out of scope: {answer['notRecovered']['outOfScope']}")
