"""Manifests: signed statements of what one backup covers, written last (docs/reference/backup.md)."""

from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.backup_recipient import Encryption, RecipientKind
from domain.errors import Corrupt
from infra.backup import layout, signed_document
from infra.backup.signed_document import Document
from infra.keys import base64_text
from infra.keys.signer import Signer, Verifier
from infra.log.checkpoint import Checkpoint, open_checkpoint
from infra.log.merkle import Frontier

PREFIX = b"resurgam-manifest-1\n"
BYTES_MAX = 64 * 1024 * 1024
"""A manifest takes about 300 bytes for each of its segments."""

Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
UUID_PATTERN = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
Uuid = Annotated[str, Field(pattern=f"^{UUID_PATTERN}$")]
INSTANT_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
Instant = Annotated[str, Field(pattern=f"^{INSTANT_PATTERN}$")]
ManifestName = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}/manifests/[0-9]{19}\.json$")]
Count = Annotated[int, Field(ge=0, lt=2**63)]
# All texts are held to a form: they are shown before anybody decided to believe the signer.


class Part(BaseModel):
    """A part of a manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SegmentEntry(Part):
    """A segment: `frontier` is the Merkle frontier after its last record."""

    first: Count
    last: Count
    frontier: str
    sha256: Hex
    size_bytes: Count

    def frontier_after(self) -> Frontier:
        """Return the frontier; Corrupt if it is not one of `last` records."""
        return _frontier(self.frontier, self.first, self.last).copy()

    def name(self, deployment: str) -> str:
        """Return the name of the segment's object."""
        return layout.segment(deployment, self.first, self.last, self.sha256)


class KeyringEntry(Part):
    """A base or delta keyring: what was added or shredded in (after, until], in `keys` lines."""

    after: Count
    until: Count
    keys: Count
    sequence: Count
    sha256: Hex
    size_bytes: Count

    def name(self, deployment: str) -> str:
        """Return the name of the keyring's object."""
        return layout.keyring(deployment, self.sequence, self.sha256)


class AnswersEntry(Part):
    """What the state answered at `position`, in so many lines after the first."""

    answers: Count
    position: Count
    sequence: Count
    sha256: Hex
    size_bytes: Count

    def name(self, deployment: str) -> str:
        """Return the name of the answers' object."""
        return layout.answers(deployment, self.sequence, self.sha256)


class RecipientEntry(Part):
    """A recipient, by the fingerprint that its holder can compare."""

    fingerprint: Fingerprint
    kind: RecipientKind


class AudienceEntry(Part):
    """Objects of earlier backups, by their SHA-256, and to whom they are sealed; to nobody if that is not known."""

    objects: Annotated[tuple[Hex, ...], Field(strict=False, min_length=1)]
    recipients: Annotated[tuple[RecipientEntry, ...], Field(strict=False)]


class EndorsementEntry(Part):
    """The word of an identity's holder for the signer."""

    fingerprint: Fingerprint
    mac: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class Ancestor(Part):
    """What a deployment was recovered from, or forked from if `by` says so."""

    deployment: Uuid
    sequence: Count
    manifest_sha256: Hex
    position: Count
    checkpoint: str
    by: Literal["fork"] | None = None

    def line(self) -> str:
        """Return where the deployment comes from, in words."""
        return f"{'forked' if self.by else 'recovered'} from {self.deployment}"


Entry = SegmentEntry | KeyringEntry | AnswersEntry
"""An object that a manifest names."""


