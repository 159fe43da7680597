"""The header of an age file: a stanza per recipient and a MAC, in their only spelling (C2SP age, "Header")."""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import Corrupt, Usage
from infra.backup.age import hkdf
from infra.backup.age.source import Source

FILE_KEY_BYTES = 16
HEADER_BYTES_MAX = 1 << 20
"""Our own limit, on writing and on reading: more than 600 post-quantum recipients."""

_VERSION_LINE = b"age-encryption.org/v1\n"
_STANZA_MARK = b"->"
_MAC_MARK = b"---"
_MAC_BYTES = 32
_COLUMNS = 64
_SEALED_FILE_KEY_BYTES = FILE_KEY_BYTES + 16


@dataclass(frozen=True, slots=True)
class Stanza:
    """The file key, sealed to one recipient; `type` says by which kind of recipient, and so who may try it."""

    type: str
    arguments: tuple[str, ...]
    body: bytes

    def share(self, size_bytes: int) -> bytes:
        """The public share of a stanza that must have exactly one argument and a body of exactly one sealed file key.

        The body's size is checked before anything is tried on it, against partitioning oracles.
        """
        if len(self.arguments) != 1:
            raise Corrupt(f"age header is damaged: its {self.type} stanza has {len(self.arguments)} arguments, not 1")
        if len(self.body) != _SEALED_FILE_KEY_BYTES:
            raise Corrupt(
                f"age header is damaged: the body of its {self.type} stanza is not {_SEALED_FILE_KEY_BYTES} bytes"
            )
        share = decode_base64(self.arguments[0].encode())
        if len(share) != size_bytes:
            raise Corrupt(f"age header is damaged: the share of its {self.type} stanza is not {size_bytes} bytes")
        return share


@dataclass(frozen=True, slots=True)
class Header:
    """A header that is well formed but not yet authentic: `authenticate` it with the file key before use."""

    stanzas: tuple[Stanza, ...]
    authenticated: bytes
    mac: bytes

    def to_bytes(self) -> bytes:
        """The bytes that were read."""
        return self.authenticated + b" " + encode_base64(self.mac) + b"\n"

    def authenticate(self, file_key: bytes) -> None:
        """Raise Corrupt unless this is the header that was written with this file key."""
        if not hmac.compare_digest(_mac(file_key, self.authenticated), self.mac):
            raise Corrupt("age header does not match its HMAC: it was altered, or the file key is another file's")


def serialise(stanzas: Sequence[Stanza], file_key: bytes) -> bytes:
    """The header's bytes, with its MAC."""
    authenticated = _VERSION_LINE + b"".join(map(_serialise_stanza, stanzas)) + _MAC_MARK
    header = Header(tuple(stanzas), authenticated, _mac(file_key, authenticated)).to_bytes()
    if len(header) > HEADER_BYTES_MAX:
        raise Usage(f"age header would exceed {HEADER_BYTES_MAX} bytes: name fewer recipients than {len(stanzas)}")
    return header


def parse(source: Source) -> Header:
    """Read the header and leave the source at the first byte of the payload."""
    lines = _Lines(source)
    if lines.next() != _VERSION_LINE:
        raise Corrupt("not an age v1 file: it does not begin with age-encryption.org/v1")
    stanzas = []
    while (line := lines.next()).startswith(_STANZA_MARK):
        stanzas.append(_parse_stanza(line, lines))
    mark, _, mac_text = line[:-1].partition(b" ")
    mac = decode_base64(mac_text)
    if mark != _MAC_MARK or len(mac) != _MAC_BYTES:
        raise Corrupt("age header is damaged: it has no proper MAC line")
    if not stanzas:
        raise Corrupt("age header is damaged: it names no recipient")
    return Header(tuple(stanzas), bytes(lines.read[: -len(line)]) + _MAC_MARK, mac)


def encode_base64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def decode_base64(text: bytes) -> bytes:
    """Decode unpadded base64, and only its canonical spelling, so that no byte of a header can change unnoticed."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise Corrupt("age header is damaged: malformed base64") from error
    if encode_base64(data) != text:
        raise Corrupt("age header is damaged: base64 is not canonical")
    return data


class _Lines:
    """The lines of a header, remembered as read, because the MAC is over these very bytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.read = bytearray()

    def next(self) -> bytes:
        line = self._source.read_line(HEADER_BYTES_MAX - len(self.read))
        if not line:
            raise Corrupt(f"age header is cut short, or longer than {HEADER_BYTES_MAX} bytes")
        self.read += line
        return line


def _parse_stanza(opening: bytes, lines: _Lines) -> Stanza:
    mark, *arguments = opening[:-1].split(b" ")
    if mark != _STANZA_MARK or not arguments or not all(map(_is_visible, arguments)):
        raise Corrupt("age header is damaged: malformed stanza")
    body = bytearray()
    length = _COLUMNS
    while length == _COLUMNS:
        text = lines.next()[:-1]
        length = len(text)
        if length > _COLUMNS:
            raise Corrupt(f"age header is damaged: a stanza's line is longer than {_COLUMNS} columns")
        body += decode_base64(text)
    kind, *rest = (argument.decode("ascii") for argument in arguments)
    return Stanza(kind, tuple(rest), bytes(body))


def _is_visible(argument: bytes) -> bool:
    return bool(argument) and all(33 <= code <= 126 for code in argument)


def _serialise_stanza(stanza: Stanza) -> bytes:
    opening = " ".join((_STANZA_MARK.decode(), stanza.type, *stanza.arguments)).encode("ascii")
    body = encode_base64(stanza.body)
    # A body ends with a short line, which is empty where the body fills its last line.
    rows = [body[start : start + _COLUMNS] for start in range(0, len(body) + 1, _COLUMNS)]
    return b"\n".join((opening, *rows, b""))


def _mac(file_key: bytes, authenticated: bytes) -> bytes:
    return hmac.digest(hkdf.derive(file_key, salt=b"", info=b"header"), authenticated, "sha256")
