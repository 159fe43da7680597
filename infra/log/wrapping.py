"""Wrapping: by which root key the rows of a store are wrapped, and since when (docs/reference/store.md)."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import WrongKey
from domain.instant import from_microseconds
from infra.canonical_json import decode, encode
from infra.database.session import Question, Row, Session
from infra.keys.root_key import RootKey
from infra.log import local_fact

FACT = "root-key"
QUESTION = Question("SELECT value FROM local_facts WHERE name = ?", [(FACT,)])
"""Asked with the lock on the head by whoever is about to wrap: a rotation holds that lock too."""

DAYS_MAX = 31
"""How old a root key becomes before its rotation is due."""


@dataclass(frozen=True, slots=True)
class Wrapping:
    """The id of the root key, and the instant at which the store began to use it."""

    root_key_id: str
    since: str


def read(session: Session) -> Wrapping | None:
    """Return the root key in use; None if the store does not say."""
    value = local_fact.get(session, FACT)
    return None if value is None else _decoded(value)


def put(session: Session, root_key: RootKey) -> Wrapping:
    """Note that from now on everything is wrapped by this root key."""
    wrapping = Wrapping(root_key.id, from_microseconds(session.now_us()))
    local_fact.put(session, FACT, encode({"id": wrapping.root_key_id, "since": wrapping.since}))
    return wrapping


def check(session: Session, root_key: RootKey) -> None:
    """See `check_answer`; the caller holds the lock on the head."""
    check_answer(session.execute(QUESTION.select, QUESTION.rows[0]), root_key)


def check_answer(rows: Sequence[Row], root_key: RootKey) -> None:
    """Raise WrongKey unless the root key is the one in use, by the answer to QUESTION."""
    wrapping = _decoded(bytes(rows[0][0])) if rows else None
    if wrapping is not None and wrapping.root_key_id != root_key.id:
        raise WrongKey(
            f"the root key was changed at {wrapping.since}: this process holds {root_key.id}, the store is wrapped by "
            f"{wrapping.root_key_id}: start it again with that root key"
        )


def _decoded(value: bytes) -> Wrapping:
    fact = decode(value, "the stored root key's id")
    return Wrapping(fact["id"], fact["since"])
