"""Opens the database that a store's URL names, and shows such a URL without its password."""

import re
from pathlib import Path
from urllib.parse import unquote

from domain.errors import Usage
from infra.database.session import Database
from infra.database.sqlite import SqliteDatabase

_FORMS = "sqlite:///relative.db, sqlite:////absolute.db, postgresql://user@host/database?schema=name"
# What PostgreSQL neither folds nor cuts off, whether it is quoted or not.
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SECRET_WORDS = ("pass", "secret")


def open_database(url: str, *, create: bool = False) -> Database:
    """Open the database; only with `create` is a missing file or schema made (never a PostgreSQL database).

    Raises `Usage` for a URL of an unknown form, `Unavailable` if the database is not there or cannot be reached,
    `Corrupt` if a file is not a SQLite database.
    """
    if url.startswith("sqlite:///"):
        return SqliteDatabase(_path(url), create=create)
    if url.startswith("postgresql://"):
        from infra.database.postgres import PostgresDatabase  # a third of the start-up time of those who need none

        conninfo, schema = _without_schema(url)
        return PostgresDatabase(conninfo, store=shown(url), schema=schema, create=create)
    # Not repeated in the message: what is not understood may hold a password anywhere.
    raise Usage(f"the store's URL has an unknown form, known are {_FORMS}")


def shown(url: str) -> str:
    """The URL as it may be printed: `***` stands for a password in it."""
    # Up to the last @, as people forget to percent-encode one in their password.
    address, mark, query = re.sub(r"(://[^:@/?#]*):.*@", r"\1:***@", url, flags=re.DOTALL).partition("?")
    return address + mark + "&".join(map(_shown_setting, query.split("&")))


def _shown_setting(setting: str) -> str:
    name, mark, _ = setting.partition("=")
    is_secret = any(word in unquote(name).lower() for word in _SECRET_WORDS)
    return f"{name}{mark}***" if is_secret else setting


def _path(url: str) -> Path:
    path = url.removeprefix("sqlite:///")
    if not path or "?" in path or "#" in path:
        raise Usage(f"{url} names no file, write sqlite:///FILE and percent-encode ? and #")
    return Path(unquote(path))


def _without_schema(url: str) -> tuple[str, str | None]:
    """Take `schema` out of the query, since libpq refuses what it does not know."""
    address, _, query = url.partition("?")
    settings = [setting for setting in query.split("&") if setting]
    schemas = [setting.removeprefix("schema=") for setting in settings if setting.startswith("schema=")]
    others = "&".join(setting for setting in settings if not setting.startswith("schema="))
    if len(schemas) > 1 or not all(map(_SCHEMA_NAME.fullmatch, schemas)):
        raise Usage(f"{shown(url)}: schema is one name of lower-case letters, digits and _")
    return (f"{address}?{others}" if others else address), (schemas[0] if schemas else None)
