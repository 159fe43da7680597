"""Identity files: what they may hold, and that their errors never show it."""

import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import NotFound, Unavailable, Usage
from infra.backup.age import format_identity, generate_identity, parse_identities, read_identity_file

CREATED = datetime(2026, 11, 3, 14, 0, 5, 123456, tzinfo=UTC)


@pytest.mark.parametrize("post_quantum", [True, False])
def test_a_written_identity_is_read_again(tmp_path: Path, post_quantum: bool) -> None:
    identity = generate_identity(post_quantum=post_quantum)
    text = format_identity(identity, created=CREATED)
    assert text.splitlines() == [
        "# created: 2026-11-03T14:00:05+00:00",
        f"# public key: {identity.recipient}",
        identity.secret_text(),
    ]
    path = tmp_path / "key.txt"
    path.write_text(text)
    assert read_identity_file(path) == (identity,)


def test_several_identities_keep_their_order_among_comments_and_blank_lines() -> None:
    first, second = generate_identity(post_quantum=False), generate_identity()
    content = f"\ufeff# first\r\n\r\n{first.secret_text()}\r\n\n  # second\n {second.secret_text()} "
    assert parse_identities(content.encode(), name="key.txt") == (first, second)


def test_an_error_names_file_and_line_but_never_the_content() -> None:
    secret = generate_identity().secret_text()
    with pytest.raises(Usage) as caught:
        parse_identities(f"# mine\n\n{secret[:-1]}\n".encode(), name="key.txt")
    assert str(caught.value).startswith("key.txt line 3: malformed age identity")
    # traceback.format_exception shows causes too; the code lines that it quotes hold no value.
    assert secret[20:50] not in "".join(traceback.format_exception(caught.value))


def test_bytes_that_are_no_text_are_refused_without_showing_them() -> None:
    content = b"\x30\x82\xff\xff"
    with pytest.raises(Usage, match=r"key\.pfx is not text") as caught:
        parse_identities(content, name="key.pfx")
    assert "\\x82" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# public key: none\n"])
def test_a_file_without_an_identity_is_refused(content: bytes) -> None:
    with pytest.raises(Usage, match="holds no identity"):
        parse_identities(content, name="key.txt")


def test_a_file_that_is_absent_unreadable_or_far_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.txt does not exist"):
        read_identity_file(tmp_path / "absent.txt")
    with pytest.raises(Unavailable, match="cannot be read"):
        read_identity_file(tmp_path)
    large = tmp_path / "large.txt"
    large.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(Usage, match="larger than"):
        read_identity_file(large)


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        format_identity(generate_identity(), created=datetime(2026, 11, 3))  # noqa: DTZ001
