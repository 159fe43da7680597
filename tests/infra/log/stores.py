"""Open and empty stores for tests."""

from dataclasses import replace

from infra.control_plane import store
from infra.database.session import Database
from infra.database.url import open_database
from infra.log import head
from infra.log.head import OPEN, Head


def opened(url: str) -> Database:
    """Return a new store that is open, and holds nothing."""
    database = open_database(url, create=True)
    with database.write() as session:
        store.create(session)
        head.write(session, replace(head.NEW, mode=OPEN))
    return database


def change_head(database: Database, **fields: object) -> Head:
    """Write other values into the head, as another program or a damage could have."""
    with database.write() as session:
        changed = replace(head.read(session, lock=True), **fields)  # type: ignore[arg-type]  # of the fields that are named
        head.write(session, changed)
        return changed
