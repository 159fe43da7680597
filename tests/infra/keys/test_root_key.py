"""Root keys: what one wraps only it unwraps, its file is private and never overwritten, and a typing error is named."""

import os
import stat
from pathlib import Path

import pytest

from domain.errors import Corrupt, NotFound, Refused, Unavailable, Usage, WrongKey
from infra.keys import associated_data
from infra.keys.root_key import EnvironmentRootKey, FileRootKey, HeldRootKey, RootKey

KEY = bytes(range(32))
ROOT: RootKey = HeldRootKey(KEY)
DATA_KEY = bytes(range(100, 132))
KEY_ID = "00112233445566778899aabbccddeeff"
LINE = "RESURGAM-ROOT-KEY-1-AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSOW4Q"
WRAPPED = (
    "000102030405060708090a0b"
    "2367b07cad8ca870e12cf9e4c1980a1ef7a3f14388022507441a9bfa9de88231"
    "7af9b813614dcc36f73cd50bfeadc985"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.key"


def key_line(path: Path) -> str:
    return path.read_text().splitlines()[-1]


def test_a_wrapped_data_key_comes_back_and_looks_different_each_time() -> None:
    first, second = ROOT.wrap(KEY_ID, DATA_KEY), ROOT.wrap(KEY_ID, DATA_KEY)
    assert first != second
    assert ROOT.unwrap(KEY_ID, first) == ROOT.unwrap(KEY_ID, second) == DATA_KEY
    assert len(first) == 60


def test_another_root_key_is_a_wrong_key_and_both_ids_are_named() -> None:
    other = HeldRootKey(bytes(32))
    with pytest.raises(WrongKey, match=f"{other.id}.*{KEY_ID}"):
        other.unwrap(KEY_ID, ROOT.wrap(KEY_ID, DATA_KEY))


def test_a_data_key_under_another_id_is_refused() -> None:
    with pytest.raises(WrongKey):
        ROOT.unwrap("f" * 32, ROOT.wrap(KEY_ID, DATA_KEY))


def test_any_flipped_bit_and_any_cut_of_a_wrapped_key_is_refused() -> None:
    wrapped = ROOT.wrap(KEY_ID, DATA_KEY)
    for place in range(len(wrapped)):
        for bit in range(8):
            damaged = bytearray(wrapped)
            damaged[place] ^= 1 << bit
            with pytest.raises(WrongKey):
                ROOT.unwrap(KEY_ID, bytes(damaged))
        with pytest.raises(Corrupt):
            ROOT.unwrap(KEY_ID, wrapped[:place])


def test_associated_data_is_the_pre_authentication_encoding() -> None:
    expected = b"\x02\0\0\0\0\0\0\0" + b"\x02\0\0\0\0\0\0\0\xc3\xa9" + b"\0\0\0\0\0\0\0\0"
    assert associated_data.encode("é", "") == expected
    lists = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ()]
    assert len({associated_data.encode(*each) for each in lists}) == len(lists)


def test_the_line_the_id_and_the_wrapping_stay_as_they_were_released() -> None:
    key = EnvironmentRootKey(LINE)
    assert key.id == ROOT.id == "bcaa8d3a8a73a7a1"
    assert key.unwrap(KEY_ID, bytes.fromhex(WRAPPED)) == DATA_KEY


def test_a_created_root_key_loads_again_and_from_the_environment(path: Path) -> None:
    created = FileRootKey.create(path)
    wrapped = created.wrap(KEY_ID, DATA_KEY)
    assert FileRootKey.load(path).unwrap(KEY_ID, wrapped) == DATA_KEY
    assert EnvironmentRootKey(f" {key_line(path)}\n").unwrap(KEY_ID, wrapped) == DATA_KEY
    assert f"# id: {created.id}\n" in path.read_text()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_the_file_has_mode_0600_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        FileRootKey.create(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o600


def test_an_existing_file_is_never_overwritten(path: Path) -> None:
    FileRootKey.create(path)
    before = path.read_bytes()
    with pytest.raises(Refused, match="never overwritten"):
        FileRootKey.create(path)
    assert path.read_bytes() == before


def test_a_dangling_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused):
        FileRootKey.create(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(Unavailable, match="No space left"):
        FileRootKey.create(path)
    assert not path.exists()


def test_a_file_system_without_unnamed_files_takes_a_root_key_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os_open = os.open

    def no_unnamed_files(name: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return os_open(name, flags, mode)

    monkeypatch.setattr(os, "open", no_unnamed_files)
    created = FileRootKey.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FileRootKey.load(path).id == created.id
    with pytest.raises(Refused, match="never overwritten"):
        FileRootKey.create(path)


def test_a_missing_folder_or_file_is_named(path: Path) -> None:
    with pytest.raises(NotFound, match="folder"):
        FileRootKey.create(path / "root.key")
    with pytest.raises(NotFound, match=r"root\.key does not exist"):
        FileRootKey.load(path)
    with pytest.raises(Unavailable):
        FileRootKey.load(path.parent)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o602])
def test_a_file_that_others_can_access_is_refused(path: Path, mode: int) -> None:
    FileRootKey.create(path)
    path.chmod(mode)
    with pytest.raises(Refused, match=f"chmod 600 {path}"):
        FileRootKey.load(path)


def test_a_file_that_its_owner_can_only_read_is_accepted(path: Path) -> None:
    created = FileRootKey.create(path)
    path.chmod(0o400)
    assert FileRootKey.load(path).id == created.id


@pytest.mark.parametrize("text", ["", "# only a comment\n", f"{LINE}\n{LINE}\n", "é", f"{LINE}\n" + "#" * 5000, "\x00"])
def test_a_file_without_exactly_one_root_key_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(Usage, match=r"root\.key"):
        FileRootKey.load(path)


def test_any_mistyped_character_is_noticed_and_the_line_is_not_quoted() -> None:
    for place in range(len(LINE)):
        for character in "AB7a0- é":
            mistyped = LINE[:place] + character + LINE[place + 1 :]
            if mistyped.strip() != LINE:
                with pytest.raises(Usage) as refusal:
                    EnvironmentRootKey(mistyped)
                assert LINE[30:50] not in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("", "does not begin with RESURGAM-ROOT-KEY-1-"),
        (LINE.lower(), "does not begin with"),
        (LINE[:-1], "55 characters"),
        (LINE + "A", "57 characters"),
        (LINE.replace("AYE", "A1E"), "character 7 after"),
        (LINE.replace("AYE", "AEY"), "checksum"),
    ],
)
def test_a_mistake_in_the_line_is_named(line: str, mistake: str) -> None:
    with pytest.raises(Usage, match=mistake):
        EnvironmentRootKey(line)


def test_the_key_is_shown_nowhere(path: Path) -> None:
    created = FileRootKey.create(path)
    secret = key_line(path).removeprefix("RESURGAM-ROOT-KEY-1-")
    shown = [repr(created), str(created), repr(EnvironmentRootKey(LINE))]
    path.write_text(path.read_text()[:-3])
    with pytest.raises(Usage) as refusal:
        FileRootKey.load(path)
    shown += [str(refusal.value), repr(refusal.value.__cause__)]
    assert not any(secret[:8] in each or KEY.hex() in each or repr(KEY) in each for each in shown)
