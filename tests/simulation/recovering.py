"""Recovery in a simulation: what comes back is what the model says, or it is refused for a reason."""

from pathlib import Path
from random import Random

from domain.errors import Corrupt, NotFound, ResurgamError
from infra.backup.repository import Repository
from infra.control_plane import recovery
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.control_plane.recovery import Wish
from infra.database.session import Database
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.keys.root_key import FileRootKey
from tests.backup_estate import IDENTITY, is_empty, records_of
from tests.infra.control_plane.installation import ACTOR
from tests.simulation import checks
from tests.simulation.checks import must
from tests.simulation.place import Place, Way
from tests.simulation.site import Model, Site, found_model


def recovered_site(place: Place, chance: Random, site: Site, folder: Path, number: int) -> Site | None:
    """Recover a site from the repository alone; None if that is refused, as it may be for harm that it names."""
    asked = chance.choice((None, None, chance.choice(site.past).position))
    database = open_database(f"sqlite:///{folder}/store.db", create=True)
    harm = checks.harm_to(place, site.deployment)
    wish = Wish(
        deployment=site.deployment,
        at=None if asked is None or asked > site.shipped else str(asked),
        trust_first_use=True,
        accept_damage=bool(harm) and chance.random() < 0.5,
    )
    try:
        _recover(database, folder, place, wish)
    except ResurgamError as error:
        must(harm, f"an unharmed repository is not recovered: {error!r}")
        must(isinstance(error, Corrupt | NotFound), repr(error))
        must(checks.is_named(error, harm), f"the error names none of {dict(harm)}: {error!r}")
        must(is_empty(database), "a refused recovery leaves something")
        database.close()
        return None
    return _checked(database, folder, site, number, wish, harm)


def _recover(database: Database, folder: Path, place: Place, wish: Wish) -> None:
    repository = Repository.open(Way(place, Random(0)))
    recovery.recover(database, folder / "root-key", repository, [IDENTITY], wish, ACTOR, host_clock)


def _checked(database: Database, folder: Path, site: Site, number: int, wish: Wish, harm: checks.Harm) -> Site:
    log = records_of(database)
    position = len(log) - 1
    assert log[:position] == site.log[:position], "what came back is not what was recorded"
    if wish.at is not None:
        assert position == site.at(int(wish.at)).position or position == int(wish.at)
    elif not harm:
        assert position >= site.shipped, "what was reported as shipped did not come back"
    root_key = FileRootKey.load(folder / "root-key")
    plane = ControlPlane(database, root_key, cost=TEST_COST)
    expected = site.at(position)
    found = found_model(plane, expected.position)
    assert found == expected, "the recovered state is not that of the model"
    past = [*(one for one in site.past if one.position <= position), Model(len(log), found.groups, found.secrets)]
    return Site(number, folder, database, root_key, past)
