"""What the errors of PostgreSQL mean to a caller."""

import psycopg
from psycopg import errors

from domain.errors import Conflict, Corrupt, ResurgamError, Unavailable
from infra.database.session import LOCK_TIMEOUT_S

_CORRUPT_ERRORS = (errors.DataCorrupted, errors.IndexCorrupted)
_UNAVAILABLE_ERRORS = (
    psycopg.OperationalError,
    errors.InsufficientPrivilege,
    errors.InvalidSchemaName,
    errors.ReadOnlySqlTransaction,
)


def translation(error: psycopg.Error, store: str) -> ResurgamError | psycopg.Error:
    """What the error means to a caller; the error itself if it is a defect in our SQL."""
    text = message(error)
    if isinstance(error, psycopg.IntegrityError):
        return Conflict(text)
    if isinstance(error, errors.DuplicateTable):
        return Conflict(f"{store}: somebody else made the tables at the same moment, run it again")
    if isinstance(error, _CORRUPT_ERRORS):
        return Corrupt(f"{store}: {text}")
    if isinstance(error, errors.LockNotAvailable):
        return Unavailable(f"{store}: another writer held a lock for more than {LOCK_TIMEOUT_S} s, try again later")
    if isinstance(error, _UNAVAILABLE_ERRORS):
        return Unavailable(f"{store}: {text}")
    return error


def message(error: psycopg.Error) -> str:
    """The server's primary message on one line, without the detail, which quotes values."""
    return " ".join((error.diag.message_primary or str(error)).split())
