"""The shred report: it finds every copy of a destroyed key that there is, and says nothing is left when nothing is."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from infra.backup import lines_file, pruning, shred_report
from infra.backup.shred_report import ShredReport
from infra.backup.superseding import KEYRING_GRACE
from infra.control_plane import root_key_rotation
from infra.control_plane.plane import ControlPlane
from infra.control_plane.recovery import Wish
from infra.keys.password import TEST_COST
from infra.keys.root_key import HeldRootKey
from tests.backup_estate import IDENTITY, Estate, estate, lived_in, recovered, set_password
from tests.infra.backup.aging import DAY, TWO_DAYS, Aging
from tests.infra.control_plane.installation import ROOT_KEY, request, user_id


@pytest.fixture
def aging(tmp_path: Path, store_url: str) -> Iterator[Aging]:
    with estate(tmp_path, store_url) as made:
        yield Aging(lived_in(made))


def report(aging: Aging) -> ShredReport:
    return shred_report.make(aging.made.database, aging.made.repository, pruning.GRACE, KEYRING_GRACE, aging.clock())


def truly_held(made: Estate) -> dict[str, int]:
    """How many of its destroyed keys each keyring file of the repository opens, whosever it is."""
    with made.database.read() as session:
        destroyed = {row[0] for row in session.execute("SELECT key_id FROM keyring WHERE shredded_at > 0")}
    found = {}
    for path in made.root.glob("*/keyrings/*"):
        lines = lines_file.read(path.read_bytes(), lines_file.with_identities([IDENTITY]), path.name)
        held = {entry["key_id"] for line in lines if "key" in (entry := json.loads(line))} & destroyed
        if held:
            found[str(path.relative_to(made.root))] = len(held)
    return found


def told(found: ShredReport) -> dict[str, int | None]:
    return {file.name: file.keys for file in found.files}


def test_every_copy_is_found_through_the_whole_life_of_a_key(aging: Aging) -> None:
    aging.made.record(set_password(1, "a third long password"))
    found = report(aging)
    assert told(found) == truly_held(aging.made)
    assert found.files[-1].why == "newest"
    assert found.until is None
    newest = found.keys[-1]
    assert (newest.resource.split("/")[-1], newest.files, newest.until) == (user_id(1), 1, None)
    aging.back_up()
    found = report(aging)
    assert told(found) == truly_held(aging.made)
    assert {file.why for file in found.files} == {"superseded"}
    assert (due := found.until) is not None
    aging.prune()
    assert report(aging).until == due
    aging.pass_time(KEYRING_GRACE + timedelta(seconds=1))
    aging.back_up()
    assert aging.now > due
    aging.prune()
    found = report(aging)
    assert (truly_held(aging.made), found.files, found.keys) == ({}, [], [])
    assert found.is_repository_clean


def test_a_keyring_that_was_never_marked_stays_a_day_longer(aging: Aging) -> None:
    aging.pass_time(2 * KEYRING_GRACE)
    aging.back_up()
    waits = report(aging).until
    assert waits is not None
    assert waits > aging.now
    aging.prune()
    assert report(aging).until == waits
    aging.pass_time(DAY)
    aging.back_up()
    aging.prune()
    assert report(aging).is_repository_clean


def test_nothing_is_left_once_the_root_key_is_rotated_too(aging: Aging) -> None:
    aging.made.record(set_password(1, "a third long password"))
    before = report(aging).database
    assert before.keys == report(aging).destroyed == len(report(aging).keys) == 3
    assert before.overwrites == (before.engine == "sqlite")
    new = HeldRootKey(bytes(range(1, 33)))
    root_key_rotation.rotate(aging.made.database, ROOT_KEY, new)
    aging.made.root_key, aging.made.plane = new, ControlPlane(aging.made.database, new, cost=TEST_COST)
    assert (report(aging).database.keys, report(aging).database.root_key_id) == (0, new.id)
    assert not report(aging).is_nothing_left
    aging.back_up()
    aging.prune()
    aging.pass_time(KEYRING_GRACE)
    aging.back_up()
    aging.prune()
    assert report(aging).is_nothing_left
    aging.made.record(set_password(1, "a fourth long password"))
    assert (report(aging).database.keys, report(aging).is_nothing_left) == (1, False)


def test_a_keyring_that_no_manifest_names_may_hold_anything(aging: Aging) -> None:
    stray = aging.made.objects("keyrings")[0].with_name(f"{9:019d}-{'0' * 64}.jsonl.zst.age")
    stray.write_bytes(b"of a run that crashed")
    [file] = [file for file in report(aging).files if file.why == "unnamed"]
    assert (Path(file.name).name, file.keys, file.until) == (stray.name, None, None)
    assert report(aging).until is None


def test_what_the_deployments_left_that_this_one_came_from_is_told(aging: Aging, tmp_path: Path) -> None:
    with recovered(aging.made.root, tmp_path / "new") as (after, _):
        after.back_up()
        after.record(request("DeleteUser", objectId=user_id(1)))
        after.back_up()
        found = report(Aging(after, aging.now))
        assert told(found) == truly_held(after)
        assert {file.why for file in found.files} == {"superseded", "ancestor"}
        assert found.until is None
        wish = Wish(deployment=after.deployment, trust_first_use=True)
        with recovered(aging.made.root, tmp_path / "newer", wish=wish) as (again, _):
            again.record(request("DeleteUser", objectId=user_id(0)))
            assert told(report(Aging(again, aging.now))) == truly_held(again)


def test_without_a_backup_nothing_is_left(tmp_path: Path) -> None:
    with estate(tmp_path) as made:
        assert made.repository.deployments() == []
        found = report(Aging(made))
        assert (found.files, found.is_nothing_left) == ([], True)


def test_after_prunes_it_is_right_too(aging: Aging) -> None:
    aging.live_days(4)
    aging.prune(TWO_DAYS)
    aging.live_days(2)
    aging.prune(TWO_DAYS)
    assert told(report(aging)) == truly_held(aging.made)
