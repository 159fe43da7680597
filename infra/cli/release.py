"""`resurgam release`: this release, and what it accepts."""

from domain.release import ACCEPTED, RELEASE
from infra.cli import output
from infra.cli.options import Json, example, group
from infra.log import head, record
from projections.version import FOLD_GENERATION

app = group("This release.")


@app.command(epilog=example("resurgam release"))
def release(as_json: Json = False) -> None:
    """Show this release and what it accepts."""
    answer = {
        "release": RELEASE,
        "acceptsBackupsOf": list(ACCEPTED),
        "recordFormat": record.FORMAT,
        "storeFormat": head.STORE_FORMAT,
        "foldGeneration": FOLD_GENERATION,
    }
    if as_json:
        output.write_json(answer)
    else:
        output.write_fields(answer.items())
