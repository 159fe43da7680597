"""Whole backup runs over a network that fails: whatever is lost on the way, nothing that was reported as shipped is."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from domain.errors import Corrupt, ResurgamError, Unavailable
from infra.backup import lines_file, run, segment, verification
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.backup.stores.store import Store
from infra.backup.stores.url import open_store
from infra.control_plane.clock import host_clock
from tests.backup_estate import IDENTITY, Estate, estate, records_of, vault_requests
from tests.fault_proxy import Fault, MessageCutter, http_faults
from tests.infra.backup.test_network_store_faults import at, endpoint_of
from tests.infra.control_plane.installation import user_request
from tests.store_servers import QUICK, Place

Enter = Callable[[Place], str]
Plan = Callable[[], Fault | None]
RUNS = 8
TRIES = 40
SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>reduce your request rate</Message></Error>"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Estate]:
    with estate(tmp_path) as one:
        one.record(*vault_requests())
        yield one


@pytest.fixture(params=["s3", "azure"])
def served(request: pytest.FixtureRequest) -> Place:
    """A fresh place on each object service in turn."""
    server: Place = request.getfixturevalue(f"{request.param}_server")
    return server.fresh()


def stormy(chance: Random) -> Plan:
    """One of three requests comes to harm: it is not heard, its answer is lost or cut off, or it is refused."""

    def plan() -> Fault | None:
        if chance.random() > 0.3:
            return None
        return chance.choice(
            [
                Fault(False),
                Fault(True),
                Fault(False, 503, SLOW_DOWN),
                Fault(False, 429, SLOW_DOWN),
                Fault(True, 500),
                Fault(True, kept_bytes=chance.randrange(600)),
            ]
        )

    return plan


def back_up(made: Estate, store: Store) -> run.Outcome:
    return run.run(made.database, made.root_key, Repository.open_or_create(store), host_clock)


def shipped(made: Estate, store_of: Callable[[], Store], users: list[int]) -> int:
    """Record and back up, again and again until it succeeds as a watch does; how often it failed."""
    failed = 0
    for _ in range(RUNS):
        users.append(len(users))
        made.record(user_request(users[-1]))
        for _ in range(TRIES):
            try:
                outcome = back_up(made, store_of())
            except Unavailable:
                failed += 1
                continue
            assert outcome.manifest.last == made.plane.head().position
            break
        else:
            pytest.fail("it never came through")
    return failed


def check(made: Estate, store: Store) -> None:
    """One chain that holds every record once, and nothing that says otherwise."""
    repository = Repository.open(store)
    opener_of = OpenerOf(lines_file.with_identities([IDENTITY]))
    found = verification.verify(repository, made.deployment, opener_of).newest.manifest
    log = records_of(made.database)
    assert [r for page in segment.read_all(repository, found, opener_of) for r in page.records] == log
    assert not [name for name in store.list() if "lock" in name]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_storm_of_every_kind_delays_and_loses_nothing(
    made: Estate, served: Place, store_environment: Enter, seed: int
) -> None:
    plan, hit = stormy(Random(seed)), []

    def noted(method: str, number: int) -> Fault | None:
        fault = plan()
        hit.append(fault)
        return fault

    with http_faults(served.environment[endpoint_of(served)], noted) as endpoint:
        url = store_environment(at(served, endpoint))
        shipped(made, lambda: open_store(url, patience=QUICK), [])
    assert len({type(fault) for fault in hit}) == 2, "some came through, and some did not"
    check(made, open_store(store_environment(served)))


@pytest.mark.parametrize("kept_bytes", [0, 1, 12, 60, 200, 350, 500, 700, 1_000, 1_500])
def test_an_answer_that_is_cut_off_anywhere_is_asked_for_again(
    made: Estate, served: Place, store_environment: Enter, kept_bytes: int
) -> None:
    def plan(method: str, number: int) -> Fault | None:
        return Fault(True, kept_bytes=kept_bytes) if number % 2 == 1 else None

    with http_faults(served.environment[endpoint_of(served)], plan) as endpoint:
        url = store_environment(at(served, endpoint))
        made.record(user_request(1))
        with suppress(Unavailable):
            run.run(
                made.database, made.root_key, Repository.open_or_create(open_store(url, patience=QUICK)), host_clock
            )
    url = store_environment(served)
    run.run(made.database, made.root_key, Repository.open_or_create(open_store(url)), host_clock)
    check(made, open_store(url))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of handles that were cut
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_smb_that_is_cut_in_the_middle_of_runs_loses_nothing(
    made: Estate, smb_server: Place, store_environment: Enter, seed: int
) -> None:
    chance, there = Random(seed), smb_server.fresh()
    address = urlsplit(there.url)
    assert address.hostname is not None
    assert address.port is not None
    cutter = MessageCutter(address.hostname, address.port)
    try:
        url = store_environment(there).replace(address.netloc, f"127.0.0.1:{cutter.port}")

        def store_of() -> Store:
            cutter.cut_after(chance.randint(1, 120))
            return open_store(url, create=True, patience=QUICK)

        shipped(made, store_of, [])
    finally:
        cutter.close()
    check(made, open_store(store_environment(there)))


def test_a_storm_is_never_taken_for_damage(made: Estate, served: Place, store_environment: Enter) -> None:
    """Reading through a storm ends with what is there, or with exit code 8: never with 6, which sends for a copy."""
    url = store_environment(served)
    shipped(made, lambda: open_store(url), [])
    plan, ended = stormy(Random(3)), []
    with http_faults(served.environment[endpoint_of(served)], lambda *_: plan()) as endpoint:
        url = store_environment(at(served, endpoint))
        for _ in range(6):
            try:
                check(made, open_store(url, patience=QUICK))
                ended.append("whole")
            except ResurgamError as error:
                assert not isinstance(error, Corrupt), error  # noqa: PT017, that it is another one is what is tested
                ended.append("told")
    assert "whole" in ended
