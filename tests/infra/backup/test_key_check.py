"""Key checks: an identity that opens a backup is told from one that does not, and from damage, by headers alone."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Corrupt, WrongKey
from infra.backup import key_check, segment
from infra.backup.age import encrypt, fingerprint, generate_identity, opens, read_header
from infra.backup.key_check import KeyCheck
from infra.canonical_json import decode, encode
from infra.keys import base64_text
from tests.backup_estate import IDENTITY, OTHER_IDENTITY, Estate, estate, lived_in
from tests.infra.control_plane.installation import request


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Estate]:
    monkeypatch.setattr(segment, "RECORDS_MAX", 6)
    with estate(tmp_path) as one:
        yield lived_in(one)


def gathered(made: Estate) -> KeyCheck:
    stored = made.repository.newest(made.deployment)
    assert stored is not None
    return key_check.gather(made.repository, stored)


def test_an_identity_that_opens_everything_is_told_from_one_that_does_not(made: Estate) -> None:
    found = key_check.parse(gathered(made).to_bytes(), "saved")
    assert found == gathered(made)
    objects = len(made.newest.objects())
    assert objects > 3
    assert found.opened([IDENTITY]) == {fingerprint(IDENTITY.recipient): objects}
    assert found.opened([OTHER_IDENTITY, IDENTITY])[fingerprint(OTHER_IDENTITY.recipient)] == 0
    with pytest.raises(WrongKey, match=f"{objects} of the {objects} objects"):
        found.opened([OTHER_IDENTITY])


def test_a_recipient_that_was_added_does_not_open_what_was_there(made: Estate) -> None:
    made.record(request("AddBackupRecipient", name="second", recipient=str(OTHER_IDENTITY.recipient)))
    made.back_up()
    with pytest.raises(WrongKey, match="backup rekey"):
        gathered(made).opened([OTHER_IDENTITY])


@pytest.mark.parametrize("size", [1, 100, 16 * 1024])
def test_a_header_is_read_in_pieces_and_ends_with_its_mac(
    size: int, monkeypatch: pytest.MonkeyPatch, made: Estate
) -> None:
    monkeypatch.setattr(key_check, "READ_BYTES", size)
    for entry in made.newest.objects():
        data = (made.root / entry.name(made.deployment)).read_bytes()
        header = gathered(made).headers[entry.sha256]
        assert data.startswith(header)
        assert header.splitlines()[-1].startswith(b"--- ")


def test_every_flipped_bit_of_a_saved_check_is_noticed(made: Estate) -> None:
    data = gathered(made).to_bytes()
    for at in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[at] ^= 1
        with pytest.raises((Corrupt, WrongKey)):
            key_check.parse(bytes(flipped), "saved").opened([IDENTITY])


def test_a_saved_check_that_is_cut_or_lacks_a_header_is_corrupt(made: Estate) -> None:
    data = gathered(made).to_bytes()
    value = decode(data, "saved")
    lacking = {**value, "headers": dict(list(value["headers"].items())[1:])}
    foreign = {**value, "headers": {**value["headers"], "0" * 64: base64_text.encode(b"x")}}
    others: list[object] = [
        lacking,
        foreign,
        {**value, "format": 2},
        {**value, "more": 1},
        {**value, "headers": []},
        [],
    ]
    for other in others:
        with pytest.raises(Corrupt, match="saved"):
            key_check.parse(encode(other) + b"\n", "saved")
    for cut in (data[:-1], data[: len(data) // 2], b"", b"\n"):
        with pytest.raises(Corrupt, match="saved"):
            key_check.parse(cut, "saved")


def test_a_missing_object_and_a_damaged_header_are_corrupt_and_named(made: Estate) -> None:
    path = made.root / made.newest.segments[0].name(made.deployment)
    data = path.read_bytes()
    for damaged in (b"", data[:40], b"x" + data[1:], data.replace(b"---", b"--.", 1)):
        path.write_bytes(damaged)
        with pytest.raises(Corrupt, match=path.name):
            gathered(made)
    path.unlink()
    with pytest.raises(Corrupt, match=path.name):
        gathered(made)


def test_a_header_of_another_recipient_s_making_does_not_pass(made: Estate) -> None:
    sealed = io.BytesIO()
    with encrypt(sealed, [IDENTITY.recipient, OTHER_IDENTITY.recipient]) as payload:
        payload.write(b"content")
    header = read_header(io.BytesIO(sealed.getvalue()))
    assert opens(header, IDENTITY)
    lines = header.split(b"\n")
    without_second = b"\n".join([*lines[:3], lines[-2], b""])
    with pytest.raises(Corrupt, match="HMAC"):
        opens(without_second, IDENTITY)
    assert not opens(header, generate_identity())
