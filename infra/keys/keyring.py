"""The keyring: the data keys of sealed values, wrapped by the root key; shredding one destroys its value."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from domain.errors import Corrupt, NotFound
from domain.sealed_value import SealedValue
from infra.database.session import Insert, Session, Update
from infra.keys.root_key import RootKey
from infra.keys.sealing import DataKey, unseal

COLUMNS = ("key_id", "root_key_id", "wrapped", "added_at", "shredded_at")

SCHEMA = """
CREATE TABLE keyring (
    key_id {text} NOT NULL PRIMARY KEY,
    root_key_id {text} NOT NULL,
    wrapped {bytes} NOT NULL,
    added_at {integer} NOT NULL,
    shredded_at {integer} NOT NULL
);
CREATE INDEX keyring_added ON keyring (added_at);
CREATE INDEX keyring_shredded ON keyring (shredded_at);
"""

PAGE_KEYS = 5_000

LIVE = 0
"""The `shredded_at` of a key that was not shredded."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A row; `added_at` and `shredded_at` are positions. A shredded key keeps its row, with `wrapped` empty."""

    key_id: str
    root_key_id: str
    wrapped: bytes
    added_at: int
    shredded_at: int = LIVE

    @property
    def is_live(self) -> bool:
        """Whether the key still opens its value."""
        return self.shredded_at == LIVE


def create(session: Session) -> None:
    """Make the table."""
    session.execute_script(SCHEMA.format(**session.types))


def insert(session: Session, keys: Iterable[WrappedKey]) -> None:
    """Add rows as they are; Conflict if a key id is taken."""
    session.bulk_insert(
        "keyring", COLUMNS, ((k.key_id, k.root_key_id, k.wrapped, k.added_at, k.shredded_at) for k in keys)
    )


def wrap(key: DataKey, root_key: RootKey, position: int) -> WrappedKey:
    """Wrap a fresh data key for the log's position that first needs it."""
    return WrappedKey(key.key_id, root_key.id, root_key.wrap(key.key_id, key.secret), position)


def rewrap(session: Session, old: RootKey, new: RootKey) -> int:
    """Wrap every live key by another root key; returns how many there are. The caller holds the lock on the head."""
    count = 0
    for page in _live_pages(session):
        rows = [(new.id, new.wrap(key_id, old.unwrap(key_id, wrapped)), key_id) for key_id, wrapped in page]
        session.apply([Update("keyring", ("root_key_id", "wrapped"), ("key_id",), (), rows)])
        count += len(rows)
    return count


def replace_wrapped(
    session: Session, root_key_id: str, wrapped: Callable[[str], bytes | None], destroyed_at: int
) -> int:
    """Set what wraps each live key, by its id; None destroys it as of a position. Returns how many still live."""
    count = 0
    for page in _live_pages(session):
        found = [(key_id, wrapped(key_id)) for key_id, _ in page]
        live = [(root_key_id, value, key_id) for key_id, value in found if value is not None]
        session.apply(
            [
                Update("keyring", ("root_key_id", "wrapped"), ("key_id",), (), live),
                shredding([(key_id, destroyed_at) for key_id, value in found if value is None]),
            ]
        )
        count += len(live)
    return count


def check_all(session: Session, root_key: RootKey) -> int:
    """Unwrap every live key; returns how many there are. WrongKey, naming it, if one does not open."""
    count = 0
    for page in _live_pages(session):
        for key_id, wrapped in page:
            root_key.unwrap(key_id, wrapped)
        count += len(page)
    return count


def _live_pages(session: Session) -> Iterator[list[tuple[str, bytes]]]:
    """Yield the live keys in pages, each read when the one before it may have been changed."""
    after = ""
    while page := session.execute(
        "SELECT key_id, wrapped FROM keyring WHERE key_id > ? AND shredded_at = 0 ORDER BY key_id LIMIT ?",
        (after, PAGE_KEYS),
    ):
        yield [(key_id, bytes(wrapped)) for key_id, wrapped in page]
        after = page[-1][0]


