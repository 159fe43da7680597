"""A canary: secrets that were recorded, rotated, backed up and recovered stand nowhere in the clear."""

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from domain.errors import ResurgamError
from domain.sealed_value import sealed_values
from infra.backup import lines_file
from infra.backup.lines_file import with_identities
from infra.database.session import Database
from tests.backup_estate import (
    IDENTITY,
    Estate,
    estate,
    recover,
    recovered,
    set_password,
    set_secret,
    vault_requests,
)
from tests.infra.control_plane.installation import request, user_request

CANARIES = ("canary-first-Ω-value", "canary-second-Ω-value", "canary-pass-Ω-phrase", "canary-pass-Ω-again")
TABLES = ("log_head", "events", "versions", "links", "keyring", "local_facts", "access_log")


def spellings(canary: str) -> Iterator[bytes]:
    data = canary.encode()
    yield from (data, canary.encode("utf-16-le"), quote(canary).encode(), json.dumps(canary).strip('"').encode())
    yield from (data.hex().encode(), data.hex().upper().encode())
    for padding in range(3):  # base64 at any place in a longer text
        coded = base64.b64encode(b"x" * padding + data)
        yield coded[4 if padding else 0 : -4]


FORBIDDEN = [spelling for canary in CANARIES for spelling in spellings(canary)]


def seen_in(data: bytes) -> list[bytes]:
    return [spelling for spelling in FORBIDDEN if spelling in data]


def rows_in(database: Database) -> bytes:
    with database.read() as session:
        rows = [row for table in TABLES for row in session.execute(f"SELECT * FROM {table}")]
    return b"\n".join(field if isinstance(field, bytes) else str(field).encode() for row in rows for field in row)


def plaintexts_in(of: Estate) -> bytes:
    """Everything that whoever holds the identity can see in the repository."""
    opener = with_identities([IDENTITY])
    files = [path.read_bytes() for path in of.files() if path.suffix == ".json"]
    for path in of.root.rglob("*.age"):
        files.extend(lines_file.read(path.read_bytes(), opener, path.name))
    return b"\n".join(files)


def test_a_canary_is_found_by_this_test() -> None:
    for canary in CANARIES:
        for text in (canary.encode(), base64.b64encode(b"ab" + canary.encode() + b"c"), canary.encode().hex().encode()):
            assert seen_in(b"before " + text + b" after")


def test_secrets_stand_nowhere_in_the_clear(
    tmp_path: Path, store_url: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    with estate(tmp_path, store_url) as made:
        made.record(*vault_requests(), set_secret("Canary", CANARIES[0]), user_request(1, password=CANARIES[2]))
        made.back_up()
        made.record(set_secret("Canary", CANARIES[1]), set_password(1, CANARIES[3]))
        made.back_up()
        for wrong in (
            lambda: made.record(set_secret("Canary!", CANARIES[0])),
            lambda: made.record(request("SetSecret", vaultId="/nowhere", name="Canary", value=CANARIES[0])),
            lambda: made.record(request("SetPassword", objectId=CANARIES[2], password={"value": CANARIES[3]})),
            lambda: recover(made.database, tmp_path, made.root),
        ):
            with pytest.raises(ResurgamError) as refusal:
                wrong()
            said.append(str(refusal.value))
        with recovered(made.root, tmp_path / "new") as (found, report):
            found.back_up()
            said.append(repr(report))
            values = set()
            with found.plane.read() as reading:
                for version in reading.state.of_kind("secret-version"):
                    [sealed] = sealed_values(version.state)
                    values.add(found.plane.open_sealed(reading.session, sealed, sealed["purpose"], version.id).decode())
            assert set(CANARIES[:2]) <= values, "the canaries are there, sealed"
            for of in (made, found):
                assert seen_in(rows_in(of.database)) == []
            assert seen_in(plaintexts_in(made)) == []
            files = [path for path in tmp_path.rglob("*") if path.is_file()]
            assert {path.name for path in files} >= {"recovered.db", "recovered.db-wal", "root-key"}
            assert [path for path in files if seen_in(path.read_bytes())] == []
    output = capfd.readouterr()
    assert seen_in((caplog.text + output.out + output.err + "\n".join(said)).encode()) == []


def test_the_keys_of_values_leave_the_store_only_wrapped_or_sealed(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        made.record(*vault_requests())
        made.back_up()
        keys = []
        for path in made.objects("keyrings"):
            _, *lines = lines_file.read(path.read_bytes(), with_identities([IDENTITY]), path.name)
            keys += [json.loads(line)["key"] for line in lines if "key" in json.loads(line)]
        assert keys
        files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        for key in keys:
            assert base64.b64decode(key) not in files
            assert key.encode() not in files
