"""The store that the settings name: opened, and unlocked with its root key, by commands that need no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from domain.errors import NotFound, WrongKey
from infra.backup import memory
from infra.cli import output
from infra.cli.settings import Settings
from infra.database.session import Database, Session
from infra.database.url import open_database
from infra.keys.root_key import RootKey
from infra.log import head


class Unlocked(NamedTuple):
    """The database of an open deployment, and its root key."""

    database: Database
    root_key: RootKey


@contextmanager
def opened(settings: Settings, *, create: bool = False) -> Iterator[Database]:
    """Open the store's database, and close it in the end."""
    database = open_database(settings.store, create=create)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def unlocked(settings: Settings) -> Iterator[Unlocked]:
    """Open the database of an open deployment; WrongKey if the root key is not its own."""
    with opened(settings) as database:
        yield Unlocked(database, unlock(settings, database))


def unlock(settings: Settings, database: Database) -> RootKey:
    """Return the root key that the store is wrapped by.

    After an interrupted change of the root key that may be the one beside its file. Raises what is wrong with the file
    otherwise.
    """
    with database.read() as session:
        head.read_open(session)
        try:
            root_key = settings.load_root_key()
            memory.get_signer(session, root_key)
        except (NotFound, WrongKey):
            pending = settings.pending_root_key()
            if pending is None or not _opens(session, pending):
                raise
            output.note(f"a change of the root key to {pending.id} was interrupted: finish it with key rotate-root")
            return pending
    return root_key


def _opens(session: Session, root_key: RootKey) -> bool:
    try:
        memory.get_signer(session, root_key)
    except WrongKey:
        return False
    return True
