"""`resurgam log`: verifies, proves and exports the log."""

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from domain.errors import Usage
from infra.backup import manifest, memory
from infra.cli import deployment, output, progress, settings, storage
from infra.cli.options import Json, RootKeyFile, Store, example, group
from infra.control_plane import log_verification
from infra.database.session import Database
from infra.log import checkpoint, event_table, head, merkle
from infra.log.checkpoint import Checkpoint
from infra.log.head import Head

PAGE_RECORDS = 5_000

app = group("Verify, prove and export the log.")


@app.command(epilog=example("resurgam log verify"))
def verify(
    as_json: Json = False,
    store: Store = None,
    records_only: Annotated[
        bool, typer.Option("--records", help="Compare only the records with the Merkle root: a tenth of the time.")
    ] = False,
) -> None:
    """Fold every record anew and compare all that the store keeps: records, state, digest, Merkle root and keyring."""
    with storage.opened(settings.load(store=store)) as database, progress.shown(as_json=as_json) as heard:
        if records_only:
            at = log_verification.verify_records(database, heard)
            _write_verified("records and Merkle root agree", _described(at), as_json)
            return
        found = log_verification.verify(database, heard)
    answer = {
        **_described(found.head),
        "versions": found.versions,
        "links": found.links,
        "sealedValues": found.sealed_values,
        "stateDigest": found.head.digest.to_bytes().hex(),
    }
    _write_verified("records, state, digest, Merkle root and keyring agree", answer, as_json)


def _write_verified(what: str, answer: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        output.write_json({"verified": True, **answer})
    else:
        output.write_fields([("verified", what), *answer.items()])


@app.command("checkpoint", epilog=example("resurgam log checkpoint > checkpoint.txt"))
def sign_checkpoint(as_json: Json = False, store: Store = None, root_key_file: RootKeyFile = None) -> None:
    """Sign the size and the Merkle root of the log, as a C2SP checkpoint; keep it where nobody can change it."""
    chosen = settings.load(store=store, root_key_file=root_key_file)
    with deployment.opened(chosen) as plane, plane.database.read() as session:
        at = head.read_open(session)
        signer = memory.get_signer(session, plane.root_key)
    note = checkpoint.sign(Checkpoint(manifest.origin(at.deployment), at.position, at.root), signer)
    if as_json:
        output.write_json({**_described(at), "checkpoint": note, "verifier": str(signer.verifier)})
    else:
        output.write_bytes(note.encode())


@app.command(epilog=example("resurgam log prove 4711 --from 4000 --json"))
def prove(
    position: Annotated[int, typer.Argument(help="The position of the record.", show_default=False)],
    size: Annotated[
        int | None, typer.Option("--from", metavar="SIZE", help="Prove too that the log began with one of this size.")
    ] = None,
    as_json: Json = False,
    store: Store = None,
) -> None:
    """Prove that a record stands in the log (RFC 9162 inclusion), and that the log only grew (consistency)."""
    with storage.opened(settings.load(store=store)) as database, database.read() as session:
        at = head.read_open(session)
        leaves = [merkle.leaf_hash(record) for record in event_table.records(session)]
    for name, asked in (("position", position), ("--from", size)):
        if asked is not None and not 1 <= asked <= at.position:
            raise Usage(f"{name} {asked} is not in the log: positions go from 1 to {at.position}")
    answer: dict[str, object] = {
        **_described(at),
        "position": position,
        "leaf": leaves[position - 1].hex(),
        "inclusion": [node.hex() for node in merkle.inclusion_proof(leaves, position - 1, len(leaves))],
    }
    if size is not None:
        answer["from"] = size
        answer["fromRoot"] = merkle.root(leaves[:size]).hex()
        answer["consistency"] = [node.hex() for node in merkle.consistency_proof(leaves, size, len(leaves))]
    if as_json:
        output.write_json(answer)
    else:
        output.write_fields(answer.items())


@app.command(epilog=example("resurgam log export --after 4711 > log.jsonl"))
def export(
    after: Annotated[int, typer.Option(metavar="POSITION", help="Begin behind this position.")] = 0,
    as_json: Json = False,
    store: Store = None,
) -> None:
    """Write the records as JSON Lines, each exactly as it is stored and hashed."""
    with storage.opened(settings.load(store=store)) as database:
        with database.read() as session:
            last = head.read_open(session).position
        with progress.shown(as_json=as_json) as heard:
            for position, page in _pages(database, after, last):
                output.write_bytes(page)
                heard("exporting records", position - after, last - after)


def _pages(database: Database, after: int, last: int) -> Iterator[tuple[int, bytes]]:
    """Yield (last position, lines) page by page, in a short transaction each."""
    while after < last:
        until = min(after + PAGE_RECORDS, last)
        with database.read() as session:
            page = b"".join(record + b"\n" for record in event_table.records(session, after=after, until=until))
        yield until, page
        after = until


def _described(at: Head) -> dict[str, object]:
    return {"deployment": at.deployment, "epoch": at.epoch, "size": at.position, "root": at.root.hex()}
