"""Sixteen writers over rules that cross resources, connections that die at COMMIT, and writers that are killed.

Whatever happens, no rule is broken, nothing that was acknowledged is lost or doubled, and log and state agree.
"""

import json
import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import Unavailable
from domain.resource import Resource
from infra.control_plane.job import Outcome
from infra.control_plane.plane import ControlPlane
from infra.database.session import CommitUnknown, Database
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from infra.keys.signer import Signer
from infra.log import event_table
from infra.log.checkpoint import Checkpoint, open_checkpoint, sign
from tests.infra.control_plane.installation import (
    ACTOR,
    ROOT_KEY,
    install,
    installed_plane,
    request,
    user_id,
    user_request,
)
from tests.postgres import with_schema
from tests.system import contention
from tests.system.audit import audited, check_acknowledged
from tests.system.contention import WRITERS, Answer
from tests.system.cutting_proxy import Cut, CuttingProxy
from tests.system.merkle import merkle_root

# Each process of a fight starts as a copy of one that has loaded the program.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.system.contention"])


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """A store that does not hold a deployment yet, on each engine in turn."""
    opened = open_database(store_url, create=True)
    yield opened
    opened.close()


@pytest.fixture
def plane(database: Database) -> ControlPlane:
    """A deployment with everything that the writers fight about."""
    plane = installed_plane(database)
    contention.prepare(plane)
    return plane


def check_fight(plane: ControlPlane, before: int, answers: list[Answer]) -> None:
    records = audited(plane.database)
    acknowledged = [answer for answer in answers if isinstance(answer, Outcome)]
    check_acknowledged(records, acknowledged)
    positions = [at for o in acknowledged if o.status == "recorded" for at in range(o.first, o.last + 1)]
    assert sorted(positions) == list(range(before + 1, len(records) + 1))
    with plane.read() as reading:
        assert contention.broken_rules(reading.state.all()) == []
    contention.check_winners(answers)


class TestSixteenWriters:
    def test_threads_break_no_rule_and_lose_nothing(self, plane: ControlPlane) -> None:
        before = plane.head().position
        check_fight(plane, before, contention.fight_as_threads(plane))

    def test_processes_break_no_rule_and_lose_nothing(self, plane: ControlPlane, store_url: str) -> None:
        before = plane.head().position
        barrier = PROCESSES.Barrier(WRITERS)
        with PROCESSES.Pool(WRITERS, contention.join, (barrier,)) as pool:
            writing = pool.starmap_async(
                contention.fight_as_process, [(store_url, writer) for writer in range(WRITERS)], chunksize=1
            )
            fought = writing.get(timeout=120)
        assert len({process for process, _ in fought}) == WRITERS
        check_fight(plane, before, [answer for _, answers in fought for answer in answers])

    def test_the_scan_finds_each_rule_that_is_broken(self, plane: ControlPlane) -> None:
        contention.fight_as_threads(plane)
        with plane.read() as reading:
            resources = list(reading.state.all())
        for twin, broken in (
            (first(resources, "user", "Wanted-1@"), "user principal name"),
            (first(resources, "role-assignment", user_id(101)), "assignment"),
            (first(resources, "subscription", "limited-2"), "is subscribed 3 times"),
        ):
            found = contention.broken_rules([*resources, twin._replace(id=twin.id + "x")])
            assert len(found) == 1
            assert broken in found[0]
        plan = first(resources, "plan", "lasting")
        assert len(contention.broken_rules([each for each in resources if each is not plan])) == contention.ROUNDS
        there = first(resources, "group-membership", "group-3")
        ends = {"groupId": there.state["memberId"], "memberId": there.state["groupId"]}
        back = there._replace(id="/back", state={"id": "/back", **ends})
        assert all("is a member of itself" in each for each in contention.broken_rules([*resources, back]))
        assert len(contention.broken_rules([*resources, back])) == 2


def first(resources: list[Resource], kind: str, mention: str) -> Resource:
    return next(each for each in resources if each.kind == kind and mention in str(each.state))