class Manifest(Document):
    """See docs/reference/backup.md for every member."""

    format: Literal[1] = 1
    repository: Uuid
    repository_sha256: Hex
    deployment: Uuid
    epoch: Uuid
    parent_epoch: Annotated[str, Field(pattern=f"^({UUID_PATTERN})?$")]
    ancestor: Ancestor | None = None
    answers: AnswersEntry | None = None
    sequence: Annotated[int, Field(ge=1, le=layout.SEQUENCE_MAX)]
    previous: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    void: Annotated[tuple[ManifestName, ...], Field(strict=False)] = ()
    created_at: Instant
    release: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,32}$")]
    fold_generation: int
    record_format: int
    last: Count
    recorded_at: Annotated[str, Field(pattern=f"^({INSTANT_PATTERN})?$")]
    segments: Annotated[tuple[SegmentEntry, ...], Field(strict=False)]
    keyring: Annotated[tuple[KeyringEntry, ...], Field(strict=False)]
    checkpoint: str
    state_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]
    recipients: Annotated[tuple[RecipientEntry, ...], Field(strict=False)]
    audiences: Annotated[tuple[AudienceEntry, ...], Field(strict=False)] | None = None
    encryption: Encryption
    verifier: str
    endorsements: Annotated[tuple[EndorsementEntry, ...], Field(strict=False)] = ()

    @property
    def name(self) -> str:
        """The name of the manifest's object."""
        return layout.manifest(self.deployment, self.sequence)

    def signer(self) -> Verifier:
        """Return the verifier that the manifest claims; that it is the right one is for the reader to decide."""
        return _verifier(self.verifier)

    def objects(self) -> list[Entry]:
        """Return everything that a recovery of this backup reads, segments first."""
        return [*self.segments, *self.keyring, *([self.answers] if self.answers else [])]

    def opened_checkpoint(self) -> Checkpoint:
        """Return the checkpoint; Corrupt unless the manifest's signer signed it for this log and this position."""
        checkpoint = open_checkpoint(self.checkpoint, self.signer())
        if checkpoint.origin != origin(self.deployment) or checkpoint.size != self.last:
            raise Corrupt(f"the checkpoint in {self.name} is of {checkpoint.origin} at {checkpoint.size}")
        return checkpoint

    def check(self) -> None:
        """Raise Corrupt unless the parts fit together: ranges that meet, frontier and checkpoint of one tree."""
        if self.signer().name != origin(self.deployment):
            raise Corrupt(f"{self.name} is signed by {self.signer().name}, the signer of another deployment")
        checkpoint = self.opened_checkpoint()
        end = 0
        for segment in self.segments:
            if segment.first != end + 1 or segment.last < segment.first:
                raise Corrupt(f"{self.name} jumps from position {end} to segment {segment.first}-{segment.last}")
            _frontier(segment.frontier, segment.first, segment.last)
            end = segment.last
        if end != self.last:
            raise Corrupt(f"{self.name} covers positions up to {end}, not {self.last}")
        root = self.segments[-1].frontier_after().root() if self.segments else Frontier().root()
        if root != checkpoint.root:
            raise Corrupt(f"{self.name} has a checkpoint of another tree than its segments")
        self._check_keyring()
        self._check_audiences()
        if self.answers is not None and not 0 < self.answers.position <= self.last:
            raise Corrupt(f"{self.name} has answers of position {self.answers.position}, beyond {self.last}")

    def _check_keyring(self) -> None:
        until = 0
        for keyring in self.keyring:
            if keyring.after != until or keyring.until < keyring.after:
                raise Corrupt(f"{self.name} has a keyring for ({keyring.after}, {keyring.until}] after {until}")
            until = keyring.until
        if until > self.last:
            raise Corrupt(f"{self.name} has keys up to position {until}, beyond its last record {self.last}")

    def _check_audiences(self) -> None:
        listed = [sha256 for audience in self.audiences or () for sha256 in audience.objects]
        if len(set(listed)) < len(listed) or not {entry.sha256 for entry in self.objects()}.issuperset(listed):
            raise Corrupt(f"{self.name} says twice, or of what it does not name, to whom it is sealed")


# The manifests of a chain have one signer, and list the same segments again and again.
_verifier = lru_cache(maxsize=16)(Verifier.from_text)


@lru_cache(maxsize=4_096)
def _frontier(text: str, first: int, last: int) -> Frontier:
    """Return the frontier of a segment's entry, which nobody may change."""
    try:
        frontier = Frontier.from_bytes(base64_text.decode(text))
    except ValueError:
        raise Corrupt(f"the frontier of segment {first}-{last} is not base64") from None
    if frontier.size != last:
        raise Corrupt(f"the frontier of segment {first}-{last} is one of {frontier.size} records")
    return frontier


def origin(deployment: str) -> str:
    """Return the name of a deployment's log in checkpoints."""
    return f"resurgam/{deployment}"


def sign(manifest: Manifest, signer: Signer) -> bytes:
    """Return the bytes of the signed manifest."""
    return signed_document.sign(manifest, PREFIX, signer)


def parse(data: bytes, name: str) -> Manifest:
    """Return the manifest of an object; Corrupt, naming it, unless the signer that it names signed it for this name.

    Whether that verifier is to be trusted is not decided here.
    """
    manifest = decode(data, name)
    if manifest.name != name:
        raise Corrupt(f"{name} is the manifest {manifest.name}: it was moved")
    return manifest


def decode(data: bytes, name: str) -> Manifest:
    """Return a signed manifest, whatever its name; errors call it `name`."""
    return signed_document.decode(data, name, Manifest, PREFIX, "manifest")


def digest(data: bytes) -> str:
    """Return the SHA-256 by which the next manifest names this one."""
    return sha256(data).hexdigest()
