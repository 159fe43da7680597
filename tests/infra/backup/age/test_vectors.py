"""The CCTV vectors of the age format: each with exactly the outcome, file key and plaintext that it expects."""

import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from domain.errors import Corrupt, WrongKey
from infra.backup.age import AgeIdentity, decrypt, open_with_file_key, parse_identity
from infra.backup.age.file import unwrap_file_key
from infra.backup.age.header import parse
from infra.backup.age.source import Source
from infra.backup.age.stream import CHUNK_BYTES
from tests.infra.backup.age.foreign import vectors

# fmt: off
NAMES = [
    "empty", "header_crlf", "hmac_bad", "hmac_garbage", "hmac_missing", "hmac_no_space", "hybrid",
    "hybrid_and_x25519", "hybrid_bad_tag", "hybrid_currupted_enc_x25519", "hybrid_extra_argument", "hybrid_grease",
    "hybrid_identity", "hybrid_long_share", "hybrid_low_order", "hybrid_not_canonical_body",
    "hybrid_not_canonical_enc", "hybrid_short_share", "hybrid_uppercase", "hybrid_x25519_arg", "stanza_bad_start",
    "stanza_empty_argument", "stanza_empty_body", "stanza_empty_last_line", "stanza_invalid_character",
    "stanza_long_line", "stanza_missing_body", "stanza_missing_final_line", "stanza_multiple_short_lines",
    "stanza_not_canonical", "stanza_valid_characters", "stream_257_chunks", "stream_258_chunks", "stream_bad_tag",
    "stream_bad_tag_second_chunk_full", "stream_empty_payload", "stream_last_chunk_empty",
    "stream_last_chunk_full_second", "stream_no_final", "stream_no_final_full", "stream_no_final_two_chunks",
    "stream_short_nonce", "stream_trailing_garbage_long", "stream_trailing_garbage_short", "stream_two_final_chunks",
    "stream_two_final_chunks_second", "x25519", "x25519_long_file_key", "x25519_long_share", "x25519_low_order",
    "x25519_lowercase", "x25519_no_match", "x25519_not_canonical_body", "x25519_not_canonical_share",
    "x25519_short_share",
]
# fmt: on

# Data follows a last chunk. The vectors allow that chunk to be given before the error; we hold it back.
HELD_BACK = {
    "stream_trailing_garbage_long",
    "stream_trailing_garbage_short",
    "stream_two_final_chunks",
    "stream_two_final_chunks_second",
}


@dataclass(frozen=True, slots=True)
class Vector:
    expect: str
    file_key: bytes
    payload_sha256: str
    identities: tuple[AgeIdentity, ...]
    file: bytes


def load(path: Path) -> Vector:
    head, _, file = path.read_bytes().partition(b"\n\n")
    fields = [line.partition(": ")[::2] for line in head.decode().splitlines()]
    last = dict(fields)
    return Vector(
        expect=last["expect"],
        file_key=bytes.fromhex(last["file key"]),
        payload_sha256=last.get("payload", hashlib.sha256().hexdigest()),
        identities=tuple(parse_identity(value) for name, value in fields if name == "identity"),
        file=zlib.decompress(file) if last.get("compressed") == "zlib" else file,
    )


def outcome(vector: Vector) -> tuple[str, bytes]:
    """What decrypting gave, in the words of the vectors, and the plaintext given until then."""
    given = b""
    try:
        opened = decrypt(io.BytesIO(vector.file), vector.identities)
    except WrongKey:
        return "no match", given
    except Corrupt as error:
        return "HMAC failure" if "HMAC" in str(error) else "header failure", given
    try:
        for chunk in opened:
            given += chunk
    except Corrupt:
        return "payload failure", given
    return "success", given


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_has_its_expected_outcome(name: str) -> None:
    vector = load(vectors("age") / name)
    found, given = outcome(vector)
    assert found == vector.expect
    if name in HELD_BACK:
        assert len(given) == (CHUNK_BYTES if name == "stream_two_final_chunks_second" else 0)
    else:
        assert hashlib.sha256(given).hexdigest() == vector.payload_sha256
    if found == "success":
        assert unwrap_file_key(parse(Source(io.BytesIO(vector.file))), vector.identities) == vector.file_key
        assert open_with_file_key(io.BytesIO(vector.file), vector.file_key).read() == given


def test_every_vector_of_the_folder_is_tried() -> None:
    assert sorted(path.name for path in vectors("age").iterdir()) == sorted(NAMES)
