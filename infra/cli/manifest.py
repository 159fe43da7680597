"""A manifest, as operators read it."""

from infra.backup.audience import encryption_of
from infra.backup.manifest import Manifest


def described(of: Manifest) -> dict[str, object]:
    """Return what is shown of a backup."""
    return {
        "deployment": of.deployment,
        "sequence": of.sequence,
        "createdAt": of.created_at,
        "last": of.last,
        "lastRecordedAt": of.recorded_at,
        "release": of.release,
        "segments": len(of.segments),
        "sizeBytes": sum(entry.size_bytes for entry in of.objects()),
        "encryption": encryption_of(of),
        "recipients": [entry.fingerprint for entry in of.recipients],
        "signer": of.signer().fingerprint,
        "endorsedBy": [entry.fingerprint for entry in of.endorsements],
        "ancestor": of.ancestor.deployment if of.ancestor else None,
        "ancestry": of.ancestor.line() if of.ancestor else None,
        "checkpoint": f"{of.last}:{of.opened_checkpoint().body().splitlines()[2]}",
    }
