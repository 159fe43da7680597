"""Whole age v1 files: sealed to recipients, opened by an identity or by the file key itself."""

import io
import secrets
from collections.abc import Sequence

from domain.errors import Corrupt, Refused, Usage, WrongKey
from infra.backup.age import header
from infra.backup.age.recipient import Identity, Recipient
from infra.backup.age.source import Readable, Source
from infra.backup.age.stream import PayloadReader, PayloadWriter, Writable


def encrypt(
    sink: Writable, recipients: Sequence[Recipient], *, file_key: bytes | None = None, allow_mixed: bool = False
) -> PayloadWriter:
    """Write the header and return the writer of the payload, whose `file_key` opens this file without an identity.

    A file key is drawn unless one is given; one that is given must be random and never serve for another file.
    Post-quantum and classical recipients of one file are refused unless `allow_mixed`: the file would be only as safe
    as the weaker.
    """
    if not recipients:
        raise Usage("an age file needs at least one recipient")
    if len({recipient.post_quantum for recipient in recipients}) > 1 and not allow_mixed:
        raise Refused(
            "post-quantum and classical recipients cannot share a file unless mixing them is chosen explicitly",
            rule="recipients-not-mixed",
        )
    if file_key is None:
        file_key = secrets.token_bytes(header.FILE_KEY_BYTES)
    _require_file_key(file_key)
    sink.write(header.serialise([recipient.wrap(file_key) for recipient in recipients], file_key))
    return PayloadWriter(sink, file_key)


def decrypt(source: Readable, identities: Sequence[Identity]) -> PayloadReader:
    """Open with the first identity that fits; WrongKey if none does, Corrupt if the header is damaged."""
    buffered = Source(source)
    parsed = header.parse(buffered)
    file_key = unwrap_file_key(parsed, identities)
    parsed.authenticate(file_key)
    return PayloadReader(buffered, file_key)


def open_with_file_key(source: Readable, file_key: bytes) -> PayloadReader:
    """Open with a file key that was kept; Corrupt if the header is damaged or belongs to another file key."""
    _require_file_key(file_key)
    buffered = Source(source)
    header.parse(buffered).authenticate(file_key)
    return PayloadReader(buffered, file_key)


def read_header(source: Readable) -> bytes:
    """The header of a file, which alone says who opens it; Corrupt if it is damaged."""
    return header.parse(Source(source)).to_bytes()


def opens(file_header: bytes, identity: Identity) -> bool:
    """Whether an identity opens the file of this header; Corrupt if it is damaged."""
    parsed = header.parse(Source(io.BytesIO(file_header)))
    try:
        parsed.authenticate(unwrap_file_key(parsed, [identity]))
    except WrongKey:
        return False
    return True


def unwrap_file_key(parsed: header.Header, identities: Sequence[Identity]) -> bytes:
    """The file key of a header not authenticated yet; stanzas of types that no identity knows are passed over."""
    for identity in identities:
        for stanza in parsed.stanzas:
            file_key = identity.unwrap(stanza)
            if file_key is not None:
                return _checked_size(file_key, stanza)
    raise WrongKey(
        f"no identity opens this age file: tried {len(identities)} on its {len(parsed.stanzas)} stanzas, "
        "give an identity of one of its recipients"
    )


def _checked_size(file_key: bytes, stanza: header.Stanza) -> bytes:
    if len(file_key) != header.FILE_KEY_BYTES:
        raise Corrupt(
            f"age header is damaged: its {stanza.type} stanza holds no file key of {header.FILE_KEY_BYTES} bytes"
        )
    return file_key


def _require_file_key(file_key: bytes) -> None:
    if len(file_key) != header.FILE_KEY_BYTES:
        raise Usage(f"an age file key is {header.FILE_KEY_BYTES} bytes, not {len(file_key)}")