class TestLostCommits:
    """On PostgreSQL, through a proxy that cuts every third COMMIT in the way that a test asks for."""

    @pytest.fixture
    def proxy(self, postgres_url: str) -> Iterator[CuttingProxy]:
        proxy = CuttingProxy(postgres_url)
        yield proxy
        proxy.close()

    @pytest.fixture
    def plane(self, proxy: CuttingProxy, fresh_postgres_url: str) -> Iterator[ControlPlane]:
        """A deployment whose connections go through the proxy; at the end its log and state still agree."""
        direct = open_database(fresh_postgres_url, create=True)
        install(direct)
        through = open_database(with_schema(proxy.url, fresh_postgres_url.rpartition("=")[2]))
        yield ControlPlane(through, ROOT_KEY, cost=TEST_COST)
        through.close()
        audited(direct)
        direct.close()

    @pytest.mark.parametrize("cut", [cut for cut in Cut if cut is not Cut.NEVER])
    @pytest.mark.parametrize("are_named", [True, False], ids=["with ids of the client", "without"])
    def test_a_connection_killed_at_commit_neither_loses_nor_doubles(
        self, plane: ControlPlane, proxy: CuttingProxy, cut: Cut, are_named: bool
    ) -> None:
        before = plane.head().position
        proxy.cut_every(3, cut)
        answers: list[Outcome] = []

        def write(writer: int) -> None:
            for number in range(6):
                command_id = f"command-{writer}-{number}" if are_named else None
                answers.append(plane.execute(user_request(writer * 10 + number, command_id), ACTOR))

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert proxy.cuts >= 3
        assert [answer.status for answer in answers] == ["recorded"] * WRITERS * 6
        proxy.cut_every(3, Cut.NEVER)
        check_acknowledged(audited(plane.database), answers)
        assert plane.head().position == before + WRITERS * 6

    @pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
    def test_an_atomic_request_is_recorded_whole_or_not_at_all(
        self, plane: ControlPlane, proxy: CuttingProxy, cut: Cut
    ) -> None:
        before = plane.head().position
        proxy.cut_every(2, cut)
        for number in range(0, 40, 10):
            requests = [user_request(number + each, f"user-{number + each}") for each in range(10)]
            answers = plane.execute_all(requests, ACTOR, is_atomic=True)
            assert [answer.status for answer in answers if isinstance(answer, Outcome)] == ["recorded"] * 10
        assert proxy.cuts >= 2
        assert plane.head().position == before + 40

    @pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
    def test_while_the_outcome_stays_unknown_the_caller_is_told_so_and_may_send_it_again(
        self, plane: ControlPlane, proxy: CuttingProxy, cut: Cut
    ) -> None:
        proxy.cut_every(1, cut)
        [answer] = plane.execute_all([user_request(1, "command-1")], ACTOR)
        assert isinstance(answer, CommitUnknown)
        proxy.cut_every(1, Cut.NEVER)
        again = plane.execute(user_request(1, "command-1"), ACTOR)
        assert again.status == ("recorded" if cut is Cut.BEFORE else "repeated")

    def test_a_server_that_went_away_is_unavailable_and_nothing_is_half_done(
        self, plane: ControlPlane, proxy: CuttingProxy
    ) -> None:
        plane.execute(user_request(1), ACTOR)
        proxy.refuse_everybody()
        answers = plane.execute_all([user_request(number) for number in range(2, 40)], ACTOR)
        assert all(isinstance(answer, Unavailable) for answer in answers)


WRITER = """
import json, sys
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, request, user_id, user_request

url, first = sys.argv[1], int(sys.argv[2])
plane = ControlPlane(open_database(url), ROOT_KEY, cost=TEST_COST)
for number in range(first, first + 10_000):
    life = [user_request(number), *(
        request("AddGroupMember", groupId=group, memberId=user_id(number)) for group in ("group-1", "group-2")
    ), request("DeleteUser", objectId=user_id(number))]
    for outcome in plane.execute_all(life, ACTOR):
        print(json.dumps({name: getattr(outcome, name) for name in outcome.__slots__}), flush=True)
"""


class TestKilledWriters:
    @pytest.mark.parametrize("acknowledged", [1, 31, 120])
    def test_after_kill_9_all_that_was_acknowledged_is_there_and_nothing_is_half_done(
        self, database: Database, store_url: str, acknowledged: int
    ) -> None:
        """Two writers, of which one is killed while both record commands of up to three events."""
        plane = installed_plane(database)
        for group in ("group-1", "group-2"):
            plane.execute(request("CreateGroup", objectId=group, displayName=group), ACTOR)
        victim, other = (started_writer(store_url, first) for first in (0, 20_000))
        answered = [read_line(victim) for _ in range(acknowledged)]
        victim.kill()
        answered += rest(victim)
        answered += [read_line(other) for _ in range(40)]
        other.kill()
        answered += rest(other)
        records = audited(database)
        outcomes = [
            Outcome(**{**fields, "resources": tuple(fields["resources"])}) for fields in map(json.loads, answered)
        ]
        assert len(outcomes) >= acknowledged + 40
        check_acknowledged(records, outcomes)
        assert plane.execute(user_request(99_999), ACTOR).last == len(records) + 1
        audited(database)


def started_writer(url: str, first: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, url, str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def read_line(writer: "subprocess.Popen[str]") -> str:
    assert writer.stdout is not None
    line = writer.stdout.readline()
    assert line.endswith("\n"), "the writer ended by itself"
    return line


def rest(writer: "subprocess.Popen[str]") -> list[str]:
    """Return the whole lines that a killed writer had sent, and close its pipe."""
    writer.wait()
    assert writer.stdout is not None
    with writer.stdout:
        return [line for line in writer.stdout if line.endswith("\n")]


def test_a_signed_checkpoint_says_what_an_independent_tree_says(plane: ControlPlane) -> None:
    at = plane.head()
    signer = Signer.generate("log.example")
    note = sign(Checkpoint("log.example", at.position, at.root), signer)
    opened = open_checkpoint(note, signer.verifier)
    with plane.database.read() as session:
        stored = list(event_table.records(session))
    assert (opened.size, opened.root) == (len(stored), merkle_root(stored))
    assert opened.root != merkle_root([*stored[:-1], stored[-1] + b" "])
