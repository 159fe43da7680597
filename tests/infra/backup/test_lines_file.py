"""Lines files: what is written reads back, foreign tools read it too, and whatever is not whole is refused by name."""

import io
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it brings no annotations
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Corrupt, Unavailable, WrongKey
from infra.backup import lines_file
from infra.backup.age import AgeIdentity, encrypt, generate_identity
from infra.backup.lines_file import with_file_key, with_identities
from tests.backup_estate import IDENTITY, OTHER_IDENTITY
from tests.infra.backup.age.foreign import age_command, npm_age

LINES = [b'{"a":1}', b"", "Zoë 東京".encode(), b"x" * 200_000]


def written(path: Path, lines: list[bytes], identity: AgeIdentity = IDENTITY) -> bytes:
    lines_file.write(path, lines, [identity.recipient], allow_mixed=False)
    return path.read_bytes()


def read(data: bytes, identity: AgeIdentity = IDENTITY) -> list[bytes]:
    return list(lines_file.read(data, with_identities([identity]), "segment 1-4"))


def sealed(payload: bytes) -> bytes:
    """An age file with a payload of any kind."""
    sink = io.BytesIO()
    with encrypt(sink, [IDENTITY.recipient]) as writer:
        writer.write(payload)
    return sink.getvalue()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@given(lines=st.lists(st.binary().filter(lambda line: b"\n" not in line)))
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    found = lines_file.write(path, lines, [IDENTITY.recipient], allow_mixed=False)
    data = path.read_bytes()
    assert read(data) == lines
    assert list(lines_file.read(data, with_file_key(found.file_key), "it")) == lines
    assert found.size_bytes == len(data)


@given(lines=st.lists(st.binary().filter(lambda line: b"\n" not in line), min_size=1))
def test_what_reads_back_otherwise_than_it_was_written_is_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    found = lines_file.write(path, lines, [IDENTITY.recipient], allow_mixed=False)
    lines_file.check(path.read_bytes(), found, "it")
    for others in (lines[:-1], [*lines, b""], [*lines[:-1], lines[-1] + b"x"], [lines[0], b"", *lines[1:]]):
        path.unlink()
        other = lines_file.write(path, others, [IDENTITY.recipient], allow_mixed=False)
        wrong = replace(other, lines=found.lines, content_sha256=found.content_sha256)
        with pytest.raises(Corrupt, match=r"^it reads back with other lines than were written"):
            lines_file.check(path.read_bytes(), wrong, "it")


def test_a_line_with_a_line_feed_in_it_does_not_pass_for_one(tmp_path: Path) -> None:
    found = lines_file.write(tmp_path / "file", [b"one\ntwo"], [IDENTITY.recipient], allow_mixed=False)
    with pytest.raises(Corrupt, match="other lines than were written"):
        lines_file.check((tmp_path / "file").read_bytes(), found, "it")


def test_a_file_that_reads_back_damaged_is_refused(tmp_path: Path) -> None:
    found = lines_file.write(tmp_path / "file", LINES, [IDENTITY.recipient], allow_mixed=False)
    data = (tmp_path / "file").read_bytes()
    for harmed in (data[:-1], data + b"x", data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]):
        with pytest.raises(Corrupt, match=r"^it: age payload is damaged"):
            lines_file.check(harmed, found, "it")


def test_many_lines_are_read_in_order_across_all_boundaries(tmp_path: Path) -> None:
    lines = [os.urandom(n % 300).hex().encode() for n in range(20_000)] + [b"y" * 3_000_000, b"z"]
    assert read(written(tmp_path / "file", lines)) == lines


def test_the_file_key_is_not_shown(tmp_path: Path) -> None:
    found = lines_file.write(tmp_path / "file", LINES, [IDENTITY.recipient], allow_mixed=False)
    assert "file_key" not in repr(found)


def test_every_flipped_byte_is_refused_by_name(tmp_path: Path) -> None:
    data = written(tmp_path / "file", LINES[:3])
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        with pytest.raises((Corrupt, WrongKey), match=r"^segment 1-4: "):
            read(bytes(flipped))


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "file", LINES[:3])
    for length in range(len(data)):
        with pytest.raises(Corrupt, match=r"^segment 1-4: "):
            read(data[:length])


def test_another_identity_is_a_wrong_key(tmp_path: Path) -> None:
    with pytest.raises(WrongKey, match="segment 1-4: no identity opens this age file"):
        read(written(tmp_path / "file", LINES), OTHER_IDENTITY)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "end in the middle"),
        (b"plain text\n", "does not decompress"),
        (zstd(b"no line feed at the end"), "end in the middle"),
        (zstd(b"line\n")[:-1], "end in the middle"),
        (zstd(b"line\n") + b"more", "end in the middle"),
        (zstd(os.urandom(200_000).hex().encode() + b"\n") + b"x" * 70_000, "bytes follow|end in the middle"),
        (zstd(b"line\n") + zstd(b"second frame\n"), "end in the middle"),
    ],
)
def test_a_payload_that_is_no_lines_is_refused(payload: bytes, said: str) -> None:
    with pytest.raises(Corrupt, match=said):
        read(sealed(payload))


def test_a_file_that_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(Unavailable, match="cannot write the temporary file"):
        written(tmp_path / "file", LINES)
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_a_full_disk_is_unavailable(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(Unavailable, match=r"cannot write the temporary file .*File too large"):
            written(tmp_path / "file", [os.urandom(1_000_000).hex().encode()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_failure_of_the_lines_leaves_no_whole_file(tmp_path: Path) -> None:
    def lines() -> Iterator[bytes]:
        yield b"first"
        raise Corrupt("position 2 is gone")

    with pytest.raises(Corrupt, match="position 2 is gone"):
        lines_file.write(tmp_path / "file", lines(), [IDENTITY.recipient], allow_mixed=False)
    with pytest.raises(Corrupt):
        read((tmp_path / "file").read_bytes())


def test_age_and_zstd_show_the_lines(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(IDENTITY.secret_text() + "\n")
    written(tmp_path / "file", LINES)
    opened = subprocess.run(
        [age_command(), "-d", "-i", "key.txt", "file"], cwd=tmp_path, capture_output=True, check=True
    )
    assert opened.stdout == zstandard_bytes(opened.stdout, LINES)
    identity = pyrage.x25519.Identity.from_str(IDENTITY.secret_text())
    assert pyrage.decrypt((tmp_path / "file").read_bytes(), [identity]) == opened.stdout


def test_npm_s_age_encryption_opens_a_post_quantum_file(tmp_path: Path) -> None:
    identity = generate_identity()
    opened = npm_age("decrypt", identity.secret_text(), written(tmp_path / "file", LINES, identity))
    assert zstandard_bytes(opened, LINES) == opened


def zstandard_bytes(compressed: bytes, lines: list[bytes]) -> bytes:
    """The compressed bytes, after the zstd library found the lines in them."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(compressed)) as reader:
        assert reader.read() == b"".join(line + b"\n" for line in lines)
    return compressed
