"""The names of a repository's objects (docs/reference/backup.md)."""

import re
from uuid import UUID

REPOSITORY_FILE = "resurgam-repository.json"
LINES_SUFFIX = ".jsonl.zst.age"

SEQUENCE_MAX = 10**19 - 1
"""The greatest number that a manifest's name can hold."""

_KEYRING = re.compile(r"[0-9a-f-]{36}/keyrings/(?P<sequence>[0-9]{19})-[0-9a-f]{64}" + re.escape(LINES_SUFFIX))
_PRUNE = re.compile(r"[0-9a-f-]{36}/prunes/(?P<sequence>[0-9]{19})\.json")
_MANIFEST = re.compile(r"[0-9a-f-]{36}/manifests/(?P<sequence>[0-9]{19})\.json")
_OBJECT = re.compile(
    r"[0-9a-f-]{36}/(?:segments/[0-9]{19}-[0-9]{19}|(?:answers|keyrings)/[0-9]{19})-(?P<sha256>[0-9a-f]{64})"
    + re.escape(LINES_SUFFIX)
)
_ATTESTATION = re.compile(r"[0-9a-f-]{36}/attestations/(?P<sequence>[0-9]{19})-(?P<sha256>[0-9a-f]{64})\.json")


def segment(deployment: str, first: int, last: int, sha256: str) -> str:
    """Return the name of a segment."""
    return f"{deployment}/segments/{first:019d}-{last:019d}-{sha256}{LINES_SUFFIX}"


def keyring(deployment: str, sequence: int, sha256: str) -> str:
    """Return the name of a keyring."""
    return f"{deployment}/keyrings/{sequence:019d}-{sha256}{LINES_SUFFIX}"


def keyring_sequence(name: str) -> int | None:
    """Return the sequence of the manifest that a keyring was written for; None if it is no keyring's name."""
    match = _KEYRING.fullmatch(name)
    return int(match["sequence"]) if match else None


def answers(deployment: str, sequence: int, sha256: str) -> str:
    """Return the name of an answers file."""
    return f"{deployment}/answers/{sequence:019d}-{sha256}{LINES_SUFFIX}"


def manifests(deployment: str) -> str:
    """Return the prefix of a deployment's manifests."""
    return f"{deployment}/manifests/"


def manifest(deployment: str, sequence: int) -> str:
    """Return the name of a manifest."""
    return f"{manifests(deployment)}{sequence:019d}.json"


def manifest_sequence(name: str) -> int | None:
    """Return the sequence that a manifest's name says; None if it is no manifest's name."""
    match = _MANIFEST.fullmatch(name)
    return int(match["sequence"]) if match else None


def attestations(deployment: str) -> str:
    """Return the prefix of a deployment's attestations."""
    return f"{deployment}/attestations/"


def attestation(deployment: str, sequence: int, sha256: str) -> str:
    """Return the name of an attestation of a manifest."""
    return f"{attestations(deployment)}{sequence:019d}-{sha256}.json"


def attested_sequence(name: str) -> int | None:
    """Return the sequence of the manifest that an attestation is of, by its name; None if it is no such name."""
    match = _ATTESTATION.fullmatch(name)
    return int(match["sequence"]) if match else None


def object_sha256(name: str) -> str | None:
    """Return the SHA-256 that the name of a segment, keyring or answers file says; None if it is no such name."""
    match = _OBJECT.fullmatch(name)
    return match["sha256"] if match else None


def prunes(deployment: str) -> str:
    """Return the prefix of a deployment's prune statements."""
    return f"{deployment}/prunes/"


def prune(deployment: str, sequence: int) -> str:
    """Return the name of a prune statement."""
    return f"{prunes(deployment)}{sequence:019d}.json"


def prune_sequence(name: str) -> int | None:
    """Return the sequence that a prune statement's name says; None if it is no such name."""
    match = _PRUNE.fullmatch(name)
    return int(match["sequence"]) if match else None


def is_prunable(name: str) -> bool:
    """Whether it is the name of something that a manifest names, or that is about one."""
    return object_sha256(name) is not None or attested_sequence(name) is not None


def deployment_of(name: str) -> str | None:
    """Return the deployment that an object belongs to; None if it is none's."""
    first = name.split("/", 1)[0]
    return first if is_deployment(first) else None


def is_deployment(text: str) -> bool:
    """Whether a text is a deployment's id in the form that names have."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
