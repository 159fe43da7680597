"""Local facts: what a store knows of itself that is no part of the log, such as its wrapped signer."""

from collections.abc import Iterable

from infra.database.session import Session

SCHEMA = """
CREATE TABLE local_facts (
    name {text} NOT NULL PRIMARY KEY,
    value {bytes} NOT NULL
);
"""


def create(session: Session) -> None:
    """Make the table."""
    session.execute_script(SCHEMA.format(**session.types))


def get(session: Session, name: str) -> bytes | None:
    """Return the value of a fact."""
    rows = session.execute("SELECT value FROM local_facts WHERE name = ?", (name,))
    return bytes(rows[0][0]) if rows else None


def put(session: Session, name: str, value: bytes) -> None:
    """Set a fact."""
    session.execute("DELETE FROM local_facts WHERE name = ?", (name,))
    session.execute("INSERT INTO local_facts (name, value) VALUES (?, ?)", (name, value))


def with_prefix(session: Session, prefix: str) -> dict[str, bytes]:
    """Return the facts whose names begin with a prefix."""
    # A range, which the key's index finds: a prefix's last character and the next one enclose what begins with it.
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    rows = session.execute(
        "SELECT name, value FROM local_facts WHERE name >= ? AND name < ? ORDER BY name", (prefix, end)
    )
    return {name: bytes(value) for name, value in rows}


def delete(session: Session, names: Iterable[str]) -> None:
    """Forget facts; those that are not there are no error."""
    for name in names:
        session.execute("DELETE FROM local_facts WHERE name = ?", (name,))
