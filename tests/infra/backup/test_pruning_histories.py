"""Pruning: whatever the history of backups, crashes and prunes, what is promised is kept."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Refused, Unavailable
from domain.instant import to_datetime
from infra.backup.retention import Policy
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from tests.backup_estate import Estate, estate, lived_in
from tests.infra.backup.aging import Aging, check_backups, check_whole
from tests.infra.control_plane.installation import ROOT_KEY
from tests.observed_store import Crash, CrashAt, ObservedStore

POLICIES = st.builds(
    Policy,
    days=st.integers(2, 5),
    last=st.integers(0, 6),
    daily=st.integers(0, 4),
    weekly=st.integers(0, 2),
    monthly=st.integers(0, 2),
)
CALLS = st.none() | st.integers(1, 60)
"""The call of the store at which a process ends, if it does not come to its own end."""

STEPS = st.one_of(
    st.tuples(st.just("back up"), CALLS, st.integers(1, 40)),
    st.tuples(st.just("back up by a clock that is ahead"), CALLS, st.integers(40, 40_000)),
    st.tuples(st.just("prune"), CALLS, POLICIES),
    st.tuples(st.just("prune where something is held"), st.integers(0, 9), POLICIES),
)


@dataclass
class History:
    """What was done, and what must not be lost by it: `made_at` is the true time of every backup that was reported."""

    aging: Aging
    made_at: dict[int, datetime] = field(default_factory=dict)

    def back_up(self, crash_at: int | None, hours: int, ahead_hours: int = 0) -> None:
        """Let hours pass and back up, by a clock that is ahead."""
        self.aging.pass_time(timedelta(hours=hours))
        now = self.aging.now
        self.aging.pass_time(timedelta(hours=ahead_hours))
        with suppress(Crash):
            outcome = self.aging.back_up(ObservedStore(self.aging.store, before=CrashAt(crash_at or 10**6)))
            self.made_at[outcome.manifest.sequence] = to_datetime(now)
        self.aging.now = now

    def prune(self, policy: Policy, crash_at: int | None, held: str = "") -> None:
        crash = CrashAt(crash_at or 10**6)

        def observe(method: str, name: str) -> None:
            crash(method, name)
            if held and method == "delete" and held in name[-20:]:
                raise Unavailable(f"{name} is held")

        with suppress(Crash, Refused):
            outcome = self.aging.prune(policy, ObservedStore(self.aging.store, before=observe))
            check_backups(self.aging.made, set(outcome.plan.kept))

    def check(self) -> None:
        """The chain is sound, each manifest has all that it names, and what every policy keeps is there."""
        check_whole(self.aging.made)
        young = to_datetime(self.aging.now) - timedelta(days=2)
        assert {number for number, made_at in self.made_at.items() if made_at >= young} <= set(self.aging.numbers())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    with estate(folder) as made:
        lived_in(made)
    return folder


@contextmanager
def begun(template: Path) -> Iterator[History]:
    """A history that begins with a copy of a deployment."""
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(template, Path(folder) / "copy"))
        database = open_database(f"sqlite:///{copy}/store.db")
        try:
            yield History(Aging(Estate(copy, database, ControlPlane(database, ROOT_KEY, cost=TEST_COST))))
        finally:
            database.close()


@settings(max_examples=12, deadline=None)
@given(steps=st.lists(STEPS, min_size=5, max_size=25))
def test_whatever_happens_every_kept_backup_is_whole_and_the_chain_is_sound(
    template: Path, steps: list[tuple[str, int | None, int | Policy]]
) -> None:
    with begun(template) as history:
        for what, number, value in steps:
            if isinstance(value, Policy):
                held = str(number) if what != "prune" else ""
                history.prune(value, None if held else number, held)
            else:
                history.back_up(number, 1 if value >= 40 else value, value if value >= 40 else 0)
            history.check()
        history.back_up(None, 1)
        check_backups(history.aging.made, {history.aging.numbers()[-1]})
