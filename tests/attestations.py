"""Attestations that tests make: at any time, by anybody, and forged in any way."""

from hashlib import sha256
from typing import Any

from infra.backup import attestation, layout, memory
from infra.backup.age import AgeIdentity
from infra.backup.repository import Repository, Stored
from infra.canonical_json import decode, encode
from infra.keys import base64_text
from infra.keys.signer import Signer
from tests.backup_estate import Estate


def signer_of(made: Estate) -> Signer:
    with made.database.read() as session:
        return memory.get_signer(session, made.root_key)


def stored(made: Estate, sequence: int) -> Stored:
    return made.repository.read(layout.manifest(made.deployment, sequence))


def attest(made: Estate, sequence: int, at: str, by: AgeIdentity | None = None) -> str:
    """Put a good attestation into the repository, and return its name."""
    of = stored(made, sequence)
    return attestation.put(
        made.repository, of, attestation.of_manifest(of, 7, at, by if by is not None else signer_of(made))
    )


def forged(data: bytes, signer: Signer, **changes: Any) -> bytes:
    """Return an attestation with other members, which the signer signed."""
    body = encode({**decode(data.partition(b"\n")[0], "it"), **changes}) + b"\n"
    return body + b"ed25519 " + base64_text.encode(signer.sign(attestation.PREFIX + body)).encode() + b"\n"


def put(repository: Repository, deployment: str, sequence: int, data: bytes) -> str:
    """Put whatever bytes under the name that they have as an attestation."""
    name = layout.attestation(deployment, sequence, sha256(data).hexdigest())
    repository.store.put_new(name, data)
    return name
