"""Rotation of the root key: everything that the old one wraps is wrapped by a new one, in one transaction."""

from dataclasses import dataclass

from domain.errors import Corrupt
from infra.backup import memory
from infra.database.session import Database
from infra.keys import keyring
from infra.keys.root_key import RootKey
from infra.log import head, wrapping


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many live keys the new root key wraps; the instant from which it does."""

    keys: int
    since: str


def rotate(database: Database, old: RootKey, new: RootKey) -> Rotated:
    """Wrap everything by the new root key, which is durable already, and read all of it back.

    A crash leaves the store under one of the two. Other processes that hold the old one are refused from then on.
    Whatever is raised, the old one must not be destroyed.
    """
    with database.write() as session:
        head.read_open(session, lock=True)
        wrapping.check(session, old)
        keys = keyring.rewrap(session, old, new)
        memory.rewrap(session, old, new)
    database.erase_remains()
    with database.read() as session:
        memory.check_all(session, new)
        found, used = keyring.check_all(session, new), wrapping.read(session)
    if used is None or used.root_key_id != new.id:
        raise Corrupt(f"the store does not say that it is wrapped by {new.id}: keep both root keys, and find out why")
    return Rotated(max(keys, found), used.since)
