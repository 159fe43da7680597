"""`resurgam backup doctor`: whether a place is fit for backups."""

from collections import Counter
from datetime import UTC, datetime

from domain.errors import Unavailable
from infra.backup import doctor
from infra.backup.doctor import Level
from infra.backup.stores import lifetime
from infra.cli import output, repository, settings
from infra.cli.options import Json, example, group
from infra.cli.repository import Location

app = group("Examine a place.")


@app.command(
    "doctor",
    epilog=example("resurgam backup doctor", "resurgam backup doctor --repository s3://backups/region-1 --json"),
)
def examine(as_json: Json = False, location: Location = None) -> None:
    """Try whether a place keeps what backups need, and say what it cannot promise.

    It writes objects into a folder of its own, `doctor-…`, and removes them. No repository has to be there yet; the
    place itself has to. Ends with 8 if backups do not work or are not safe there with these credentials, else with 0,
    also if something that would protect them is lacking.
    """
    chosen = settings.load(repository=location)
    place = repository.place(chosen)
    now = datetime.now(UTC)
    known = lifetime.lifetimes(repository.location(chosen))
    findings = [*doctor.examine(place, lambda: datetime.now(UTC)), *doctor.lasting(known, now)]
    bad = [finding.check for finding in findings if finding.level is Level.BAD]
    counts = Counter(finding.level for finding in findings)
    verdict = next(level for level in (Level.BAD, Level.LACKING, Level.GOOD) if counts[level])
    if as_json:
        output.write_json({"location": place.location, "verdict": verdict, "findings": findings})
    else:
        output.write_table(
            ("level", "check", "found"), [(finding.level, finding.check, finding.words) for finding in findings]
        )
        if verdict is Level.LACKING:
            lacking = f"; {counts[Level.LACKING]} things that would protect them are lacking, or cannot be seen"
        else:
            lacking = ""
        if verdict is not Level.BAD:
            output.write_text(f"backups work in {place.location}{lacking}")
    if bad:
        raise Unavailable(
            f"{place.location} is not fit for backups with these credentials, see {', '.join(dict.fromkeys(bad))}"
        )