def destroyed(key_id: str, root_key: RootKey, added_at: int, shredded_at: int) -> WrappedKey:
    """Return the row of a key that is not needed any more when it comes to be stored."""
    return WrappedKey(key_id, root_key.id, b"", added_at, shredded_at)


def insertion(keys: Iterable[WrappedKey]) -> Insert:
    """Return the change that adds rows."""
    rows = [(k.key_id, k.root_key_id, k.wrapped, k.added_at, k.shredded_at) for k in keys]
    return Insert("keyring", COLUMNS, rows)


def shredding(key_ids: Sequence[tuple[str, int]]) -> Update:
    """Return the change that destroys stored keys, each as (id, position of the change that no longer needs it).

    What they sealed can never be opened again.
    """
    rows = [(b"", at, key) for key, at in key_ids]
    return Update("keyring", ("wrapped", "shredded_at"), ("key_id",), (), rows)


def changed_between(session: Session, after: int, until: int) -> Iterator[WrappedKey]:
    """Yield the keys that were added or shredded at positions in (after, until], in the order of their ids."""
    rows = session.stream(f"{_changed(', '.join(COLUMNS))} ORDER BY key_id", (after, until) * 3)
    for row in rows:
        yield WrappedKey(row[0], row[1], bytes(row[2]), row[3], row[4])


def count_changed(session: Session, after: int, until: int) -> int:
    """Return how many keys `changed_between` yields."""
    sql = f"SELECT count(*) FROM ({_changed('key_id')}) AS changed"
    [(found,)] = session.execute(sql, (after, until) * 3)
    return int(found)


def holds_destroyed(session: Session, after: int, until: int) -> bool:
    """Whether a key that was added at a position in (after, until], and lived at `until`, was shredded since."""
    sql = "SELECT 1 FROM keyring WHERE shredded_at > ? AND +added_at > ? AND +added_at <= ? LIMIT 1"
    return bool(session.execute(sql, (until, after, until)))


def destroyed_keys(session: Session) -> Iterator[WrappedKey]:
    """Yield the destroyed keys in the order in which they were destroyed."""
    rows = session.stream(
        f"SELECT {', '.join(COLUMNS)} FROM keyring WHERE shredded_at > 0 ORDER BY shredded_at, key_id"
    )
    for row in rows:
        yield WrappedKey(row[0], row[1], bytes(row[2]), row[3], row[4])


def count_destroyed(session: Session, after: int) -> int:
    """Return how many keys were destroyed after a position."""
    [(found,)] = session.execute("SELECT count(*) FROM keyring WHERE shredded_at > ?", (after,))
    return int(found)


def _changed(columns: str) -> str:
    # Two ranges of two indexes, and no key twice; the plus keeps the second part from using the first one's index.
    return (
        f"SELECT {columns} FROM keyring WHERE added_at > ? AND added_at <= ? UNION ALL "
        f"SELECT {columns} FROM keyring WHERE shredded_at > ? AND shredded_at <= ? "
        "AND NOT (+added_at > ? AND +added_at <= ?)"
    )


def find(session: Session, key_id: str) -> WrappedKey | None:
    """Return the row of a key, also of a shredded one."""
    rows = session.execute(f"SELECT {', '.join(COLUMNS)} FROM keyring WHERE key_id = ?", (key_id,))
    return WrappedKey(rows[0][0], rows[0][1], bytes(rows[0][2]), rows[0][3], rows[0][4]) if rows else None


def open_sealed(session: Session, root_key: RootKey, sealed: SealedValue, *, purpose: str, resource: str) -> bytes:
    """Return the plaintext of a sealed value.

    Raises NotFound if it was shredded, Corrupt if its key was lost, and WrongKey if another root key wrapped it.
    """
    row = find(session, sealed["keyId"])
    if row is None:
        raise Corrupt(f"the key {sealed['keyId']} of {resource} is not in the keyring: recover it from a backup")
    if not row.is_live:
        raise NotFound(f"the value of {resource} was destroyed at position {row.shredded_at}")
    data_key = DataKey(row.key_id, root_key.unwrap(row.key_id, row.wrapped))
    return unseal(sealed, data_key, purpose=purpose, resource=resource)
