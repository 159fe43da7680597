"""Stores that hold a history of any length, made by the bulk load of a recovery."""

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from domain.instant import to_microseconds
from infra.backup import manifest, memory, rebuild
from infra.backup.rebuild import Limit
from infra.control_plane import store
from infra.database.session import Session
from infra.database.url import open_database
from infra.keys import keyring
from infra.keys.keyring import WrappedKey
from infra.keys.root_key import EnvironmentRootKey
from infra.keys.signer import Signer
from infra.log import event_table, head
from infra.log.page import paged
from infra.state import tables
from projections.version import FOLD_GENERATION
from scripts.benchmark.history import History

ROOT_KEY_LINE = "RESURGAM-ROOT-KEY-1-AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSOW4Q"
"""Of every store that is filled; nothing real is sealed under it."""
ROOT_KEY = EnvironmentRootKey(ROOT_KEY_LINE)
SIGNER_SEED = bytes(range(1, 33))
SEED = 1

SOURCES = (Path(__file__), Path(__file__).with_name("history.py"), *Path(__file__).parent.glob("cloud/*.py"))
"""What a cached store depends on, beside the form of its tables."""


def fill(url: str, count: int, *, seed: int = SEED) -> None:
    """Make an open store of that URL, under ROOT_KEY, which holds a history of so many events."""
    database = open_database(url, create=True)
    try:
        with database.write() as session:
            store.create(session, with_indexes=False)
            _load(session, History(seed), count)
    finally:
        database.close()
    if not url.startswith("sqlite:"):
        settle(url)


def sqlite(count: int, cache: Path, *, seed: int = SEED) -> Path:
    """Return the file of a filled SQLite store, made now unless it was made before; whoever changes it copies it."""
    path = cache / f"store-{count}-{seed}-{_form()}.db"
    if not path.exists():
        with TemporaryDirectory(dir=cache, prefix="making-") as folder:
            making = Path(folder) / "store.db"
            fill(f"sqlite:///{making}", count, seed=seed)
            making.rename(path)
    return path


def copied(count: int, cache: Path, folder: Path) -> str:
    """Return the URL of a copy, in a folder of the caller's, of what `sqlite` returns."""
    return f"sqlite:///{shutil.copy(sqlite(count, cache), folder / f'store-{count}.db')}"


def settle(url: str) -> None:
    """Bring a PostgreSQL store to where its server would bring it by itself within minutes: vacuumed and analysed."""
    address, _, schema = url.rpartition("schema=")
    with psycopg.connect(address.rstrip("?&"), autocommit=True, options=f"-c search_path={schema}") as connection:
        connection.execute(f"VACUUM (ANALYZE) {', '.join(store.TABLES)}".encode())
        connection.execute("CHECKPOINT")


def _load(session: Session, history: History, count: int) -> None:
    rebuilt = rebuild.rebuild(session, paged(history.records(count)), Limit(), None, is_large=True)
    store.create_indexes(session)
    keyring.insert(session, _wrapped(history))
    assert rebuilt.last is not None
    installed = history.installation
    opened = replace(
        head.NEW,
        deployment=installed.id,
        epoch=installed.epoch,
        position=rebuilt.position,
        recorded_at=to_microseconds(rebuilt.last.recorded_at),
        frontier=rebuilt.frontier,
        digest=rebuilt.digest,
        mode=head.OPEN,
    )
    head.write(session, opened)
    memory.put_signer(session, Signer(manifest.origin(installed.id), SIGNER_SEED), ROOT_KEY)


def _wrapped(history: History) -> Iterator[WrappedKey]:
    for key, added_at, shredded_at in history.data_keys():
        if shredded_at:
            yield WrappedKey(key.key_id, ROOT_KEY.id, b"", added_at, shredded_at)
        else:
            yield keyring.wrap(key, ROOT_KEY, added_at)


def _form() -> str:
    """Return a digest of all that decides what a filled store holds."""
    parts = [path.read_bytes() for path in sorted(SOURCES)]
    forms = (event_table.SCHEMA, event_table.INDEXES, tables.SCHEMA, tables.INDEXES, keyring.SCHEMA, head.SCHEMA)
    numbers = f"{FOLD_GENERATION} {head.STORE_FORMAT} {sqlite3.sqlite_version}"
    return sha256(b"\0".join([*parts, *(form.encode() for form in forms), numbers.encode()])).hexdigest()[:16]
