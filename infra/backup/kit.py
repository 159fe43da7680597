"""The kit: what a bare machine needs to recover a deployment, to be printed and kept with the identity; no secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from domain.backup_recipient import recipients
from domain.deployment import DEPLOYMENT, DEPLOYMENT_ID
from domain.errors import Corrupt, NotFound
from infra.backup import memory, status
from infra.backup.age import fingerprint, parse_recipient
from infra.backup.freshness import Freshness
from infra.backup.repository import Repository, Stored
from infra.backup.status import InRepository, InStore
from infra.database.session import Database
from infra.keys import base64_text
from infra.keys.root_key import RootKey
from infra.keys.signer import Verifier
from infra.log import head
from infra.state.snapshot import Snapshot

IDENTITY = "identity.txt"
STORE = "sqlite:///recovered.db"
ROOT_KEY = "recovered.root-key"
RESULT = f"--store {STORE} --root-key-file {ROOT_KEY}"

CREDENTIALS: Mapping[str, str] = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile; AWS_REGION; AWS_ENDPOINT_URL_S3 for a service of "
    "your own",
    "azure": "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_SAS_TOKEN, or a client; AZURE_STORAGE_ENDPOINT for another "
    "cloud",
    "smb": "RESURGAM_SMB_USERNAME and RESURGAM_SMB_PASSWORD, or a Kerberos ticket",
    "file": "none but the right to read the folder: mount it at this very path, or write its place into the commands",
}
"""By what the place is reached; the values are on no paper."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A recipient of the newest backup: whose identity opens it. The label is empty if nobody gave one."""

    fingerprint: str
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: what and why, and the exact commands, if it has any."""

    text: str
    commands: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Kit:
    """What was true of a deployment's backups when the kit was made."""

    made_at: str
    location: str
    deployment: str
    region: str
    domain: str
    release: str
    sequence: int
    created_at: str
    position: int
    checkpoint: str
    verifier: str
    fingerprint: str
    encryption: str
    holders: Sequence[Holder]

    def credentials(self) -> str:
        """Return by what the repository's place is reached."""
        return CREDENTIALS[self.location.partition(":")[0]]

    def steps(self) -> list[Step]:
        """Return what to do on the bare machine, in order."""
        place, of = quote(self.location), f"--deployment {self.deployment}"
        recover = (
            f"resurgam recover {place} --identity {IDENTITY} {of} "
            f"--verifier {quote(self.verifier)} --expect {quote(self.checkpoint)}"
        )
        return [
            Step("Cut the network of the old machines, if any of them may still run."),
            Step(
                f"Install Resurgam of release {self.release} or the next one, give the repository's credentials in the "
                f"environment, and put the identity into the file {IDENTITY} (chmod 600), or write the name of its own "
                "file into the commands. Its fingerprint is one of those above.",
                ["resurgam release", f"resurgam key inspect --identity {IDENTITY}"],
            ),
            Step(
                "See what is there. A deployment that says 'recovered from' or 'forked from' this one came after it: "
                "then use its kit.",
                [f"resurgam backup list --repository {place}"],
            ),
            Step(
                "See what would be recovered; nothing is changed. It is refused (6) if the repository is older than "
                "this paper, or if somebody else signed it.",
                [f"{recover} --plan"],
            ),
            Step(
                "Recover, into files that are not there yet. Instead of the first, any empty database does "
                "(postgresql://…).",
                [f"{recover} {RESULT}"],
            ),
            Step(
                f"Keep a copy of {ROOT_KEY}. Make the first backup, and print the kit of the new deployment: its id "
                "and its signer are new ones.",
                [
                    f"resurgam backup run --repository {place} {RESULT}",
                    f"resurgam backup kit --repository {place} {RESULT} --output kit.txt",
                ],
            ),
        ]


def make(database: Database, root_key: RootKey, repository: Repository, now: str) -> Kit:
    """Return the kit for the newest backup of the deployment.

    It is checked against what the deployment itself knows, so that nobody who writes into the repository can put
    another signer on the paper.
    """
    with database.read() as session:
        last = memory.last_manifests(session)
        deployment = head.read_open(session).deployment
        verifier = memory.get_signer(session, root_key).verifier
    newest = repository.newest(deployment)
    if newest is None:
        raise NotFound(f"{repository.store.location} holds no backup of this deployment: run `resurgam backup run`")
    if newest.manifest.verifier != str(verifier):
        raise Corrupt(
            f"{newest.manifest.name} is signed by another signer than this deployment's: find out who wrote it"
        )
    remembered = next((one for one in last if one.manifest.repository == repository.id), None)
    with database.read() as session:
        at = head.read_open(session)
        found, known = InRepository(newest, Freshness(None, ())), InStore(at, remembered, (), ())
        status.check_goes_forward(found, known, repository.store.location)
        return _kit(Snapshot(session, at.position), newest, verifier, repository.store.location, now)


def _kit(state: Snapshot, newest: Stored, verifier: Verifier, location: str, now: str) -> Kit:
    of = newest.manifest
    labels = {fingerprint(parse_recipient(one["recipient"])): one["label"] for one in recipients(state)}
    inputs = DEPLOYMENT.need(state, DEPLOYMENT_ID, rule="deployment-exists")["inputs"]
    checkpoint = of.opened_checkpoint()
    return Kit(
        made_at=now,
        location=location,
        deployment=of.deployment,
        region=inputs["region"],
        domain=inputs["externalDomainName"],
        release=of.release,
        sequence=of.sequence,
        created_at=of.created_at,
        position=of.last,
        checkpoint=f"{checkpoint.size}:{base64_text.encode(checkpoint.root)}",
        verifier=str(verifier),
        fingerprint=verifier.fingerprint,
        encryption=of.encryption,
        holders=[Holder(one.fingerprint, one.kind, labels.get(one.fingerprint, "")) for one in of.recipients],
    )
