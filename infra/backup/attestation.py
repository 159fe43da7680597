"""Attestations: that a backup was read from its repository, replayed and found equal (docs/reference/backup.md)."""

import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field, ValidationError

from domain.errors import Conflict, Corrupt, NotFound
from domain.instant import is_canonical
from domain.release import RELEASE
from infra.backup import layout
from infra.backup.age import AgeIdentity, fingerprint
from infra.backup.manifest import Count, Hex, Instant, Part, Uuid
from infra.backup.repository import Repository, Stored
from infra.canonical_json import decode_canonical, encode
from infra.keys import base64_text
from infra.keys.signer import Signer
from projections.version import FOLD_GENERATION

FORMAT = 1
PREFIX = b"resurgam-attestation-1\n"
KEY_INFO = b"resurgam-attestation-key-1"
SIGNATURE_LABEL = b"ed25519 "
MAC_LABEL = b"hmac-sha256 "
BYTES_MAX = 4_096

Standing = Literal["valid", "unchecked", "invalid"]
"""Unchecked is one by the holder of an identity that is not at hand: it counts for no more than an invalid one."""


class Attestation(Part):
    """See docs/reference/backup.md for every member."""

    format: Literal[1] = 1
    repository: Uuid
    deployment: Uuid
    sequence: Annotated[int, Field(ge=1, le=layout.SEQUENCE_MAX)]
    manifest_sha256: Hex
    position: Count
    root: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
    state_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
    keys: Count
    fingerprint: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")]
    verified_at: Instant
    release: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,32}$")]
    fold_generation: int

    def by(self) -> str:
        """Return who verified, as operators read it."""
        return f"identity {self.fingerprint}" if self.fingerprint else "deployment"


@dataclass(frozen=True, slots=True)
class Judged:
    """An attestation's object and what it is worth; `reason` says why it is not valid."""

    name: str
    standing: Standing
    attestation: Attestation | None
    reason: str = ""


def of_manifest(stored: Stored, keys: int, verified_at: str, by: Signer | AgeIdentity) -> bytes:
    """Return the object that attests a manifest whose replay gave what it says, proven by a signer or an identity.

    `keys` is how many live keys were found; `verified_at` is when the first object was read.
    """
    of = stored.manifest
    stated = Attestation(
        repository=of.repository,
        deployment=of.deployment,
        sequence=of.sequence,
        manifest_sha256=stored.sha256,
        position=of.last,
        root=base64_text.encode(of.opened_checkpoint().root),
        state_digest=of.state_digest,
        keys=keys,
        fingerprint="" if isinstance(by, Signer) else fingerprint(by.recipient),
        verified_at=verified_at,
        release=RELEASE,
        fold_generation=FOLD_GENERATION,
    )
    body = encode(stated.model_dump(mode="json")) + b"\n"
    if isinstance(by, Signer):
        return body + SIGNATURE_LABEL + base64_text.encode(by.sign(PREFIX + body)).encode() + b"\n"
    return body + MAC_LABEL + base64_text.encode(_mac(by, body)).encode() + b"\n"


def put(repository: Repository, of: Stored, data: bytes) -> str:
    """Put an attestation of a manifest into the repository, read it back, and return its name."""
    name = layout.attestation(of.manifest.deployment, of.manifest.sequence, sha256(data).hexdigest())
    with suppress(Conflict):
        repository.store.put_new(name, data)
    if repository.store.get(name) != data:
        raise Corrupt(f"{name} reads back differently from what was written")
    return name


def names(repository: Repository, deployment: str) -> list[str]:
    """Return the names of a deployment's attestations, in the order of the manifests; other names are nobody's."""
    listed = repository.store.list(layout.attestations(deployment))
    return [name for name in listed if layout.attested_sequence(name) is not None]


def judge(repository: Repository, name: str, of: Stored, identities: Sequence[AgeIdentity] = ()) -> Judged:
    """Read an attestation and say what it is worth as one of this manifest, which is intact."""
    try:
        if repository.store.head(name) > BYTES_MAX:
            raise Corrupt(f"it has more than {BYTES_MAX} bytes")
        data = repository.store.get(name)
        if layout.attestation(of.manifest.deployment, of.manifest.sequence, sha256(data).hexdigest()) != name:
            raise Corrupt("it is not what its name says")
        attestation, body, proof = _parse(data)
        _check_claims(attestation, of)
        if attestation.fingerprint:
            return _judge_mac(name, attestation, body, proof, identities)
        of.manifest.signer().verify(PREFIX + body, _proof(proof, SIGNATURE_LABEL))
    except (Corrupt, NotFound) as error:
        return Judged(name, "invalid", None, str(error))
    return Judged(name, "valid", attestation)


def _judge_mac(
    name: str, attestation: Attestation, body: bytes, proof: bytes, identities: Sequence[AgeIdentity]
) -> Judged:
    mac = _proof(proof, MAC_LABEL)
    if attestation.fingerprint not in (recipient := [fingerprint(identity.recipient) for identity in identities]):
        reason = f"only with the identity {attestation.fingerprint} can it be checked"
        return Judged(name, "unchecked", attestation, reason)
    if not hmac.compare_digest(_mac(identities[recipient.index(attestation.fingerprint)], body), mac):
        raise Corrupt(f"the holder of the identity {attestation.fingerprint} did not make it: it is forged")
    return Judged(name, "valid", attestation)


def _parse(data: bytes) -> tuple[Attestation, bytes, bytes]:
    """Return the attestation, its first line with the line feed, and its second without."""
    body, newline, proof = data.partition(b"\n")
    if not proof.endswith(b"\n"):
        raise Corrupt("it is no attestation")
    value = decode_canonical(body, "it")
    try:
        attestation = Attestation.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Corrupt(f"it is no attestation of format {FORMAT}: {where}: {first['msg']}") from None
    if encode(attestation.model_dump(mode="json")) != body:
        raise Corrupt("it does not re-serialise to itself")
    if not is_canonical(attestation.verified_at):
        raise Corrupt(f"{attestation.verified_at} is no instant")
    return attestation, body + newline, proof[:-1]


def _check_claims(attestation: Attestation, of: Stored) -> None:
    stated, manifest = attestation, of.manifest
    claimed = (stated.repository, stated.deployment, stated.sequence, stated.manifest_sha256)
    if claimed != (manifest.repository, manifest.deployment, manifest.sequence, of.sha256):
        raise Corrupt(f"it is of another manifest than {manifest.name}")
    root = base64_text.encode(manifest.opened_checkpoint().root)
    if (stated.position, stated.root, stated.state_digest) != (manifest.last, root, manifest.state_digest):
        raise Corrupt(f"it says that {manifest.name} gave something else than that manifest says")


def _proof(line: bytes, label: bytes) -> bytes:
    if not line.startswith(label):
        raise Corrupt(f"it is not proven by {label.decode().strip()}")
    try:
        return base64_text.decode(line[len(label) :].decode("ascii"))
    except ValueError:
        raise Corrupt("its second line is not base64") from None


def _mac(identity: AgeIdentity, body: bytes) -> bytes:
    key = HKDF(SHA256(), 32, salt=None, info=KEY_INFO).derive(identity.seed)
    return hmac.new(key, PREFIX + body, sha256).digest()
