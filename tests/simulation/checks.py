"""What must hold after each step of a simulation, whatever happened."""

from collections.abc import Mapping, Sequence
from random import Random

from domain.errors import Corrupt, NotFound, Refused, ResurgamError
from infra.backup import choice, keyring_file, layout, lines_file, segment, verification
from infra.backup.freshness import freshness
from infra.backup.manifest import KeyringEntry, Manifest
from infra.backup.repository import PruneStatements, Repository
from infra.backup.segment import OpenerOf
from infra.backup.verification import Expectation
from tests.backup_estate import IDENTITY
from tests.simulation.place import Place, Way
from tests.simulation.site import Site

Harm = Mapping[str, str]


def must(holds: object, text: str) -> None:
    """Raise AssertionError with the text unless it holds."""
    assert holds, text


def harm_to(place: Place, deployment: str) -> Harm:
    """What was done to the backups of a deployment by others than its writers."""
    return {**place.harm(layout.REPOSITORY_FILE), **place.harm(f"{deployment}/")}


def opener_of() -> OpenerOf:
    return OpenerOf(lines_file.with_identities([IDENTITY]))


def reader(place: Place) -> Repository:
    return Repository.open(Way(place, Random(0)))


def check(place: Place, site: Site) -> str:
    """Raise AssertionError unless what was reported is there, or what harms it is named; returns what was found."""
    if not site.reported:
        return "no backup"
    harm = harm_to(place, site.deployment)
    try:
        found = verification.verify(reader(place), site.deployment, opener_of(), None)
    except ResurgamError as error:
        if any(f"{name} names it: the newest backup does without it" in str(error) for name in place.healed):
            return "healed too late for what an earlier backup alone needs"
        must(harm, f"an unharmed repository is refused: {error!r}")
        must(is_named(error, harm), f"the error names none of {dict(harm)}: {error!r}")
        if not is_shortened(harm):
            check_restorable(place, site, harm)
        return f"harm is named: {type(error).__name__}"
    newest = found.newest.manifest
    assert newest.last >= site.shipped or is_shortened(harm), "a reported backup is missing unnoticed"
    check_records(reader(place), newest, site.log)
    if not harm:
        check_kept(place, site, found.newest.manifest)
    return f"intact up to {newest.last}"


def is_named(error: ResurgamError, harm: Harm) -> bool:
    """Whether an error names what is harmed; for a manifest that is missing, one beside it."""
    text = str(error)
    beside = any(kind == "missing" and layout.manifest_sequence(name) is not None for name, kind in harm.items())
    return any(name in text for name in harm) or (beside and "/manifests/" in text) or "holds no backup" in text


def is_shortened(harm: Harm) -> bool:
    """Whether manifests are missing, among them perhaps the newest: whoever does not remember it, cannot know."""
    return any(kind == "missing" and layout.manifest_sequence(name) is not None for name, kind in harm.items())


def check_records(repository: Repository, of: Manifest, log: Sequence[bytes]) -> None:
    """Every record and every key of a backup can be read, and the records are those that were recorded."""
    found = [record for page in segment.read_all(repository, of, opener_of()) for record in page.records]
    assert found == log[: of.last], f"{of.name} does not hold what was recorded"
    keyring_file.read_all(repository, of, opener_of())


def check_restorable(place: Place, site: Site, harm: Harm) -> None:
    """The newest intact backup has all that was shipped, but for what harmed objects hold, and nothing else."""
    try:
        repository = reader(place)
        newest = choice.newest_good(repository, site.deployment, accept_damage=True).manifest
    except (Corrupt, NotFound) as error:
        manifests = [name for name in place.objects if layout.manifest_sequence(name) is not None]
        unharmed = [name for name in manifests if site.deployment in name and name not in harm]
        must(layout.REPOSITORY_FILE in harm or not unharmed, f"an intact backup is not found: {error!r}")
        return
    of_newest = {entry.name(site.deployment) for entry in newest.objects()}
    if of_newest.isdisjoint(harm):
        check_records(repository, newest, site.log)
        harmed = [n for name in harm if (n := layout.manifest_sequence(name)) is not None]
        assert newest.last >= site.shipped or harmed, "an intact backup is passed over"
        return
    before = [entry.first - 1 for entry in newest.segments if entry.name(site.deployment) in harm]
    read: list[bytes] = []
    try:
        for page in segment.read_all(repository, newest, opener_of()):
            read += page.records
    except Corrupt as error:
        must(is_named(error, harm), f"the error names none of {dict(harm)}: {error!r}")
    assert read == site.log[: len(read)], "what is before the damage is not what was recorded"
    assert len(read) >= min(before, default=newest.last), "damage takes more than what comes after it"


def check_kept(place: Place, site: Site, newest: Manifest) -> None:
    """The newest verified backup is never lost, nor does a manifest lack what it names, but for the first."""
    repository = reader(place)
    chain = list(repository.chain(site.deployment))
    # What was harmed when a run came by counts for nothing from then on, and that run backed up all that it held.
    site.attested -= {layout.manifest_sequence(name) or 0 for stored in chain for name in stored.manifest.void}
    if site.attested:
        found = freshness(repository, site.deployment, newest.created_at).newest
        assert found is not None, "no verified backup is left"
        assert found.stored.manifest.sequence >= max(site.attested), "the newest verified backup was lost"
    superseded = PruneStatements(repository, site.deployment).missable_keyrings(newest)
    for stored in chain[1:]:
        if stored.manifest.name in place.healed:
            continue  # while it was missing, what it alone named may have been deleted, as it was to be anyway
        for entry in stored.manifest.objects():
            if isinstance(entry, KeyringEntry) and entry.sequence < superseded:
                continue
            assert entry.name(site.deployment) in place.objects, f"{stored.manifest.name} lacks {entry}"


def check_rollback(place: Place, site: Site, old: Place) -> None:
    """A repository that went backwards is noticed by whoever knows of a later checkpoint."""
    stored = reader(place).newest(site.deployment)
    assert stored is not None
    stated = stored.manifest.opened_checkpoint()
    expect = Expectation(stated.size, stated.root)
    try:
        found = verification.verify(reader(old), site.deployment, opener_of(), expect)
    except (Corrupt, NotFound, Refused):
        return
    assert found.newest.manifest.last >= stated.size, "a rolled-back repository passes for the expected one"
