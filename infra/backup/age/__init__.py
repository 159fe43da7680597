"""The age v1 file format: X25519 and post-quantum recipients, streamed in both directions."""

from infra.backup.age.file import decrypt, encrypt, open_with_file_key, opens, read_header
from infra.backup.age.header import FILE_KEY_BYTES, Stanza
from infra.backup.age.hybrid import HybridIdentity, HybridRecipient
from infra.backup.age.identity_file import format_identity, parse_identities, read_identity_file
from infra.backup.age.recipient import (
    AgeIdentity,
    AgeRecipient,
    Identity,
    NativeIdentity,
    Recipient,
    fingerprint,
    generate_identity,
    parse_identity,
    parse_recipient,
)
from infra.backup.age.source import Readable
from infra.backup.age.stream import PayloadReader, PayloadWriter, Writable
from infra.backup.age.x509_rsa import X509Identity, X509Recipient, is_pfx, open_pfx
from infra.backup.age.x25519 import X25519Identity, X25519Recipient

__all__ = [
    "FILE_KEY_BYTES",
    "AgeIdentity",
    "AgeRecipient",
    "HybridIdentity",
    "HybridRecipient",
    "Identity",
    "NativeIdentity",
    "PayloadReader",
    "PayloadWriter",
    "Readable",
    "Recipient",
    "Stanza",
    "Writable",
    "X509Identity",
    "X509Recipient",
    "X25519Identity",
    "X25519Recipient",
    "decrypt",
    "encrypt",
    "fingerprint",
    "format_identity",
    "generate_identity",
    "is_pfx",
    "open_pfx",
    "open_with_file_key",
    "opens",
    "parse_identities",
    "parse_identity",
    "parse_recipient",
    "read_header",
    "read_identity_file",
]
