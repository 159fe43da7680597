"""`resurgam backup`: makes backups, lists, verifies and drills them."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import Usage
from domain.instant import to_datetime
from infra.backup import choice, endorsement, memory, run, verification
from infra.backup.age import AgeIdentity, read_identity_file
from infra.backup.endorsement import Trust
from infra.backup.lines_file import with_identities
from infra.backup.manifest import Manifest
from infra.backup.segment import OpenerOf
from infra.cli import deployment, output, progress, repository, settings
from infra.cli.options import At, Json, RootKeyFile, Store, example, group
from infra.cli.repository import AcceptDamage, Deployment, Expect, Identity, Location, NamedVerifier, TrustFirstUse
from infra.control_plane import recovery, recovery_report
from infra.control_plane.plane import host_clock
from infra.control_plane.recovery import Wish
from infra.database.url import open_database

app = group("Make, list, verify and drill backups.")


@app.command("run", epilog=example("resurgam backup run --repository file:///srv/backups"))
def run_backup(
    as_json: Json = False,
    location: Location = None,
    store: Store = None,
    root_key_file: RootKeyFile = None,
    is_new: Annotated[bool, typer.Option("--new-repository", help="Begin a repository where there is none.")] = False,
) -> None:
    """Back up whatever is new, read it back, and state it in a signed manifest.

    It refuses (3, 6) if the log and its backups no longer agree. Killed at any moment, the next run goes on.
    """
    chosen = settings.load(store=store, root_key_file=root_key_file, repository=location)
    with deployment.opened(chosen) as plane:
        with plane.database.read() as session:
            has_backups = memory.has_backups(session)
        target = repository.opened_for_backup(chosen, has_backups=has_backups, is_new=is_new)
        with progress.shown(as_json=as_json) as heard:
            outcome = run.run(plane.database, plane.root_key, target, host_clock, heard)
    answer = {
        "status": "written" if outcome.is_new else "unchanged",
        **_described(outcome.manifest),
        "newRecords": outcome.records,
        "newKeys": outcome.keys,
        "writtenBytes": outcome.size_bytes,
        "manifestSha256": outcome.sha256,
    }
    if as_json:
        output.write_json(answer)
    else:
        output.write_fields(answer.items())


@app.command("list", epilog=example("resurgam backup list --repository file:///srv/backups"))
def list_backups(as_json: Json = False, location: Location = None, of: Deployment = None) -> None:
    """List the backups of each deployment, newest last; this needs no identity and no store."""
    opened = repository.opened(settings.load(repository=location))
    now = host_clock()
    listed = []
    for candidate in choice.candidates(opened):
        if of is None or candidate.deployment == of:
            rows = (
                [_described(stored.manifest) for stored in opened.chain(candidate.deployment)]
                if candidate.newest
                else []
            )
            listed.append({"deployment": candidate.deployment, "damage": candidate.damage, "backups": rows})
    if as_json:
        output.write_json({"repository": opened.id, "location": opened.store.location, "deployments": listed})
        return
    for found in listed:
        _write_list(found, now)


@app.command(epilog=example("resurgam backup verify", "resurgam backup verify --identity identity.txt"))
def verify(
    as_json: Json = False,
    location: Location = None,
    of: Deployment = None,
    identity: Identity = None,
    verifier: NamedVerifier = None,
    expect: Expect = None,
) -> None:
    """Check every object of the repository against its signed manifests.

    Without an identity: presence, sizes, hashes, signatures and the chain. With one also every record, the Merkle root
    and the keys. What this cannot tell, whether the records make the same state again, `backup drill` does.
    """
    opened = repository.opened(settings.load(repository=location))
    identities = read_identity_file(identity) if identity else ()
    named, expected = repository.parse_verifier(verifier), repository.parse_expectation(expect)
    opener_of = OpenerOf(with_identities(identities)) if identities else None
    answers = []
    for one in [of] if of else opened.deployments():
        with progress.shown(as_json=as_json) as heard:
            found = verification.verify(opened, one, opener_of, expected, heard)
        trust = endorsement.trust(found.newest.manifest, identities, named, first_use=True)
        answers.append({**_verified(found), "signer": trust.verifier.fingerprint, "signerTrust": _trust(trust)})
    if not answers:
        choice.choose(opened, of)
    if as_json:
        output.write_json({"repository": opened.id, "deployments": answers})
        return
    for answer in answers:
        output.write_fields(answer.items())


@app.command(epilog=example("resurgam backup drill --identity identity.txt"))
def drill(
    identity: Identity = None,
    as_json: Json = False,
    location: Location = None,
    of: Deployment = None,
    at: At = None,
    verifier: NamedVerifier = None,
    trust_first_use: TrustFirstUse = False,
    expect: Expect = None,
    accept_damage: AcceptDamage = False,
) -> None:
    """Recover a backup into a scratch store, compare it with what was backed up, and throw it away.

    Needs nothing but the repository and an identity; run it on a machine that is not the deployment's.
    """
    opened = repository.opened(settings.load(repository=location))
    wish = Wish(
        deployment=of,
        at=at,
        verifier=repository.parse_verifier(verifier),
        trust_first_use=trust_first_use,
        expect=repository.parse_expectation(expect),
        accept_damage=accept_damage,
    )
    identities = required_identities(identity)
    with tempfile.TemporaryDirectory(prefix="resurgam-drill-") as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'scratch.db'}", create=True)
        try:
            with progress.shown(as_json=as_json) as heard:
                report = recovery.drill(database, opened, identities, wish, host_clock(), heard)
        finally:
            database.close()
    answer = recovery_report.describe(report, host_clock())
    if as_json:
        output.write_json(answer)
    else:
        write_report(answer)


def required_identities(path: Path | None) -> tuple[AgeIdentity, ...]:
    """Return the identities of a file; Usage if none was named."""
    if path is None:
        raise Usage("no identity is named: use --identity FILE")
    return read_identity_file(path)


def write_report(answer: dict[str, Any]) -> None:
    """Write a recovery's or a drill's report for people."""
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
    for lost in answer["destroyedValues"]:
        output.write_text(f"destroyed at position {lost['shreddedAt']} and not recovered: {lost['resource']}")
    if answer["notRecovered"]["records"]:
        output.write_text(f"records of the backup beyond the asked moment: {answer['notRecovered']['records']}")
    output.write_text(f"out of scope: {answer['notRecovered']['outOfScope']}")


def _described(of: Manifest) -> dict[str, object]:
    return {
        "deployment": of.deployment,
        "sequence": of.sequence,
        "createdAt": of.created_at,
        "last": of.last,
        "lastRecordedAt": of.recorded_at,
        "release": of.release,
        "segments": len(of.segments),
        "sizeBytes": sum(entry.size_bytes for entry in of.objects()),
        "encryption": of.encryption,
        "recipients": [entry.fingerprint for entry in of.recipients],
        "signer": of.signer().fingerprint,
        "endorsedBy": [entry.fingerprint for entry in of.endorsements],
        "ancestor": of.ancestor.deployment if of.ancestor else None,
        "checkpoint": f"{of.last}:{of.opened_checkpoint().body().splitlines()[2]}",
    }


def _write_list(found: dict[str, Any], now: str) -> None:
    rows = found["backups"]
    if found["damage"]:
        output.write_text(f"deployment {found['deployment']} is damaged: {found['damage']}")
        return
    newest = rows[-1]
    age = round((to_datetime(now) - to_datetime(newest["createdAt"])).total_seconds())
    ancestor = f", recovered from {newest['ancestor']}" if newest["ancestor"] else ""
    output.write_text(
        f"deployment {found['deployment']}{ancestor}: newest backup {age} s old, "
        f"up to position {newest['last']}, {newest['encryption']}"
    )
    columns = ("sequence", "createdAt", "last", "segments", "sizeBytes", "release", "signer")
    output.write_table(columns, [[row[column] for column in columns] for row in rows])


def _verified(found: verification.Verified) -> dict[str, object]:
    of = found.newest.manifest
    return {
        "deployment": of.deployment,
        "opened": found.opened,
        "manifests": found.manifests,
        "segments": found.segments,
        "keyrings": found.keyrings,
        "records": found.records,
        "keys": found.keys,
        "sizeBytes": found.size_bytes,
        "restorable": {"first": 1 if of.last else 0, "last": of.last, "until": of.recorded_at},
        "unnamedObjects": list(found.unnamed),
    }


def _trust(trust: Trust) -> str:
    return {"Endorsed": "endorsed", "Named": "named", "FirstUse": "unproven"}[trust.reason]
