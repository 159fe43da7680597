"""Files across implementations, both ways: Rust (pyrage), Go (the age command), TypeScript (npm's age-encryption)."""

import io
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # it brings no annotations
import pytest

from infra.backup.age import NativeIdentity, decrypt, encrypt, format_identity, generate_identity, read_identity_file
from tests.infra.backup.age.foreign import age_command, age_version, npm_age

PLAINTEXT = b"record\n" * 20_000  # more than two chunks
POST_QUANTUM = generate_identity()
CLASSICAL = generate_identity(post_quantum=False)
each_kind = pytest.mark.parametrize("identity", [POST_QUANTUM, CLASSICAL], ids=["post-quantum", "classical"])


def seal(identity: NativeIdentity) -> bytes:
    sink = io.BytesIO()
    with encrypt(sink, [identity.recipient]) as writer:
        writer.write(PLAINTEXT)
    return sink.getvalue()


def open_all(file: bytes, identity: NativeIdentity) -> bytes:
    return decrypt(io.BytesIO(file), [identity]).read()


def age(*arguments: str | Path, data: bytes = b"") -> bytes:
    done = subprocess.run([age_command(), *arguments], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_pyrage_opens_ours_and_we_open_pyrage_s() -> None:
    identity = pyrage.x25519.Identity.from_str(CLASSICAL.secret_text())
    assert str(identity.to_public()) == str(CLASSICAL.recipient)
    assert pyrage.decrypt(seal(CLASSICAL), [identity]) == PLAINTEXT
    assert open_all(pyrage.encrypt(PLAINTEXT, [identity.to_public()]), CLASSICAL) == PLAINTEXT


@each_kind
def test_the_age_command_opens_ours_and_we_open_its_own(tmp_path: Path, identity: NativeIdentity) -> None:
    key = tmp_path / "key.txt"
    key.write_text(format_identity(identity, created=datetime(2026, 11, 3, tzinfo=UTC)))
    if identity is POST_QUANTUM and age_version() < (1, 3):
        refused_by_an_old_age(key)
        return
    assert age("--decrypt", "--identity", key, data=seal(identity)) == PLAINTEXT
    assert open_all(age("--recipient", str(identity.recipient), data=PLAINTEXT), identity) == PLAINTEXT


def refused_by_an_old_age(key: Path) -> None:
    """Hold the documentation to its word: before 1.3 the command knows no post-quantum recipient, and says so."""
    command: list[str | Path] = [age_command(), "--decrypt", "--identity", key]
    done = subprocess.run(command, input=seal(POST_QUANTUM), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"age: error: ")


def test_we_read_the_identity_files_of_age_keygen(tmp_path: Path) -> None:
    key = tmp_path / "key.txt"
    keygen = age_command().with_name("age-keygen")
    subprocess.run([keygen, "--output", key], capture_output=True, check=True)
    shown = subprocess.run([keygen, "-y", key], capture_output=True, check=True, text=True).stdout
    (identity,) = read_identity_file(key)
    assert str(identity.recipient) == shown.strip()


@each_kind
def test_npm_s_age_encryption_opens_ours_and_we_open_its_own(identity: NativeIdentity) -> None:
    assert npm_age("recipient", identity.secret_text()).decode() == str(identity.recipient)
    assert npm_age("decrypt", identity.secret_text(), seal(identity)) == PLAINTEXT
    assert open_all(npm_age("encrypt", str(identity.recipient), PLAINTEXT), identity) == PLAINTEXT
