"""What a deployment remembers of its backups: its signer, last manifests, endorsements, and segments' file keys."""

from collections.abc import Iterable
from dataclasses import dataclass

from domain.errors import Corrupt
from infra.backup import manifest
from infra.backup.age import FILE_KEY_BYTES
from infra.backup.manifest import EndorsementEntry
from infra.backup.repository import Stored
from infra.canonical_json import decode, encode
from infra.database.session import Session
from infra.keys import base64_text
from infra.keys.root_key import RootKey
from infra.keys.signer import Signer
from infra.log import local_fact, wrapping

SIGNER = "signer"
LAST_MANIFEST = "last-manifest/"
ENDORSEMENT = "endorsement/"
SEGMENT_KEY = "segment-key/"
ANCESTOR = "ancestor"


def put_signer(session: Session, signer: Signer, root_key: RootKey) -> None:
    """Keep the signer, its seed wrapped by the root key, which is in use from now on."""
    wrapping.put(session, root_key)
    wrapped = base64_text.encode(root_key.wrap(SIGNER, signer.seed))
    local_fact.put(session, SIGNER, encode({"name": signer.verifier.name, "wrapped": wrapped}))


def get_signer(session: Session, root_key: RootKey) -> Signer:
    """Return the deployment's signer."""
    fact = local_fact.get(session, SIGNER)
    if fact is None:
        raise Corrupt("the store has no signer: it was not made by `resurgam init` or `resurgam recover`")
    value = decode(fact, "the stored signer")
    return Signer(value["name"], root_key.unwrap(SIGNER, base64_text.decode(value["wrapped"])))


def rewrap(session: Session, old: RootKey, new: RootKey) -> None:
    """Wrap by another root key what is wrapped here; the caller holds the lock on the head."""
    put_signer(session, get_signer(session, old), new)
    for name, wrapped in local_fact.with_prefix(session, SEGMENT_KEY).items():
        local_fact.put(session, name, new.wrap(name, old.unwrap(name, wrapped)))


def check_all(session: Session, root_key: RootKey) -> None:
    """Unwrap everything that is wrapped here; WrongKey, naming it, if something does not open."""
    get_signer(session, root_key)
    for name, wrapped in local_fact.with_prefix(session, SEGMENT_KEY).items():
        root_key.unwrap(name, wrapped)


def put_manifest(session: Session, stored: Stored) -> None:
    """Remember a manifest as the last one in its repository, unless a later one is remembered.

    The caller holds the lock on the head, so that runs which end together take turns.
    """
    repository = stored.manifest.repository
    last = last_manifest(session, repository)
    if last is None or last.manifest.sequence < stored.manifest.sequence:
        local_fact.put(session, LAST_MANIFEST + repository, stored.data)


def has_backups(session: Session) -> bool:
    """Whether this deployment ever wrote a manifest, into whichever repository."""
    return bool(local_fact.with_prefix(session, LAST_MANIFEST))


def last_manifest(session: Session, repository: str) -> Stored | None:
    """Return the last manifest that this deployment wrote into a repository."""
    data = local_fact.get(session, LAST_MANIFEST + repository)
    return None if data is None else Stored(manifest.decode(data, "the remembered manifest"), data)


def last_manifests(session: Session) -> list[Stored]:
    """Return the last manifest that this deployment wrote into each repository."""
    facts = local_fact.with_prefix(session, LAST_MANIFEST)
    return [Stored(manifest.decode(data, "the remembered manifest"), data) for data in facts.values()]


def put_segment_key(session: Session, sha256: str, file_key: bytes, root_key: RootKey) -> None:
    """Keep the age file key of a segment of ours, padded to a data key's length and wrapped by the root key."""
    padded = file_key.ljust(32, b"\0")
    local_fact.put(session, SEGMENT_KEY + sha256, root_key.wrap(SEGMENT_KEY + sha256, padded))


def segment_keys(session: Session, sha256s: Iterable[str], root_key: RootKey) -> dict[str, bytes]:
    """Return the file keys that are kept of segments, by their SHA-256."""
    found = ((sha256, local_fact.get(session, SEGMENT_KEY + sha256)) for sha256 in sha256s)
    return {
        sha256: root_key.unwrap(SEGMENT_KEY + sha256, wrapped)[:FILE_KEY_BYTES]
        for sha256, wrapped in found
        if wrapped is not None
    }


def forget_segment_keys(session: Session, sha256s: Iterable[str]) -> None:
    """Forget the file keys of segments that are deleted."""
    local_fact.delete(session, (SEGMENT_KEY + sha256 for sha256 in sha256s))


def forget_backups(session: Session) -> None:
    """Forget the chain of a signer that is lost: its manifests, its endorsements, and the file keys of its segments."""
    for prefix in (LAST_MANIFEST, ENDORSEMENT, SEGMENT_KEY):
        local_fact.delete(session, local_fact.with_prefix(session, prefix))


def put_endorsement(session: Session, endorsement: EndorsementEntry) -> None:
    """Keep an endorsement of our signer; it stands in every manifest from now on."""
    local_fact.put(session, ENDORSEMENT + endorsement.fingerprint, endorsement.mac.encode())


def endorsements(session: Session) -> tuple[EndorsementEntry, ...]:
    """Return the endorsements of our signer."""
    facts = local_fact.with_prefix(session, ENDORSEMENT)
    return tuple(
        EndorsementEntry(fingerprint=name.removeprefix(ENDORSEMENT), mac=mac.decode()) for name, mac in facts.items()
    )


@dataclass(frozen=True, slots=True)
class Remembered:
    """What every manifest says of its writer."""

    signer: Signer
    endorsements: tuple[EndorsementEntry, ...]
    ancestor: manifest.Ancestor | None


def read(session: Session, root_key: RootKey) -> Remembered:
    """Return what the deployment remembers."""
    ancestor = local_fact.get(session, ANCESTOR)
    return Remembered(
        signer=get_signer(session, root_key),
        endorsements=endorsements(session),
        ancestor=manifest.Ancestor.model_validate(decode(ancestor, "the stored ancestor")) if ancestor else None,
    )
