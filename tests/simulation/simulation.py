"""The simulation: deployments that live, fail, are attacked and come back, step by step, all from one seed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

from domain.errors import Corrupt, NotFound, Refused, Unavailable, WrongKey
from infra.backup import layout, pruning, run
from infra.backup.repository import Repository
from infra.backup.retention import Policy
from infra.control_plane import verified_backup
from infra.control_plane.clock import host_clock
from infra.database.url import open_database
from tests.backup_estate import IDENTITY, vault_requests
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, install
from tests.observed_store import Crash
from tests.simulation import attack, checks
from tests.simulation.chance import Chance
from tests.simulation.place import TROUBLES, Place, Trouble, Way, harm_one
from tests.simulation.recovering import recovered_site
from tests.simulation.site import DAY_US, Model, Site, first_requests

HOUR_US = 3_600_000_000
CALLS = 40
SITES_MAX = 3
GONE_MAX = 2
DEPTH_MAX = 2
YEARS = (-30, -3, 3, 30)
NOT_NOW = (Crash, Unavailable, WrongKey)


class Simulation:
    """A repository and its deployments; `trace` says what was done, and what came of it."""

    def __init__(self, chance: Chance, folder: Path) -> None:
        self.chance = chance
        self.time = chance.time
        self.random: Random = chance.choices
        self.place = Place()
        self.trace: list[str] = []
        self.sites: list[Site] = []
        self.gone: list[Site] = []
        self.copies: list[Place] = []
        self.set_back: Site | None = None
        self._folder = folder
        self._numbers = 0
        self._depth = 0
        self._first()

    def _first(self) -> None:
        folder = self.new_folder()
        database = open_database(f"sqlite:///{folder}/store.db", create=True)
        install(database, recipients={"safe": str(IDENTITY.recipient)})
        self.sites.append(Site(0, folder, database, ROOT_KEY, [Model(0)]))
        for one in [*vault_requests()[:2], *first_requests()]:
            self.sites[0].plane.execute(one, ACTOR)
        self.sites[0].past = [Model(self.sites[0].plane.head().position)]
        self.sites[0].record(self.random, 3)

    def new_folder(self) -> Path:
        """A folder for one more store."""
        self._numbers += 1
        folder = self._folder / str(self._numbers)
        folder.mkdir()
        return folder

    def step(self) -> None:
        """Do one thing that is drawn, and check everything."""
        what = self.random.choices([one for one, _ in STEPS], [weight for _, weight in STEPS])[0]
        self.time.now_us += self.random.randrange(10 * 60_000_000)
        self.trace.append(f"{len(self.trace) + 1:4} {what.__name__.strip('_')}")
        what(self)
        for site in (*self.sites, *self.gone):
            self.tell(checks.check(self.place, site))

    def tell(self, text: str) -> None:
        """Add to what the trace says of this step."""
        self.trace[-1] += f" · {text}"

    def site(self) -> Site:
        """One of the deployments that live."""
        return self.random.choice(self.sites)

    @contextmanager
    def way(self, site: Site) -> Iterator[Callable[[], Repository]]:
        """A way to the repository, half of the time with a trouble; the process that uses it may end by that."""
        trouble = None
        if self.random.random() < 0.5:
            kinds = TROUBLES if self._depth < DEPTH_MAX else TROUBLES[:-1]
            kind = self.random.choice(kinds)
            at = self.random.randint(1, self.random.choice((4, 12, CALLS)))
            trouble = Trouble(kind, at, self.random.randint(1, 3) if kind in ("away", "unheard") else 1, self._other)
        harm = checks.harm_to(self.place, site.deployment)
        before = len(self.trace)
        try:
            with site.acting(self.time):
                yield lambda: Repository.open_or_create(Way(self.place, self.random, trouble))
        except NOT_NOW as error:
            checks.must(trouble is not None or isinstance(error, Crash), f"without any trouble: {error!r}")
            self.tell(f"{type(error).__name__} by {trouble}")
        except Corrupt as error:
            is_misread = trouble is not None and trouble.kind == "misread" and trouble.happened
            later = {**harm, **checks.harm_to(self.place, site.deployment)}
            checks.must(is_misread or later, f"an unharmed repository is refused: {error!r}")
            self.tell(f"Corrupt, {trouble}")
        else:
            if trouble is not None:
                self.tell(f"done, {trouble}")
        assert len(self.trace) == before

    def _other(self) -> None:
        """Something else happens while a process is at work."""
        self._depth += 1
        what = self.random.choice(MEANWHILE)
        self.tell(f"meanwhile {what.__name__.strip('_')} [")
        what(self)
        self.tell("]")
        self._depth -= 1

    # What happens

    def _record(self) -> None:
        site = self.site()
        with site.acting(self.time):
            site.record(self.random, self.random.choice((1, 1, 2, 5, 20)))

    def _back_up(self) -> None:
        site = self.site()
        if self.random.random() < 0.7:
            with site.acting(self.time):
                site.record(self.random, self.random.randint(1, 3))
        head = site.plane.head().position
        with self.way(site) as opened, self._refusing(site):
            outcome = run.run(site.database, site.root_key, opened(), host_clock)
            assert outcome.manifest.last >= head
            told = site.report(outcome, self.time)
            self.tell(f"site {site.number} shipped {told.position} as {told.sequence}")

    def _back_up_verified(self) -> None:
        site = self.site()
        with self.way(site) as opened, self._refusing(site):
            made = verified_backup.make(site.database, site.root_key, opened(), host_clock)
            told = site.report(made.outcome, self.time)
            site.attested.add(told.sequence)
            self.tell(f"site {site.number} verified {told.position} as {told.sequence}")

    @contextmanager
    def _refusing(self, site: Site) -> Iterator[None]:
        """Let a run refuse a repository that lost its newest manifest, and nothing else."""
        try:
            yield
        except (Refused, NotFound) as error:
            checks.must("missing" in checks.harm_to(self.place, site.deployment).values(), repr(error))
            self.tell(f"refused: {type(error).__name__}")

    def _prune(self) -> None:
        site = self.site()
        policy = Policy(days=self.random.randint(2, 5), last=self.random.randrange(4), daily=self.random.randrange(4))
        with self.way(site) as opened:
            try:
                outcome = pruning.prune(site.database, site.root_key, opened(), policy, pruning.GRACE, host_clock)
            except (Refused, NotFound) as error:
                self.tell(f"refused: {error}"[:60])
                return
            self.tell(f"site {site.number} pruned {len(outcome.deleted_manifests)} + {len(outcome.deleted_objects)}")
            if not site.skew_us:
                self._check_promise(site, policy)

    def _check_promise(self, site: Site, policy: Policy) -> None:
        """What a policy keeps by its days is there, if it was made by a clock that was right."""
        oldest = self.time.now_us - policy.days * DAY_US
        for told in site.reported.values():
            if told.made_us > oldest and self.was_honest_since(site, told.sequence):
                name = layout.manifest(site.deployment, told.sequence)
                assert name in self.place.objects or name in self.place.harm(), f"{name} was pruned before its time"

    def was_honest_since(self, site: Site, sequence: int) -> bool:
        """Whether all backups since then tell the true time."""
        later = (one for one in site.reported.values() if one.sequence >= sequence)
        return site.is_honest and all(one.is_honest for one in later)

    def _let_time_pass(self) -> None:
        self.time.now_us += self.random.choice((HOUR_US, 6 * HOUR_US, DAY_US, 3 * DAY_US))

    def _set_a_clock(self) -> None:
        site = self.site()
        site.skew_us = self.random.choice((0, 0, 0, *(int(years * 365.25 * DAY_US) for years in YEARS)))
        site.is_honest = site.is_honest and not site.skew_us
        self.tell(f"site {site.number} is wrong by {timedelta(microseconds=site.skew_us).days} days")

    def _harm(self) -> None:
        if not self.place.objects:
            return
        name = self.random.choice(list(self.place.objects))
        newest = [one for one in self.place.objects if layout.manifest_sequence(one) is not None][-1:]
        if newest and self.random.random() < 0.4:
            [name] = newest
        self.tell(f"{harm_one(self.place, self.random, name)} {name}")

    def _attack(self) -> None:
        self.tell(attack.attack(self.place, self.random, self.site()))

    def _heal(self) -> None:
        """An operator brings back what was harmed, and removes what is foreign."""
        for name in self.place.harm():
            self.place.heal(name)

    def _copy(self) -> None:
        """Somebody keeps a copy of the whole repository."""
        self.copies = [*self.copies[-4:], Place(dict(self.place.objects), dict(self.place.truth))]

    def _roll_back(self) -> None:
        """The whole repository is what it was before; every deployment notices, changes nothing, and it comes back."""
        if not self.copies or self.place.harm():
            return
        old, present = self.random.choice(self.copies), self.place
        for site in self.sites:
            newest = max(site.reported.values(), key=lambda one: one.sequence, default=None)
            if (
                newest is None
                or f"{site.deployment}/manifests/{newest.sequence:019d}.json" in old.objects
                or old.harm()
            ):
                continue
            before = dict(old.objects)
            with site.acting(self.time):
                try:
                    run.run(site.database, site.root_key, Repository.open(Way(old, self.random)), host_clock)
                except (Refused, NotFound):
                    pass
                else:
                    raise AssertionError("a repository that went backwards is extended")
            assert old.objects == before, "a repository that is refused is changed"
            checks.check_rollback(present, site, old)
            self.tell(f"site {site.number} refuses what it was")

    def _keep_store(self) -> None:
        """Somebody keeps a copy of the store of a deployment."""
        site = self.site()
        if self.set_back is not None:
            self.set_back.close()
        self.set_back = site.copied(self.new_folder())

    def _set_back(self) -> None:
        """The store of a deployment is what it was before: it notices, and changes nothing; then that is undone."""
        old = self.set_back
        if old is None or not self.place.objects or checks.harm_to(self.place, old.deployment):
            return
        newest = checks.reader(self.place).newest(old.deployment)
        if newest is None or newest.manifest.last <= old.past[-1].position:
            return
        before = dict(self.place.objects)
        try:
            run.run(old.database, old.root_key, Repository.open(Way(self.place, self.random)), host_clock)
        except Corrupt as error:
            self.tell(f"refused: {error}"[:60])
        else:
            raise AssertionError("a log that was set back extends its backups")
        assert self.place.objects == before, "a log that is refused changes its backups"

    def _recover(self) -> None:
        """A deployment is recovered into an empty store; half of the time the old one is gone, and it goes on."""
        site = self.random.choice([*self.sites, *self.gone])
        if not site.reported:
            return
        found = recovered_site(self.place, self.random, site, self.new_folder(), self._numbers)
        if found is None:
            self.tell(f"site {site.number} is refused")
            return
        self.tell(f"site {site.number} recovered up to {found.past[-1].position}")
        if self.random.random() < 0.5:
            found.close()
            return
        self.sites.append(found)
        if site in self.sites and (self.random.random() < 0.7 or len(self.sites) > SITES_MAX):
            self.sites.remove(site)
            self.gone = [*self.gone, site][-GONE_MAX:]
            site.close()
            self.tell(f"site {site.number} is gone")

    def close(self) -> None:
        """End all deployments."""
        for site in (*self.sites, *([self.set_back] if self.set_back else [])):
            site.close()


Step = Callable[[Simulation], None]
STEPS: tuple[tuple[Step, int], ...] = (
    (Simulation._record, 6),
    (Simulation._back_up, 30),
    (Simulation._back_up_verified, 5),
    (Simulation._prune, 12),
    (Simulation._let_time_pass, 14),
    (Simulation._set_a_clock, 3),
    (Simulation._harm, 3),
    (Simulation._attack, 4),
    (Simulation._heal, 12),
    (Simulation._copy, 3),
    (Simulation._roll_back, 4),
    (Simulation._keep_store, 3),
    (Simulation._set_back, 4),
    (Simulation._recover, 4),
)
MEANWHILE: tuple[Step, ...] = (
    Simulation._record,
    Simulation._back_up,
    Simulation._back_up,
    Simulation._prune,
    Simulation._let_time_pass,
    Simulation._back_up_verified,
)
