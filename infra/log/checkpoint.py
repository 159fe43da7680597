"""Checkpoints: what the log was at a size, signed (C2SP tlog-checkpoint in a signed-note)."""

import re
from dataclasses import dataclass

from domain.errors import Corrupt, Usage
from infra.keys import base64_text
from infra.keys.signer import Signer, Verifier, check_key_name
from infra.log.merkle import HASH_BYTES, SIZE_MAX

SIGNATURES_MAX = 64

_BODY = re.compile(r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n")
_SIGNATURE = re.compile(r"— (?P<name>[^\s\x00-\x1f+]+) (?P<signature>[A-Za-z0-9+/]+={0,2})")
_KEY_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The Merkle root of the first `size` records of the log that `origin` names; see `check_key_name` for origins."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        check_key_name(self.origin)
        if not 0 <= self.size <= SIZE_MAX or len(self.root) != HASH_BYTES:
            raise Usage(f"checkpoint of {self.origin} has size {self.size} and a root of {len(self.root)} bytes")

    def body(self) -> str:
        """Return the note text, which is what gets signed."""
        return f"{self.origin}\n{self.size}\n{base64_text.encode(self.root)}\n"


def sign(checkpoint: Checkpoint, signer: Signer) -> str:
    """Return the signed note; the caller never signs two checkpoints of which one does not extend the other."""
    body = checkpoint.body()
    verifier = signer.verifier
    signature = base64_text.encode(verifier.key_id + signer.sign(body.encode("ascii")))
    return f"{body}\n— {verifier.name} {signature}\n"


def open_checkpoint(text: str, verifier: Verifier) -> Checkpoint:
    """Return the checkpoint of a note that the verifier's signer signed; the caller compares the origin.

    Signatures of other keys, such as witnesses, are ignored. Extension lines are refused: we never write them, and what
    they say would be lost. Raises Corrupt if the note is malformed, or if the signer's signature is missing or wrong.
    """
    head, _, tail = text.rpartition("\n\n")
    if not tail.endswith("\n") or tail.count("\n") > SIGNATURES_MAX:
        raise Corrupt("checkpoint is not a signed note")
    body = head + "\n"
    signatures = [_parse_signature(line) for line in tail[:-1].split("\n")]
    ours = [signature for name, key_id, signature in signatures if (name, key_id) == (verifier.name, verifier.key_id)]
    if not ours:
        raise Corrupt(f"checkpoint is not signed by {verifier.name} ({verifier.fingerprint})")
    # Any text may be checked against a signature; only what was signed is looked at.
    for signature in ours:
        verifier.verify(body.encode("utf-8", "surrogatepass"), signature)
    return _parse_body(body)


def _parse_signature(line: str) -> tuple[str, bytes, bytes]:
    """Return the name, the key id and the signature of a signature line."""
    match = _SIGNATURE.fullmatch(line)
    try:
        data = base64_text.decode(match["signature"]) if match else b""
    except ValueError:
        data = b""
    if match is None or len(data) <= _KEY_ID_BYTES:
        raise Corrupt("checkpoint has a malformed signature line")
    return match["name"], data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:]


def _parse_body(body: str) -> Checkpoint:
    match = _BODY.fullmatch(body)
    if match is None:
        raise Corrupt("checkpoint does not consist of origin, size and root")
    try:
        return Checkpoint(match["origin"], int(match["size"]), base64_text.decode(match["root"]))
    except (Usage, ValueError) as error:
        raise Corrupt(f"checkpoint is malformed: {error}") from error
