"""`resurgam log`: verify, checkpoint, prove and export."""

import json
import sqlite3
from contextlib import closing

import pytest

from infra.keys.signer import Verifier
from infra.log import merkle
from infra.log.checkpoint import open_checkpoint
from infra.log.record import decode_record
from tests.infra.cli.command_line import CommandLine, user


def test_an_untouched_log_verifies(estate_anywhere: CommandLine) -> None:
    shown = estate_anywhere.done("log", "verify", "--json").json
    assert shown["verified"] is True
    assert shown["size"] == shown["versions"] > 20
    assert "agree" in estate_anywhere.done("log", "verify").out
    assert estate_anywhere.done("log", "verify", "--records", "--json").json["size"] == shown["size"]
    assert "records and Merkle root agree" in estate_anywhere.done("log", "verify", "--records").out


def test_a_record_that_was_changed_is_named(installed: CommandLine) -> None:
    installed.record(user(1))
    with closing(sqlite3.connect("resurgam.db")) as connection, connection:
        connection.execute(
            "UPDATE events SET record = CAST(replace(CAST(record AS TEXT), 'User 1', 'User X') AS BLOB) "
            "WHERE position = (SELECT max(position) FROM events)"
        )
    result = installed("log", "verify", "--json")
    assert (result.code, result.out) == (6, "")
    assert result.error["class"] == "Corrupt"
    assert "position" in result.error["message"]


def test_an_export_is_the_records_and_gives_the_root(estate_anywhere: CommandLine) -> None:
    exported = estate_anywhere.done("log", "export").out.splitlines()
    root = merkle.root(merkle.leaf_hash(line.encode()) for line in exported)
    shown = estate_anywhere.done("log", "verify", "--json").json
    assert (root.hex(), len(exported)) == (shown["root"], shown["size"])
    assert [decode_record(line.encode()).position for line in exported] == list(range(1, len(exported) + 1))
    assert estate_anywhere.done("log", "export", "--after", "5").out.splitlines() == exported[5:]


def test_a_checkpoint_is_signed_by_the_deployments_signer(installed_anywhere: CommandLine) -> None:
    verifier = Verifier.from_text(installed_anywhere.done("key", "inspect", "--json").json["verifier"])
    opened = open_checkpoint(installed_anywhere.done("log", "checkpoint").out, verifier)
    shown = installed_anywhere.done("log", "verify", "--json").json
    assert (opened.origin, opened.size) == (f"resurgam/{shown['deployment']}", shown["size"])
    assert opened.root.hex() == shown["root"]


def test_proofs_hold_against_the_root(estate: CommandLine) -> None:
    shown = estate.done("log", "prove", "7", "--from", "5", "--json").json
    inclusion = [bytes.fromhex(node) for node in shown["inclusion"]]
    consistency = [bytes.fromhex(node) for node in shown["consistency"]]
    root, first = bytes.fromhex(shown["root"]), bytes.fromhex(shown["fromRoot"])
    merkle.verify_inclusion(bytes.fromhex(shown["leaf"]), 6, shown["size"], inclusion, root)
    merkle.verify_consistency(5, shown["size"], consistency, first, root)
    record = estate.done("log", "export", "--after", "6").out.splitlines()[0]
    assert merkle.leaf_hash(record.encode()).hex() == shown["leaf"]
    assert json.loads(record)["position"] == 7


@pytest.mark.parametrize("arguments", [("0",), ("999",), ("1", "--from", "0"), ("1", "--from", "999")])
def test_a_position_beyond_the_log_is_a_usage_error(installed: CommandLine, arguments: tuple[str, ...]) -> None:
    assert installed("log", "prove", *arguments).code == 2
