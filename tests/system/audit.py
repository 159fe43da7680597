"""What must hold in every store: a log without gaps or halves, and all that is derived from it."""

from collections import Counter
from hashlib import sha256

from infra.control_plane import log_verification
from infra.control_plane.job import Outcome
from infra.database.session import Database
from infra.log import event_table, head
from infra.log.record import Recorded, decode_record
from projections.version import OPEN
from tests.system.merkle import merkle_root


def audited(database: Database) -> list[Recorded]:
    """Check everything that needs no knowledge of what was asked, and return the records."""
    log_verification.verify(database)  # versions and links are those of a replay
    with database.read() as session:
        at = head.read_open(session)
        stored = list(event_table.records(session))
        versions = session.execute("SELECT resource, kind, sequence, valid_from, valid_to, state FROM versions")
        links = session.execute("SELECT source, relation, target, valid_from, valid_to FROM links")
    records = [decode_record(record) for record in stored]
    assert [record.position for record in records] == list(range(1, at.position + 1))
    assert [record.recorded_at for record in records] == sorted(record.recorded_at for record in records)
    assert at.root == merkle_root(stored)
    hashes = [
        (row_hash(b"version", resource, kind, f"{sequence} {since} {until}", state), until)
        for resource, kind, sequence, since, until, state in versions
    ] + [
        (row_hash(b"link", source, relation, target, f"{since} {until}"), until)
        for source, relation, target, since, until in links
    ]
    assert at.digest.everything == sum(value for value, _ in hashes) % 2**256
    assert at.digest.current == sum(value for value, until in hashes if until == OPEN) % 2**256
    commands = Counter(record.event["command"]["id"] for record in records)
    for record in records:
        command = record.event["command"]
        assert commands[command["id"]] == command["count"], "a command is recorded whole, and once"
        assert records[record.command_start].event["command"] == {**command, "index": 1}
    return records


def row_hash(*fields: str | bytes) -> int:
    """Return the hash of a row, in the words of docs/reference/state.md."""
    encoded = [field.encode() if isinstance(field, str) else bytes(field) for field in fields]
    digest = sha256(b"".join(len(field).to_bytes(8, "big") + field for field in encoded))
    return int.from_bytes(digest.digest(), "big")


def check_acknowledged(records: list[Recorded], acknowledged: list[Outcome]) -> None:
    """Check that each acknowledged command stands where it was said to stand, for itself alone."""
    taken: set[int] = set()
    for outcome in acknowledged:
        if outcome.status != "recorded":
            continue
        positions = range(outcome.first, outcome.last + 1)
        assert taken.isdisjoint(positions), "two commands were told the same positions"
        taken.update(positions)
        of_command = [records[position - 1] for position in positions]
        assert {record.event["command"]["id"] for record in of_command} == {outcome.command_id}
        assert {record.recorded_at for record in of_command} == {outcome.recorded_at}
        assert tuple(record.resource for record in of_command) == outcome.resources
