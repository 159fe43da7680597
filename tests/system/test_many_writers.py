"""Eight processes of one deployment record and back up into one repository at once, on each kind of store."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from infra.backup import layout, lines_file, segment, verification
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.backup.stores.url import open_store
from tests.backup_estate import IDENTITY, estate, records_of, vault_requests

ROOT = Path(__file__).parents[2]
WRITERS = 8
ROUNDS = 3

WRITER = """
import json, sys
from infra.backup import run
from infra.backup.repository import Repository
from infra.backup.stores.url import open_store
from infra.control_plane.clock import host_clock
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, user_request
writer, rounds, url, place = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
database = open_database(url)
plane = ControlPlane(database, ROOT_KEY, cost=TEST_COST)
repository = Repository.open_or_create(open_store(place, create=True))
print("ready", flush=True)
sys.stdin.read()
for number in range(rounds):
    recorded = plane.execute(user_request(100 * writer + number), ACTOR).last
    outcome = run.run(database, ROOT_KEY, repository, host_clock)
    told = {"sequence": outcome.manifest.sequence, "last": outcome.manifest.last, "new": outcome.is_new}
    print(json.dumps({**told, "recorded": recorded, "sha256": outcome.sha256}), flush=True)
database.close()
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    "repository_url",
    ["directory", "s3", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("azure", "smb"))],
    indirect=True,
)
def test_eight_writers_make_one_chain_without_a_lock(tmp_path: Path, repository_url: str) -> None:
    with estate(tmp_path) as made:
        made.record(*vault_requests())
        arguments = (str(ROUNDS), f"sqlite:///{tmp_path}/store.db", repository_url)
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(number), *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(1, WRITERS + 1)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdin is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.close()
            writer.stdin = None
        answers = [json.loads(line) for writer in writers for line in writer.communicate()[0].splitlines()]
        assert [writer.returncode for writer in writers] == [0] * WRITERS
        assert len(answers) == WRITERS * ROUNDS
        assert all(answer["last"] >= answer["recorded"] for answer in answers), "each shipped what it had recorded"

        winners = Counter(answer["sequence"] for answer in answers if answer["new"])
        assert set(winners.values()) == {1}, "each number has one winner"
        store = open_store(repository_url)
        repository = Repository.open(store)
        chain = list(repository.chain(made.deployment))
        assert [stored.manifest.sequence for stored in chain] == list(range(1, len(chain) + 1))
        assert sorted(winners) == [stored.manifest.sequence for stored in chain]
        reported = {answer["sequence"]: answer["sha256"] for answer in answers}
        assert reported.items() <= {stored.manifest.sequence: stored.sha256 for stored in chain}.items()

        opener_of = OpenerOf(lines_file.with_identities([IDENTITY]))
        newest = verification.verify(repository, made.deployment, opener_of).newest.manifest
        found = [record for page in segment.read_all(repository, newest, opener_of) for record in page.records]
        assert found == records_of(made.database)
        names = [name for name in store.list() if name != layout.REPOSITORY_FILE]
        assert all(layout.is_prunable(name) or layout.manifest_sequence(name) for name in names), "and no lock"
