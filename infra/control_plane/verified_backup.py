"""Verified backups: what proves that a backup can be replayed from its repository, and the attestation that says so."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Corrupt, Refused, Unavailable, WrongKey
from infra.backup import answers, attestation, audience, holes, memory, run
from infra.backup.age import AgeIdentity, fingerprint
from infra.backup.endorsement import Trust
from infra.backup.rebuild import Limit
from infra.backup.repository import Repository
from infra.backup.run import Outcome
from infra.backup.segment import OpenerOf
from infra.control_plane import recovery
from infra.control_plane.recovery import Plan, Report, Wish
from infra.database.session import Database
from infra.database.url import open_database
from infra.keys.root_key import RootKey
from projections.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Verified:
    """A backup that its deployment made, read back, replayed and attested under a name in the repository."""

    outcome: Outcome
    report: Report
    attestation: str


@dataclass(frozen=True, slots=True)
class Attested:
    """What became of a drill's attestation: its name in the repository, or why there is none."""

    name: str = ""
    reason: str = ""


def make(
    database: Database,
    root_key: RootKey,
    repository: Repository,
    clock: Callable[[], str],
    progress: Progress = silent,
) -> Verified:
    """Back up whatever is new with a new base of the keyring, replay it all from the repository, and attest.

    What it cannot prove is that an identity opens the backup: the running deployment holds none. Raises Corrupt if
    anything that was read differs from what was backed up, or if an earlier manifest is missing, without which
    `recover` refuses: the backup stays, unverified.
    """
    outcome = run.run(database, root_key, repository, clock, progress, begins_keyring=True, asks=True)
    verified_at = clock()
    stored = repository.read(outcome.manifest.name)
    if stored.sha256 != outcome.sha256:
        raise Corrupt(f"{outcome.manifest.name} is another one than this deployment has just written")
    holes.check(repository, stored.manifest)
    with database.read() as session:
        signer = memory.get_signer(session, root_key)
        sha256s = [entry.sha256 for entry in stored.manifest.segments]
        file_keys = memory.segment_keys(session, sha256s, root_key)
    planned = Plan(stored, Trust("Named", signer.verifier), Limit())
    opener_of = OpenerOf(None, {**file_keys, **outcome.keyring_keys, **outcome.answers_keys})
    with scratch() as store:
        report = recovery.replay(store, repository, planned, opener_of, Wish(), progress)
    assert not _unequal(report), "what this program has just written it can compare"
    data = attestation.of_manifest(stored, report.keys, verified_at, signer)
    return Verified(outcome, report, attestation.put(repository, stored, data))


def attest_drill(
    repository: Repository, report: Report, identities: Sequence[AgeIdentity], verified_at: str
) -> Attested:
    """Attest what a drill proved, by the first of its identities that opens the whole backup.

    Without the right to write there is no attestation, which takes nothing from the drill.
    """
    stored = report.plan.stored
    if reason := _unequal(report):
        return Attested(reason=reason)
    if report.plan.trust.reason == "FirstUse":
        return Attested(reason="nothing proves the signer; endorse it, or name it with --verifier")
    if report.keyring_sequence != stored.manifest.sequence:
        return Attested(reason=f"its own keyring is gone, and the keys are those of manifest {report.keyring_sequence}")
    holders = (one for one in identities if not audience.closed_to(stored.manifest, {fingerprint(one.recipient)}))
    holder = next(holders, None)
    if holder is None:
        return Attested(reason="none of the identities opens the whole backup alone; `resurgam backup rekey` helps")
    data = attestation.of_manifest(stored, report.keys, verified_at, holder)
    try:
        return Attested(name=attestation.put(repository, stored, data))
    except (Refused, Unavailable, WrongKey) as error:
        return Attested(reason=f"the repository takes no attestation from here: {error}")


def _unequal(report: Report) -> str:
    """Return what was not compared, of which nothing can be attested; what was compared and differs was refused."""
    return "; ".join(
        f"the {measure.name} was {measure.result}"
        for measure in report.measures
        if measure.result != "equal" and measure.name not in answers.NAMES
    )


@contextmanager
def scratch() -> Iterator[Database]:
    """Yield an empty store for a replay, which is thrown away; it never holds keys."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="resurgam-drill-")
    except OSError as error:
        raise Unavailable(f"cannot make a temporary folder, TMPDIR names another place: {error.strerror}") from error
    with folder as name:
        database = open_database(f"sqlite:///{Path(name) / 'scratch.db'}", create=True)
        try:
            yield database
        finally:
            database.close()
