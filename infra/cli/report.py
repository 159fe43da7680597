"""The report of a recovery or a drill as sections, which every form of it that people read is made of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from domain.resource import SERVICES
from infra.cli import duration, output


class Section(NamedTuple):
    """A part of the report: lines of text, and a table if there are columns."""

    title: str
    text: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()


def sections(answer: Mapping[str, Any]) -> list[Section]:
    """Return what `infra.control_plane.recovery_report` describes, what matters most first; empty ones are left out."""
    found = [
        _last(answer),
        _backup(answer["plan"]),
        _counts(answer["counts"]),
        _comparisons(answer),
        *_first_records(answer),
        *_survivors(answer.get("survivors")),
        *_needing_a_hand(answer),
        _not_recovered(answer),
        *_end(answer),
    ]
    return [section for section in found if section.text or section.rows]


def write(answer: Mapping[str, Any]) -> None:
    """Write the report to standard output."""
    for number, section in enumerate(sections(answer)):
        if number:
            output.write_text("")
        if section.rows:
            output.write_table(section.columns, section.rows)
        for line in section.text:
            output.write_text(line)


def text(answer: Mapping[str, Any]) -> str:
    """Return the report as plain text, under headings."""
    parts = []
    for section in sections(answer):
        lines = [section.title, "-" * len(section.title)]
        if section.rows:
            lines += output.table_lines(section.columns, section.rows)
        parts.append("\n".join([*lines, *map(output.visible, section.text)]))
    return "\n\n".join(parts) + "\n"


def _last(answer: Mapping[str, Any]) -> Section:
    last = answer["lastRecoveredChange"]
    if last is None:
        return Section("Last recovered change")
    actor = last["actor"].get("principal") or last["actor"]["os_user"]
    age = duration.shown(last["ageSeconds"])
    line = (
        f"last recovered change: position {last['position']}, {last['recordedAt']}, {last['type']} of "
        f"{last['resource']}, by {actor}, {age} ago; what came after it is lost"
    )
    return Section("Last recovered change", [line])


def _backup(plan: Mapping[str, Any]) -> Section:
    signer = plan["signer"]
    rows = [
        ("deployment", plan["deployment"]),
        ("recovered from", plan["ancestor"]),
        ("manifest", f"{plan['manifest']} of {plan['createdAt']}, release {plan['release']}"),
        ("positions", f"{plan['positions']['first']} to {plan['positions']['last']}"),
        ("checkpoint", plan["checkpoint"]),
        ("signer", f"{signer['fingerprint']}, trusted: {signer['trust']}"),
    ]
    return Section("The backup", (), ("backup", ""), [row for row in rows if row[1]])


def _counts(counts: Mapping[str, Mapping[str, int]]) -> Section:
    rows = [(area, kind, count) for area in SERVICES for kind, count in counts.get(area, {}).items()]
    return Section("What came back", (), ("area", "kind", "recovered"), rows)


def _comparisons(answer: Mapping[str, Any]) -> Section:
    rows = [(c["name"], c["result"]) for c in answer["comparisons"]]
    none = () if answer["plan"]["answers"] else ("answers: the backup holds none; verified backups do",)
    return Section("How it was compared", none, ("comparison", "result"), rows)


def _first_records(answer: Mapping[str, Any]) -> Iterator[Section]:
    changed = [(c["field"], c.get("before"), c.get("after")) for c in answer.get("inputsChanged", ())]
    yield Section("Changed deployment inputs", (), ("deployment input", "before", "after"), changed)
    reissued = [(r["after"], ", ".join(r["names"])) for r in answer.get("certificatesReissued", ())]
    yield Section("TLS certificates issued anew", (), ("new certificate", "for"), reissued)
    kept = [(k["resource"], k["reason"]) for k in answer.get("certificatesKept", ())]
    yield Section("Certificates kept", (), ("certificate kept", "because"), kept)
    lost = answer["destroyedValues"]
    yield Section(
        "Destroyed values",
        [f"destroyed at position {one['shreddedAt']} and not recovered: {one['resource']}" for one in lost],
    )


def _survivors(found: Mapping[str, Any] | None) -> Iterator[Section]:
    if found is None:
        return
    phantom, unknown, drifted = found["phantom"], found["unknown"], found["drifted"]
    kinds = ", ".join(found["kinds"])
    summary = (
        f"of {found['survivors']} survivors {found['recovered']} were recovered; compared: {kinds or 'no kind'}",
        f"phantom (recovered, and did not survive): {phantom['count']}",
        f"unknown (survived, and was not recovered): {unknown['count']}",
        f"drifted (survived with other fields): {drifted['count']}",
    )
    yield Section("Held against what survived", summary)
    yield Section("Phantom", (), ("phantom", "kind"), [(one["resource"], one["kind"]) for one in phantom["first"]])
    rows = [(one["survivor"], f"line {one['line']}") for one in unknown["first"]]
    yield Section("Unknown", (), ("unknown", "inventory"), rows)
    differing = [
        (one["resource"], f["field"], *(("sealed", "not compared") if f["sealed"] else (f["recovered"], f["survived"])))
        for one in drifted["first"]
        for f in one["fields"]
    ]
    yield Section("Drifted", (), ("drifted", "field", "recovered", "survived"), differing)


def _needing_a_hand(answer: Mapping[str, Any]) -> Iterator[Section]:
    expiring = [
        ("expired" if e["expired"] else "expires", e["expires"], e["resource"], e["what"])
        for e in answer.get("expiring", ())
    ]
    yield Section("Expired, or within 90 days", (), ("expiry", "on", "resource", "what"), expiring)
    by_hand = [(provider,) for provider in answer.get("providersToRestoreByHand", ())]
    yield Section("Resource providers to restore by hand", (), ("restore by hand",), by_hand)
    trusts = [(trust,) for trust in answer.get("federationToReestablish", ())]
    yield Section("Federation to re-establish", (), ("re-establish with the partner",), trusts)


def _not_recovered(answer: Mapping[str, Any]) -> Section:
    missing = answer["notRecovered"]
    beyond = [f"records of the backup beyond the asked moment: {missing['records']}"] if missing["records"] else []
    return Section("Not recovered", [*beyond, f"out of scope: {missing['outOfScope']}"])


def _end(answer: Mapping[str, Any]) -> Iterator[Section]:
    if answer.get("attestation"):
        yield Section("Attestation", [f"attested as {answer['attestation']}"])
    if "next" in answer:
        opened = (
            f"the deployment is open as {answer['deployment']}; its root key is in {answer['rootKeyFile']}: "
            "keep a copy of it"
        )
        yield Section("The deployment", [opened])
        yield Section("Next", ["next:", *(f"  {step}" for step in answer["next"])])
