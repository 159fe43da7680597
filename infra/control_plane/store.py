"""The store: all tables of a deployment in one database, and how an empty one is made."""

from domain.errors import Refused
from infra.database.session import Database, Session
from infra.keys import keyring
from infra.log import access_log, event_table, head, local_fact
from infra.log.head import EMPTY, OPEN, Head
from infra.state import tables

TABLES = ("log_head", "events", "versions", "links", "keyring", "local_facts", "access_log")

LARGE_TABLES = ("events", "versions", "links", "keyring")

STATISTICS_TARGET = 10
"""A tenth of the usual one, in a quarter of the time: good enough until the server looks again by itself."""

NOT_EMPTY = (
    "the store holds deployment {deployment} up to position {position}: to recover beside it, name another store; "
    "to replace it, move or drop it first; to bring parts of a backup back into it, add --only SERVICE"
)


def create(session: Session, *, with_indexes: bool = True) -> Head:
    """Make all tables; a recovery builds the indexes last. Refused if one of the names is taken by something else."""
    for table in TABLES:
        if session.has_table(table):
            raise Refused(
                f"the database holds a table {table} that is not of a store: name another database or schema",
                rule="target-empty",
            )
    head.create(session)
    event_table.create(session)
    tables.create(session)
    keyring.create(session)
    local_fact.create(session)
    access_log.create(session)
    if with_indexes:
        create_indexes(session)
    return head.read(session)


def create_indexes(session: Session) -> None:
    """Build the indexes of the large tables."""
    event_table.create_indexes(session)
    tables.create_indexes(session)


def analyze(session: Session) -> None:
    """Let PostgreSQL's planner know what was loaded, which it would find out by itself a minute after the commit.

    Until then it takes every question for a large one. SQLite's needs no statistics to choose the same plans.
    """
    if session.engine != "sqlite":
        session.execute(f"SET LOCAL default_statistics_target = {STATISTICS_TARGET}")
        session.execute(f"ANALYZE {', '.join(LARGE_TABLES)}")


def drop(session: Session) -> None:
    """Drop all tables of a store that `check_empty` accepts."""
    for table in TABLES:
        session.execute_script(f"DROP TABLE IF EXISTS {table};")


def ensure_empty(database: Database) -> Head:
    """Return the head of an empty store, made now if there was none.

    Refused, naming the roads, if it holds a deployment.
    """
    with database.write() as session:
        at = head.read(session) if session.has_table("log_head") else create(session)
        check_empty(at)
        return at


def check_empty(at: Head) -> None:
    """Refuse a store that holds anything. One that was opened but never recorded into is empty."""
    if at.position or at.mode not in (EMPTY, OPEN):
        state = NOT_EMPTY.format(deployment=at.deployment or "unknown", position=at.position)
        raise Refused(
            state if at.position else f"the store is {head.describe(at.mode)}",
            rule="target-empty",
            resource=at.deployment,
        )
