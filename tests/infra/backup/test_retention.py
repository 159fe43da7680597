"""Retention: what a policy keeps, whatever the clocks of those who wrote the backups said for a while."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused, Usage
from domain.instant import from_datetime
from infra.backup import retention
from infra.backup.retention import Backup, Policy

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def instant(moment: datetime) -> str:
    return from_datetime(moment)


def ago(days: float) -> str:
    return instant(NOW - days * DAY)


def backups(*ages_days: float) -> list[Backup]:
    """Backups of these ages, oldest first; what is in them is an hour older."""
    return [Backup(n, ago(age), ago(age + 1 / 24)) for n, age in enumerate(ages_days, 1)]


def kept(policy: Policy, *ages_days: float) -> list[int]:
    return sorted(retention.kept(policy, backups(*ages_days), instant(NOW)))


def test_backups_are_kept_by_age_and_fourteen_days_if_nothing_is_said() -> None:
    assert kept(Policy(), 20, 14.01, 14, 3, 0) == [3, 4, 5]
    assert kept(Policy(days=2), 20, 14.01, 14, 2.1, 2, 0) == [5, 6]


def test_the_newest_backups_are_kept_by_number() -> None:
    assert kept(Policy(days=2, last=3), 20, 19, 18, 17, 1) == [3, 4, 5]
    assert kept(Policy(days=2, last=9), 20, 19, 1) == [1, 2, 3]


def test_the_newest_backup_of_each_of_so_many_periods_that_have_one_is_kept() -> None:
    # 2026-11-22 is a Sunday; the days before are those of one ISO week down to the 16th.
    days = (100, 70, 40, 10, 9.9, 6, 5, 3, 2.9, 0.1)
    assert kept(Policy(days=2, daily=3), *days) == [7, 9, 10]
    assert kept(Policy(days=2, weekly=3), *days) == [3, 5, 10]
    assert kept(Policy(days=2, monthly=9), *days) == [1, 2, 3, 10]


def test_a_policy_keeps_what_any_of_its_rules_keeps_and_says_which() -> None:
    found = retention.kept(Policy(days=2, last=2, monthly=2), backups(60, 40, 1, 0), instant(NOW))
    assert found == {4: ["newest", "days", "last", "monthly"], 3: ["days", "last"], 2: ["monthly"]}


def test_the_newest_verified_backup_is_always_kept_and_no_unproven_word_takes_its_place() -> None:
    worth = {2: {"valid"}, 5: {"valid"}, 7: {"unchecked"}, 9: {"unchecked"}}
    made = [Backup(n, ago(30 - n), "", frozenset(worth.get(n, ()))) for n in range(1, 30)]
    found = retention.kept(Policy(days=2), made, instant(NOW))
    assert found == {29: ["newest", "days"], 28: ["days"], 5: ["verified"], 9: ["verified"]}


def test_nothing_is_kept_of_nothing() -> None:
    assert retention.kept(Policy(), [], instant(NOW)) == {}


@pytest.mark.parametrize(
    "values", [{"days": 1}, {"days": 0}, {"last": -1}, {"daily": -1}, {"monthly": -1}, {"monthly": 1_179}]
)
def test_a_policy_that_promises_too_little_or_too_much_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(Usage):
        Policy(**values)


def test_a_newest_backup_from_the_future_is_refused() -> None:
    assert kept(Policy(), 1, -4 / 60 / 24) == [1, 2]
    with pytest.raises(Refused, match="in the future of this host") as refusal:
        kept(Policy(), 1, -6 / 60 / 24)
    assert refusal.value.rule == "clock-is-plausible"


@pytest.mark.parametrize(
    ("policy", "days"),
    [(Policy(), 14), (Policy(days=3, daily=9), 9), (Policy(days=3, weekly=2), 14), (Policy(days=3, monthly=2), 62)],
)
def test_a_clock_that_is_ahead_of_the_newest_backup_by_the_longest_age_is_refused(policy: Policy, days: int) -> None:
    assert kept(policy, days + 1, days)[-1] == 2
    with pytest.raises(Refused, match="backups have stopped, or its clock is wrong"):
        kept(policy, days + 1, days + 0.01)


@given(wrong=st.dictionaries(st.integers(0, 28), st.floats(-40_000, 20_000) | st.floats(-30, 30), max_size=12))
def test_no_clock_of_a_writer_that_was_wrong_for_a_while_makes_another_backup_look_old(wrong: dict[int, float]) -> None:
    """Thirty backups, one a day; some writers' clocks are off by so many days."""
    ages = [29 - number for number in range(30)]
    made = [Backup(n, ago(age - wrong.get(n, 0)), ago(age)) for n, age in enumerate(ages)]
    found = retention.kept(Policy(days=7), made, instant(NOW))
    assert {n for n, age in enumerate(ages) if age <= 7} <= found.keys()
    # Nor does it keep anything for ever: what a right clock said afterwards is believed.
    old_and_right = [n for n, age in enumerate(ages) if age > 7 and n not in wrong]
    assert min(found) > max(old_and_right, default=-1)


@given(wrong=st.dictionaries(st.integers(0, 28), st.floats(0, 20_000) | st.floats(0, 30), max_size=12))
def test_a_store_whose_clock_was_ahead_makes_no_backup_look_old(wrong: dict[int, float]) -> None:
    """What is recorded after such a time never falls behind it again."""
    ages = [29 - number for number in range(30)]
    made, ahead = [], 0.0
    for n, age in enumerate(ages):
        ahead = max(ahead, wrong.get(n, 0) - age + 100)
        made.append(Backup(n, ago(age - wrong.get(n, 0)), ago(min(age, 100 - ahead))))
    found = retention.kept(Policy(days=7), made, instant(NOW))
    assert {n for n, age in enumerate(ages) if age <= 7} <= found.keys()


def test_a_store_that_recorded_in_the_future_and_a_clock_that_is_behind_make_no_other_backup_look_old() -> None:
    """What is recorded tells nothing of when it was any more; a clock that falls back later is noticed all the same."""
    made = [Backup(n, ago(29 - n), ago(-1_000 if n >= 10 else 29 - n)) for n in range(30)]
    for number in range(11, 29):
        wrong = [*made]
        wrong[number] = Backup(number, ago(12_000), ago(-1_000))
        assert retention.kept(Policy(days=7), wrong, instant(NOW)).keys() >= {*range(22, 30)} - {number}, number


def test_a_clock_that_is_behind_while_nothing_is_recorded_makes_no_other_backup_look_old() -> None:
    made = [Backup(n, ago(29 - n), ago(29)) for n in range(30)]
    for number in range(1, 29):
        wrong = [*made]
        wrong[number] = Backup(number, ago(12_000), ago(29))
        assert retention.kept(Policy(days=7), wrong, instant(NOW)).keys() >= {*range(22, 30)} - {number}, number


def test_what_a_store_recorded_in_the_future_keeps_nothing_for_ever() -> None:
    made = [Backup(n, ago(20 - n), ago(-1_000)) for n in range(20)]
    assert min(retention.kept(Policy(days=7), made, instant(NOW))) == 13
