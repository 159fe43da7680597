"""Signed documents: a line of canonical JSON, and a line with its signer's signature (docs/reference/backup.md)."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from domain.errors import Corrupt
from infra.canonical_json import decode_canonical, encode
from infra.keys import base64_text
from infra.keys.signer import Signer, Verifier

SIGNATURE_LABEL = b"ed25519 "


class Document(BaseModel):
    """What is signed; it says itself by whom."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def signer(self) -> Verifier:
        """Return the verifier that the document claims; that it is the right one is for the reader to decide."""
        raise NotImplementedError


D = TypeVar("D", bound=Document)


def sign(document: Document, prefix: bytes, signer: Signer) -> bytes:
    """Return the bytes of the signed document; the prefix keeps one kind from being taken for another."""
    body = _body(document)
    return body + SIGNATURE_LABEL + base64_text.encode(signer.sign(prefix + body)).encode() + b"\n"


def decode(data: bytes, name: str, kind: type[D], prefix: bytes, called: str) -> D:
    """Return a document; Corrupt, naming it, unless it re-serialises to itself and the signer that it names signed it.

    `called` is what errors call its kind.
    """
    body, _, signature = data.partition(b"\n")
    if not signature.startswith(SIGNATURE_LABEL) or not signature.endswith(b"\n"):
        raise Corrupt(f"{name} is not a signed {called}")
    value = decode_canonical(body, name)
    try:
        document = kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Corrupt(
            f"{name} is not a {called} of format 1: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from None
    if _body(document) != body + b"\n":
        raise Corrupt(f"{name} does not re-serialise to itself")
    try:
        signed = base64_text.decode(signature[len(SIGNATURE_LABEL) : -1].decode("ascii"))
    except ValueError:
        raise Corrupt(f"{name} has a signature that is not base64") from None
    try:
        document.signer().verify(prefix + body + b"\n", signed)
    except Corrupt as error:
        raise Corrupt(f"{name}: {error}") from error
    return document


def _body(document: Document) -> bytes:
    return encode(document.model_dump(mode="json", exclude_none=True)) + b"\n"
