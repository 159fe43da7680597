"""The access log: who was shown which sealed value, and why; written before the value is shown, and kept locally."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.instant import from_microseconds
from infra.database.session import Session
from infra.log.record import Actor

COLUMNS = ("recorded_at", "resource", "reason", "established", "host", "os_user", "principal")

SCHEMA = """
CREATE TABLE access_log (
    recorded_at {integer} NOT NULL,
    resource {text} NOT NULL,
    reason {text} NOT NULL,
    established {text} NOT NULL,
    host {text} NOT NULL,
    os_user {text} NOT NULL,
    principal {text}
);
"""


@dataclass(frozen=True, slots=True)
class Access:
    """One reading of the value of `resource`, a version of a secret."""

    recorded_at: str
    resource: str
    reason: str
    actor: Actor


def create(session: Session) -> None:
    """Make the table."""
    session.execute_script(SCHEMA.format(**session.types))


def append(session: Session, resource: str, reason: str, actor: Actor) -> None:
    """Note a reading; the caller shows the value only once this is committed."""
    row = (session.now_us(), resource, reason, actor.established, actor.host, actor.os_user, actor.principal)
    marks = ", ".join("?" * len(COLUMNS))
    session.execute(f"INSERT INTO access_log ({', '.join(COLUMNS)}) VALUES ({marks})", row)


def accesses(session: Session) -> Iterator[Access]:
    """Yield all readings, oldest first."""
    for row in session.stream(f"SELECT {', '.join(COLUMNS)} FROM access_log ORDER BY recorded_at"):
        recorded_at, resource, reason, established, host, os_user, principal = row
        yield Access(from_microseconds(recorded_at), resource, reason, Actor(established, host, os_user, principal))
