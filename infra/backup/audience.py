"""The audience of objects: to which recipients each object of a backup is sealed, and so who can open it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from domain.backup_recipient import Encryption, encryption
from infra.backup.manifest import AudienceEntry, Entry, Manifest, RecipientEntry

Recipients = tuple[RecipientEntry, ...]
NOT_KNOWN: Recipients = ()


def recipients_of(of: Manifest) -> Mapping[str, Recipients]:
    """Return the recipients of each object that a manifest names, by SHA-256; none where that is not known."""
    objects = [entry.sha256 for entry in of.objects()]
    if of.audiences is None:
        # Such a manifest says only to whom its own objects are sealed, and of the first all are its own.
        return dict.fromkeys(objects, NOT_KNOWN if of.previous else of.recipients)
    found = dict.fromkeys(objects, of.recipients)
    for audience in of.audiences:
        found.update(dict.fromkeys(audience.objects, audience.recipients))
    return found


def taken_over(before: Manifest | None, objects: Sequence[Entry], recipients: Recipients) -> tuple[AudienceEntry, ...]:
    """Return what a manifest of these objects says of those that it takes over from the one before it."""
    known = recipients_of(before) if before is not None else {}
    others: dict[Recipients, list[str]] = defaultdict(list)
    for entry in objects:
        sealed_to = known.get(entry.sha256, recipients)
        if sealed_to != recipients:
            others[sealed_to].append(entry.sha256)
    return tuple(AudienceEntry(objects=tuple(listed), recipients=to) for to, listed in others.items())


def stale(of: Manifest, recipients: Recipients) -> list[Entry]:
    """Return the objects of a backup that are not sealed to exactly these recipients, or may not be."""
    known = recipients_of(of)
    return [entry for entry in of.objects() if known[entry.sha256] != recipients]


def closed_to(of: Manifest, fingerprints: Collection[str]) -> list[Entry]:
    """Return the objects of a backup that none of these recipients opens; whoever may open one, is taken to."""
    known = recipients_of(of)
    return [
        entry
        for entry in of.objects()
        if not any(to.fingerprint in fingerprints for to in known[entry.sha256] or of.recipients)
    ]


def encryption_of(of: Manifest) -> Encryption:
    """Return how well all that a backup names is protected, as far as is known, also what earlier ones wrote."""
    audiences = [of.recipients, *recipients_of(of).values()]
    return encryption(recipient.kind for recipients in audiences for recipient in recipients)
