"""Keyring files: a base and deltas upon it say of every key whether it lives."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from domain.errors import Corrupt
from infra.backup import keyring_file, lines_file
from infra.backup.keyring_file import Contents
from infra.backup.lines_file import with_file_key
from infra.backup.manifest import KeyringEntry
from infra.canonical_json import encode
from infra.keys.keyring import WrappedKey
from infra.keys.root_key import HeldRootKey
from tests.backup_estate import IDENTITY
from tests.infra.control_plane.installation import ROOT_KEY

HEAD = {"after": 0, "format": 1, "kind": "base", "until": 9}
LIVE = {"added_at": 3, "key": "A" * 43 + "=", "key_id": "a"}
SHREDDED = {"added_at": 3, "key_id": "b", "shredded_at": 5}


def entry(after: int, until: int, keys: int) -> KeyringEntry:
    return KeyringEntry(after=after, until=until, keys=keys, sequence=1, sha256="0" * 64, size_bytes=1)


def applied(contents: Contents, folder: Path, lines: Iterable[bytes], of: KeyringEntry) -> Contents:
    path = folder / f"keyring-{len(list(folder.iterdir()))}"
    sealed = lines_file.write(path, lines, [IDENTITY.recipient], allow_mixed=False)
    keyring_file.apply(contents, path.read_bytes(), with_file_key(sealed.file_key), of)
    return contents


def wrapped(key_id: str, added_at: int, shredded_at: int = 0) -> WrappedKey:
    secret = b"" if shredded_at else ROOT_KEY.wrap(key_id, key_id.encode() * 32)
    return WrappedKey(key_id, ROOT_KEY.id, secret, added_at, shredded_at)


def test_a_base_and_its_deltas_say_which_keys_live(tmp_path: Path) -> None:
    contents = Contents()
    base = [wrapped("a", 1), wrapped("b", 2), wrapped("c", 3, 4)]
    applied(contents, tmp_path, keyring_file.lines(base, ROOT_KEY, 0, 4), entry(0, 4, 3))
    delta = [wrapped("b", 2, 6), wrapped("d", 6), wrapped("e", 5, 6)]
    applied(contents, tmp_path, keyring_file.lines(delta, ROOT_KEY, 4, 6), entry(4, 6, 3))
    assert {key: (data.secret, added) for key, (data, added) in contents.live.items()} == {
        "a": (b"a" * 32, 1),
        "d": (b"d" * 32, 6),
    }
    assert contents.shredded == {"b": (2, 6), "c": (3, 4), "e": (5, 6)}


def test_a_new_root_key_wraps_what_was_read(tmp_path: Path) -> None:
    keys = [wrapped("a", 1), wrapped("b", 2, 3)]
    contents = applied(Contents(), tmp_path, keyring_file.lines(keys, ROOT_KEY, 0, 3), entry(0, 3, 2))
    other = HeldRootKey(bytes(32))
    live, destroyed = contents.wrapped(other)
    assert other.unwrap("a", live.wrapped) == b"a" * 32
    assert (live.root_key_id, live.added_at, live.is_live) == (other.id, 1, True)
    assert (destroyed.wrapped, destroyed.added_at, destroyed.shredded_at) == (b"", 2, 3)


def test_no_key_is_shown(tmp_path: Path) -> None:
    contents = applied(Contents(), tmp_path, keyring_file.lines([wrapped("a", 1)], ROOT_KEY, 0, 3), entry(0, 3, 1))
    assert "aaaa" not in repr(contents)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "is not JSON"),
        ([{**HEAD, "until": 8}], "is not the keyring that its manifest says"),
        ([{**HEAD, "kind": "delta"}], "is not the keyring that its manifest says"),
        ([{**HEAD, "format": 2}], "is not the keyring that its manifest says"),
        ([HEAD, LIVE], "holds 1 keys, not 2"),
        ([HEAD, LIVE, SHREDDED, SHREDDED], "holds 3 keys, not 2"),
        ([HEAD, LIVE, {**LIVE, "key": "AAAA"}], "holds a line that is no key"),
        ([HEAD, LIVE, {**LIVE, "key": "?"}], "holds a line that is no key"),
        ([HEAD, LIVE, {"key_id": "c"}], "holds a line that is no key"),
        ([HEAD, LIVE, {**SHREDDED, "shredded_at": None}], "holds a line that is no key"),
        ([HEAD, LIVE, ["key"]], "holds a line that is no key"),
        ([HEAD, LIVE, 1], "holds a line that is no key"),
    ],
)
def test_a_keyring_of_another_form_is_refused(tmp_path: Path, lines: list[object], said: str) -> None:
    with pytest.raises(Corrupt, match=said) as refusal:
        applied(Contents(), tmp_path, map(encode, lines), entry(0, 9, 2))
    assert "AAAA" not in str(refusal.value)
    assert str(refusal.value).startswith("keyring 1 up to position 9")
