"""Whole files: who can open them, who may share them, and that no damage anywhere passes for success."""

import io
from typing import IO, cast

import pytest
import zstandard

from domain.errors import Corrupt, Refused, Usage, WrongKey
from infra.backup.age import (
    AgeIdentity,
    Identity,
    Recipient,
    Stanza,
    decrypt,
    encrypt,
    generate_identity,
    open_with_file_key,
)

POST_QUANTUM = generate_identity()
CLASSICAL = generate_identity(post_quantum=False)
PLAINTEXT = b"the state at the head"
each_kind = pytest.mark.parametrize("identity", [POST_QUANTUM, CLASSICAL], ids=["post-quantum", "classical"])


class ForeignRecipient:
    """A recipient of a type that age does not know."""

    post_quantum = False

    def __init__(self, sealed: bytes = b"") -> None:
        self._sealed = sealed

    def wrap(self, file_key: bytes) -> Stanza:
        return Stanza("resurgam.example/foreign", ("serial=1",), self._sealed or file_key)

    def __str__(self) -> str:
        return "foreign"


class ForeignIdentity:
    recipient: Recipient = ForeignRecipient()

    def unwrap(self, stanza: Stanza) -> bytes | None:
        return stanza.body if stanza.type == "resurgam.example/foreign" else None


def seal(*recipients: Recipient, allow_mixed: bool = False) -> bytes:
    sink = io.BytesIO()
    with encrypt(sink, recipients, allow_mixed=allow_mixed) as writer:
        writer.write(PLAINTEXT)
    return sink.getvalue()


def open_all(file: bytes, *identities: Identity) -> bytes:
    return decrypt(io.BytesIO(file), identities).read()


@each_kind
def test_each_recipient_alone_opens_a_file(identity: AgeIdentity) -> None:
    kind = identity.recipient.post_quantum
    second = generate_identity(post_quantum=kind)
    file = seal(identity.recipient, second.recipient)
    assert open_all(file, identity) == open_all(file, second) == PLAINTEXT
    assert open_all(file, generate_identity(post_quantum=kind), second) == PLAINTEXT


@each_kind
def test_an_identity_of_nobody_in_the_file_is_a_wrong_key(identity: AgeIdentity) -> None:
    file = seal(identity.recipient)
    for others in ((), (generate_identity(),), (generate_identity(post_quantum=False), generate_identity())):
        with pytest.raises(WrongKey, match="no identity opens"):
            open_all(file, *others)


def test_mixing_kinds_is_refused_unless_it_is_chosen() -> None:
    recipients = (POST_QUANTUM.recipient, CLASSICAL.recipient)
    with pytest.raises(Refused, match="cannot share a file") as caught:
        seal(*recipients)
    assert caught.value.rule == "recipients-not-mixed"
    file = seal(*recipients, allow_mixed=True)
    assert open_all(file, POST_QUANTUM) == open_all(file, CLASSICAL) == PLAINTEXT


def test_a_recipient_of_another_type_stands_beside_those_of_age() -> None:
    file = seal(ForeignRecipient(), CLASSICAL.recipient)
    assert open_all(file, CLASSICAL) == open_all(file, ForeignIdentity()) == PLAINTEXT


def test_a_stanza_that_holds_no_file_key_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="no file key"):
        open_all(seal(ForeignRecipient(b"seventeen bytes !"), CLASSICAL.recipient), ForeignIdentity())


def test_a_stanza_with_the_key_of_another_file_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="HMAC"):
        open_all(seal(ForeignRecipient(b"another file key"), CLASSICAL.recipient), ForeignIdentity())


def test_a_file_without_recipients_is_not_written() -> None:
    sink = io.BytesIO()
    with pytest.raises(Usage, match="at least one recipient"):
        encrypt(sink, [])
    assert sink.getvalue() == b""


def test_the_writer_gives_the_file_key_that_opens_the_file_without_an_identity() -> None:
    sink = io.BytesIO()
    with encrypt(sink, [POST_QUANTUM.recipient]) as writer:
        writer.write(PLAINTEXT)
    file = sink.getvalue()
    assert open_with_file_key(io.BytesIO(file), writer.file_key).read() == PLAINTEXT
    with pytest.raises(Corrupt, match="HMAC"):
        open_with_file_key(io.BytesIO(file), bytes(16))


def test_each_file_has_a_key_of_its_own_unless_one_is_given() -> None:
    keys = {encrypt(io.BytesIO(), [CLASSICAL.recipient]).file_key for _ in range(3)}
    assert len(keys) == 3
    assert encrypt(io.BytesIO(), [CLASSICAL.recipient], file_key=b"YELLOW SUBMARINE").file_key == b"YELLOW SUBMARINE"


@pytest.mark.parametrize("file_key", [b"", bytes(15), bytes(17), bytes(32)])
def test_a_file_key_of_another_size_is_refused(file_key: bytes) -> None:
    with pytest.raises(Usage, match="16 bytes"):
        encrypt(io.BytesIO(), [CLASSICAL.recipient], file_key=file_key)
    with pytest.raises(Usage, match="16 bytes"):
        open_with_file_key(io.BytesIO(seal(CLASSICAL.recipient)), file_key)


@each_kind
def test_a_flipped_bit_anywhere_is_refused(identity: AgeIdentity) -> None:
    file = seal(identity.recipient)
    for place in range(len(file)):
        for bit in (1, 2, 4, 8, 16, 32, 64, 128) if identity is CLASSICAL else (1, 32, 128):
            flipped = bytearray(file)
            flipped[place] ^= bit
            with pytest.raises((Corrupt, WrongKey)):
                open_all(bytes(flipped), identity)


@each_kind
def test_a_flipped_bit_anywhere_is_corrupt_to_whoever_holds_the_file_key(identity: AgeIdentity) -> None:
    sink = io.BytesIO()
    with encrypt(sink, [identity.recipient]) as writer:
        writer.write(PLAINTEXT)
    for place in range(len(sink.getvalue())):
        flipped = bytearray(sink.getvalue())
        flipped[place] ^= 1
        with pytest.raises(Corrupt):
            open_with_file_key(io.BytesIO(flipped), writer.file_key).read()


@each_kind
def test_a_truncation_at_any_length_is_corrupt(identity: AgeIdentity) -> None:
    file = seal(identity.recipient)
    for length in range(len(file)):
        with pytest.raises(Corrupt):
            open_all(file[:length], identity)


@each_kind
def test_anything_appended_is_corrupt(identity: AgeIdentity) -> None:
    file = seal(identity.recipient)
    for appended in (b"\n", b"\0", file):
        with pytest.raises(Corrupt):
            open_all(file + appended, identity)


def test_compression_streams_through_in_both_directions() -> None:
    line = b'{"position":1}\n'
    sink = io.BytesIO()
    # zstandard asks for no more than `write` and `read`, though its annotations do.
    with (
        encrypt(sink, [POST_QUANTUM.recipient]) as writer,
        zstandard.ZstdCompressor().stream_writer(cast(IO[bytes], writer), closefd=False) as compressor,
    ):
        for _ in range(50_000):
            compressor.write(line)
    opened = decrypt(io.BytesIO(sink.getvalue()), [POST_QUANTUM])
    with zstandard.ZstdDecompressor().stream_reader(cast(IO[bytes], opened)) as decompressor:
        assert decompressor.read() == line * 50_000
    assert opened.read(1) == b""
