"""Keyring files: the data keys of a deployment, sealed to the recipients, as a base and deltas upon it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from domain.errors import Corrupt
from infra.backup import lines_file, superseding
from infra.backup.lines_file import Opener
from infra.backup.manifest import KeyringEntry, Manifest
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.canonical_json import decode_canonical, encode
from infra.keys import base64_text
from infra.keys.keyring import LIVE, WrappedKey
from infra.keys.root_key import RootKey
from infra.keys.sealing import DATA_KEY_BYTES, DataKey

FORMAT = 1

_Key = tuple[str, bytes | None, int, int]
"""A key's id, its secret if it lives, where it was added, and where it was shredded."""


@dataclass(slots=True)
class Contents:
    """The keys at the end of a chain: key id -> (key, added at) of live ones, (added at, shredded at) of others.

    `sequence` is the number of the manifest whose keyring it is.
    """

    live: dict[str, tuple[DataKey, int]] = field(default_factory=dict)
    shredded: dict[str, tuple[int, int]] = field(default_factory=dict)
    sequence: int = 0

    def wrapped(self, root_key: RootKey) -> Iterator[WrappedKey]:
        """Yield the rows of a new store's keyring, wrapped by its root key."""
        for key_id, (key, added_at) in self.live.items():
            yield WrappedKey(key_id, root_key.id, root_key.wrap(key_id, key.secret), added_at)
        for key_id, (added_at, shredded_at) in self.shredded.items():
            yield WrappedKey(key_id, "", b"", added_at, shredded_at)


def lines(keys: Iterable[WrappedKey], root_key: RootKey, after: int, until: int) -> Iterator[bytes]:
    """Yield the lines of a keyring file."""
    yield encode({"after": after, "format": FORMAT, "kind": "delta" if after else "base", "until": until})
    for key in keys:
        line: dict[str, object] = {"added_at": key.added_at, "key_id": key.key_id}
        if key.is_live:
            line["key"] = base64_text.encode(root_key.unwrap(key.key_id, key.wrapped))
        else:
            line["shredded_at"] = key.shredded_at
        yield encode(line)


def read_all(repository: Repository, of: Manifest, opener_of: OpenerOf) -> Contents:
    """Return the keys of a backup; Corrupt unless every file is as its manifest says.

    If its own keyring was superseded and is gone, the newest one serves: keys are only added or shredded.
    """
    serving = superseding.serving(repository, of)
    contents = Contents(sequence=serving.sequence)
    for entry in serving.keyring:
        apply(contents, repository.get_object(of.deployment, entry), opener_of(entry.sha256), entry)
    return contents


def apply(contents: Contents, data: bytes, opener: Opener, entry: KeyringEntry) -> None:
    """Add one file to what its predecessors say."""
    for key_id, secret, added_at, shredded_at in _keys(data, opener, entry):
        if secret is not None:
            contents.live[key_id] = (DataKey(key_id, secret), added_at)
        else:
            contents.live.pop(key_id, None)
            contents.shredded[key_id] = (added_at, shredded_at)


def _keys(data: bytes, opener: Opener, entry: KeyringEntry) -> Iterator[_Key]:
    name = f"keyring {entry.sequence} up to position {entry.until}"
    content = lines_file.read(data, opener, name)
    head = decode_canonical(next(content, b""), name)
    expected = {
        "after": entry.after,
        "format": FORMAT,
        "kind": "delta" if entry.after else "base",
        "until": entry.until,
    }
    if head != expected:
        raise Corrupt(f"{name} is not the keyring that its manifest says")
    count = 0
    for line in content:
        count += 1
        yield _key(decode_canonical(line, name), name)
    if count != entry.keys:
        raise Corrupt(f"{name} holds {count} keys, not {entry.keys}")


def _key(line: dict[str, object], name: str) -> _Key:
    try:
        key_id, added_at = str(line["key_id"]), int(str(line["added_at"]))
        if "key" not in line:
            return key_id, None, added_at, int(str(line["shredded_at"]))
        secret = base64_text.decode(str(line["key"]))
        if len(secret) != DATA_KEY_BYTES:
            raise ValueError(key_id)
        return key_id, secret, added_at, LIVE
    except (KeyError, TypeError, ValueError):
        raise Corrupt(f"{name} holds a line that is no key") from None
