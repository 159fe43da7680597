"""What an attacker could make of a repository: manifests signed anew, and keyrings that lack a key."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from infra.backup import lines_file, manifest
from infra.backup.age import AgeIdentity
from infra.backup.manifest import EndorsementEntry, KeyringEntry, Manifest, SegmentEntry
from infra.backup.repository import Repository
from infra.backup.signed_document import SIGNATURE_LABEL
from infra.backup.stores.directory import DirectoryStore
from infra.canonical_json import decode, encode
from infra.keys import base64_text
from infra.keys.signer import Signer
from infra.log import checkpoint
from infra.log.checkpoint import Checkpoint
from infra.log.merkle import Frontier, leaf_hash

Edit = Callable[[Manifest], Manifest]


def unchanged(of: Manifest) -> Manifest:
    return of


def re_signed(of: Manifest, signer: Signer) -> Manifest:
    """The manifest as this signer would have written it."""
    told = of.opened_checkpoint()
    anew = checkpoint.sign(Checkpoint(told.origin, told.size, told.root), signer)
    return of.model_copy(update={"verifier": str(signer.verifier), "checkpoint": anew})


def re_sign(root: Path, deployment: str, signer: Signer, edit: Edit = unchanged) -> None:
    """Sign a whole chain anew, each manifest edited before; all of it stays consistent."""
    repository = Repository.open(DirectoryStore(root))
    previous = ""
    for stored in list(repository.chain(deployment)):
        changed = edit(re_signed(stored.manifest, signer)).model_copy(update={"previous": previous})
        data = manifest.sign(changed, signer)
        (root / changed.name).write_bytes(data)
        previous = sha256(data).hexdigest()


def stranger(deployment: str) -> Signer:
    """A signer of an attacker's own with the deployment's name."""
    return Signer.generate(manifest.origin(deployment))


def without_key(root: Path, of: Manifest, identity: AgeIdentity, key_id: str) -> Manifest:
    """The manifest with a keyring in which one key is missing; its file is put into the repository."""
    entries = [_without_key(root, of.deployment, entry, identity, key_id) for entry in of.keyring]
    return of.model_copy(update={"keyring": tuple(entries)})


def _without_key(root: Path, deployment: str, entry: KeyringEntry, identity: AgeIdentity, key_id: str) -> KeyringEntry:
    data = (root / entry.name(deployment)).read_bytes()
    head, *lines = lines_file.read(data, lines_file.with_identities([identity]), "keyring")
    kept = [line for line in lines if decode(line, "key")["key_id"] != key_id]
    if kept == lines:
        return entry
    path = root.parent / "forged-keyring"
    sealed = lines_file.write(path, [head, *kept], [identity.recipient], allow_mixed=False)
    update = {"keys": len(kept), "sha256": sealed.sha256, "size_bytes": sealed.size_bytes}
    changed = entry.model_copy(update=update)
    path.rename(root / changed.name(deployment))
    return changed


def resealed(data: bytes, edit: Callable[[dict[str, object]], None], signer: Signer) -> bytes:
    """The manifest of these bytes with members changed in a way that the model would not allow, signed."""
    value = decode(data.partition(b"\n")[0], "manifest")
    edit(value)
    body = encode(value) + b"\n"
    signature = base64_text.encode(signer.sign(manifest.PREFIX + body)).encode()
    return body + SIGNATURE_LABEL + signature + b"\n"


def endorsed_by(entries: Sequence[EndorsementEntry]) -> Edit:
    """Copies endorsements into every manifest."""
    return lambda of: of.model_copy(update={"endorsements": tuple(entries)})


def forged(root: Path, of: Manifest, signer: Signer) -> None:
    """Put a manifest into the place of the one of its number."""
    (root / of.name).write_bytes(manifest.sign(of, signer))


def holding(root: Path, of: Manifest, records: Sequence[bytes], identity: AgeIdentity, signer: Signer) -> Manifest:
    """The manifest of a backup of these records, in one segment, with their frontier and checkpoint."""
    path = root.parent / "forged-segment"
    path.unlink(missing_ok=True)
    sealed = lines_file.write(path, records, [identity.recipient], allow_mixed=False)
    frontier = Frontier()
    for record in records:
        frontier.append(leaf_hash(record))
    entry = SegmentEntry(
        first=1,
        last=len(records),
        frontier=base64_text.encode(frontier.to_bytes()),
        sha256=sealed.sha256,
        size_bytes=sealed.size_bytes,
    )
    path.rename(root / entry.name(of.deployment))
    stated = checkpoint.sign(Checkpoint(manifest.origin(of.deployment), len(records), frontier.root()), signer)
    return of.model_copy(update={"segments": (entry,), "last": len(records), "checkpoint": stated})
