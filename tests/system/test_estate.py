"""The sample estate: a seed always writes the same, all of it is accepted, and nothing of the domain is left out."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from domain.control_plane import EVENTS, KINDS
from domain.errors import ResurgamError
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import parse
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from scripts.estate.composition import write_base, write_lost, write_more
from scripts.estate.deployment import inputs
from scripts.estate.draft import Draft, Part
from scripts.estate.landmark import landmarks
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, install

ROOT = Path(__file__).parents[2]
ROLES = Path(os.environ.get("RESURGAM_DATA", ROOT.parent / "shared" / "data")) / "azure-built-in-roles.json"
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

RESTORATIONS = {kind.restored.name for kind in KINDS.values() if kind.restored is not None}
NOT_AN_ESTATES = {
    "backup-recipient.retired",
    "deployment.forked",
    "deployment.recovered",
    "deployment.root-key-restored",
    "deployment.updated",
    *RESTORATIONS,
}
"""What only backups, recoveries, forks and updates record."""


@dataclass
class Recorded:
    """A deployment that is given the parts of an estate."""

    draft: Draft
    plane: ControlPlane

    def record(self, part: Part) -> Counter[str]:
        requests = [parse(line.encode()) for line in self.draft.lines(part).splitlines()]
        answers = self.plane.execute_all(requests, ACTOR)
        refused = [str(answer) for answer in answers if isinstance(answer, ResurgamError)]
        assert not refused, refused[:5]
        outcomes = [answer for answer in answers if not isinstance(answer, ResurgamError)]
        self.draft.outcomes = {**self.draft.outcomes, **{o.command_id: o.resources for o in outcomes}}
        return Counter(outcome.status for outcome in outcomes)

    def record_all(self, roles: Path | None = None) -> None:
        write_base(self.draft, roles)
        self.record("base")
        write_more(self.draft)
        self.record("more")
        write_lost(self.draft)
        self.record("lost")


def recorded(folder: Path, seed: int, events: int) -> Iterator[Recorded]:
    database = open_database(f"sqlite:///{folder / 'store.db'}", create=True)
    draft = Draft(seed, events)
    install(database, yaml.safe_load(inputs(draft)), {"safe": RECIPIENT})
    yield Recorded(draft, ControlPlane(database, ROOT_KEY, cost=TEST_COST))
    database.close()


@pytest.fixture
def mid_size(tmp_path: Path) -> Iterator[Recorded]:
    yield from recorded(tmp_path, seed=7, events=10_000)


@pytest.fixture(params=[1, 2, 3, 4])
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Recorded]:
    yield from recorded(tmp_path, seed=request.param, events=100)


def written(seed: int) -> list[str]:
    """Return all lines; those with a PFX, whose encryption is random, without it."""
    draft = Draft(seed, 200)
    write_base(draft)
    write_more(draft)
    write_lost(draft)
    requests = [request for part in draft.requests.values() for request in part]
    return [
        json.dumps(request, default=str) for request in requests if request["command"] != "ImportEndpointCertificate"
    ]


def test_the_same_seed_writes_the_same() -> None:
    assert written(7) == written(7)


def test_another_seed_writes_another_estate() -> None:
    assert set(written(7)).isdisjoint(written(8))


def test_every_request_has_an_id_of_its_own_and_a_reason() -> None:
    requests = list(map(json.loads, written(7)))
    assert len({request["commandId"] for request in requests}) == len(requests)
    assert all(request["reason"] for request in requests)


def test_a_mid_size_estate_is_accepted_whole_and_has_every_kind_and_nearly_every_event(mid_size: Recorded) -> None:
    mid_size.record_all()
    with mid_size.plane.read() as reading:
        types = {name for (name,) in reading.session.execute("SELECT DISTINCT topic FROM events")}
        counts = reading.state.counts()
    assert 9_000 <= mid_size.plane.head().position <= 11_000
    assert counts.keys() == KINDS.keys()
    assert counts["role-assignment"] >= 1_900
    assert EVENTS.keys() - types - NOT_AN_ESTATES <= {"key-vault-quota.changed"}


def test_sent_again_everything_is_known(small: Recorded) -> None:
    small.record_all()
    position = small.plane.head().position
    assert small.record("more")["recorded"] == 0
    assert small.record("lost")["recorded"] == 0
    assert small.plane.head().position == position


def test_what_the_demo_asks_about_is_there(small: Recorded) -> None:
    small.record_all()
    known = landmarks(small.draft, secret_edition=4)
    with small.plane.read() as reading:
        present = {name: reading.state.find(name) for name in (known.subscription, known.resource_group, known.secret)}
        assert None not in [*present.values(), reading.state.find(known.root), reading.state.find(known.trust)]
        assert reading.state.find(known.purged_secret) is None


def test_the_built_in_roles_of_a_file_are_defined_too(tmp_path: Path) -> None:
    if not ROLES.exists() and os.environ.get("RESURGAM_REQUIRE_ALL") != "1":
        pytest.skip(f"{ROLES} is not here: set RESURGAM_DATA to its folder")
    for estate in recorded(tmp_path, seed=7, events=100):
        estate.record_all(ROLES)
        with estate.plane.read() as reading:
            built_in = [r for r in reading.state.of_kind("role-definition") if r.state["type"] == "BuiltInRole"]
        assert {r["name"] for r in json.loads(ROLES.read_bytes())} <= {r.id.rsplit("/", 1)[1] for r in built_in}


@pytest.mark.parametrize("part", ["base", "more", "lost"])
def test_the_command_writes_a_part_as_lines_that_record_reads(part: str) -> None:
    command = [sys.executable, "-m", "scripts.estate", "--seed", "7", "--events", "50", "--part", part]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert len([parse(line) for line in done.stdout.splitlines()]) > 10
