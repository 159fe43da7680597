"""The store that the settings name: opened, and unlocked with its root key, by commands that need no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from infra.backup import memory
from infra.cli.settings import Settings
from infra.database.session import Database
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
        root_key = settings.load_root_key()
        with database.read() as session:
            head.read_open(session)
            memory.get_signer(session, root_key)
        yield Unlocked(database, root_key)
