"""Endorsements: the holder of an identity vouches for a signer, offline, once (docs/reference/backup.md)."""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import Corrupt, Usage, WrongKey
from infra.backup import audience
from infra.backup.age import AgeIdentity, fingerprint
from infra.backup.manifest import EndorsementEntry, Manifest
from infra.keys import base64_text
from infra.keys.signer import Verifier

KEY_INFO = b"resurgam-endorsement-key-1"
MESSAGE_PREFIX = b"resurgam-endorsement-1\n"
TEXT = re.compile(r"resurgam-endorsement-1 (?P<fingerprint>[0-9a-f]{16}) (?P<mac>[A-Za-z0-9+/]{43}=)")

Reason = Literal["Endorsed", "Named", "FirstUse"]


@dataclass(frozen=True, slots=True)
class Trust:
    """Why a signer is believed: an identity's holder endorsed it, it was named, or it was believed unseen."""

    reason: Reason
    verifier: Verifier


def endorse(identity: AgeIdentity, verifier: Verifier) -> EndorsementEntry:
    """Return the word of this identity's holder for a signer."""
    mac = hmac.new(_key(identity), MESSAGE_PREFIX + str(verifier).encode(), sha256).digest()
    return EndorsementEntry(fingerprint=fingerprint(identity.recipient), mac=base64_text.encode(mac))


def to_text(entry: EndorsementEntry) -> str:
    """Return the endorsement as one line."""
    return f"resurgam-endorsement-1 {entry.fingerprint} {entry.mac}"


def from_text(text: str) -> EndorsementEntry:
    """Return the endorsement of a line."""
    match = TEXT.fullmatch(text.strip())
    if match is None:
        raise Usage("that is no endorsement: it is one line that begins with resurgam-endorsement-1")
    return EndorsementEntry(fingerprint=match["fingerprint"], mac=match["mac"])


def check_identities(of: Manifest, identities: Sequence[AgeIdentity]) -> None:
    """Raise WrongKey unless each object of this backup is sealed to one of the identities, naming who opens it."""
    given = {fingerprint(identity.recipient) for identity in identities}
    recipients = [entry.fingerprint for entry in of.recipients]
    closed = audience.closed_to(of, given)
    if len(closed) == len(of.objects()):
        raise WrongKey(
            f"{of.name} is encrypted to {', '.join(recipients)}, the identities given are {', '.join(sorted(given))}: "
            "find the identity file of one of its recipients"
        )
    if closed:
        others = sorted({to.fingerprint for to in audience.recipients_of(of)[closed[0].sha256]})
        raise WrongKey(
            f"{of.name} is encrypted in part to others than the identities given, {', '.join(sorted(given))}: "
            f"{closed[0].name(of.deployment)} and {len(closed) - 1} more objects were written when they were no "
            f"recipients; find the identity file of {' or '.join(others)}, or, while the deployment lives, run "
            "`resurgam backup rekey` there"
        )


def trust(of: Manifest, identities: Sequence[AgeIdentity], named: Verifier | None, *, first_use: bool) -> Trust:
    """Return why the signer of a manifest is believed; Corrupt, with its fingerprint, if nothing speaks for it."""
    verifier = of.signer()
    if named is not None:
        if named != verifier:
            raise Corrupt(
                f"{of.name} has the signer {verifier.fingerprint}, not {named.fingerprint} that was named: leave it"
            )
        return Trust("Named", verifier)
    expected = {entry.fingerprint: entry.mac for entry in (endorse(identity, verifier) for identity in identities)}
    for entry in of.endorsements:
        mine = expected.get(entry.fingerprint)
        if mine is not None:
            if not hmac.compare_digest(mine, entry.mac):
                raise Corrupt(
                    f"{of.name} carries a forged endorsement of the signer {verifier.fingerprint}: do not use it"
                )
            return Trust("Endorsed", verifier)
    if first_use:
        return Trust("FirstUse", verifier)
    raise Corrupt(
        f"nothing proves the signer {verifier.fingerprint} of {of.name}: compare the fingerprint with your records "
        f"and name it with --verifier '{verifier}', or say --trust-first-use"
    )


def _key(identity: AgeIdentity) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=KEY_INFO).derive(identity.seed)
