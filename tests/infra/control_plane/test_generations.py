"""Generations: a recovered deployment is backed up, lost and recovered again, wherever its backups go."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from infra.backup import lines_file, verification
from infra.backup.repository import Repository
from infra.backup.segment import OpenerOf
from infra.control_plane import recovery, verified_backup
from infra.control_plane.clock import host_clock
from infra.database.url import open_database
from infra.log.record import decode_record
from tests.backup_estate import (
    FIRST_USE,
    IDENTITY,
    TABLES,
    Estate,
    estate,
    lived_in,
    records_of,
    recovered,
    rows_of,
    set_secret,
)


@contextmanager
def generations(folder: Path, places: list[str], count: int = 3) -> Iterator[list[Estate]]:
    """An estate, and so many that were recovered each from the backups of the one before, into these places in turn."""
    with ExitStack() as stack:
        lived = [lived_in(stack.enter_context(estate(folder)))]
        for number in range(1, count + 1):
            before = lived[-1]
            wish = replace(FIRST_USE, deployment=before.deployment)
            into = recovered(before.root, folder / f"generation-{number}", wish=wish)
            one, _ = stack.enter_context(into)
            one.folder = folder / places[(number - 1) % len(places)]
            one.folder.mkdir(exist_ok=True)
            one.record(set_secret("Database", f"of generation {number}"))
            verified_backup.make(one.database, one.root_key, one.repository, host_clock)
            lived.append(one)
        yield lived


@pytest.mark.parametrize("places", [["."], ["second"], ["second", "."]], ids=["same", "another", "to and fro"])
def test_each_generation_holds_all_of_those_before_and_names_its_ancestor(tmp_path: Path, places: list[str]) -> None:
    with generations(tmp_path, places) as lived:
        for parent, child in pairwise(lived):
            end = parent.plane.head().position
            assert records_of(child.database, end) == records_of(parent.database)
            for table in TABLES:
                assert rows_of(child.database, table, end) == rows_of(parent.database, table), table
            ancestor, last = child.newest.ancestor, parent.newest
            assert ancestor is not None
            assert (ancestor.deployment, ancestor.sequence) == (parent.deployment, last.sequence)
            assert ancestor.position == end
            assert ancestor.checkpoint == last.checkpoint
            assert child.newest.parent_epoch == parent.plane.head().epoch
            assert child.newest.segments[0].first == 1, "its first backup is a full copy"
        assert len({one.deployment for one in lived}) == len(lived)
        types = [decode_record(record).event["type"] for record in records_of(lived[-1].database)]
        assert types.count("deployment.recovered") == len(lived) - 1


def test_a_generation_needs_nothing_of_those_before(tmp_path: Path) -> None:
    with generations(tmp_path, ["."]) as lived:
        last = lived[-1]
        for one in lived[:-1]:
            for path in sorted((last.root / one.deployment).rglob("*")):
                if path.is_file():
                    path.unlink()
        opener_of = OpenerOf(lines_file.with_identities([IDENTITY]))
        found = verification.verify(last.repository, last.deployment, opener_of)
        assert found.records == last.plane.head().position
        with recovered(last.root, tmp_path / "alone") as (alone, _):
            assert records_of(alone.database, found.records) == records_of(last.database)


def test_a_recovered_deployment_is_drilled_like_any_other(tmp_path: Path) -> None:
    with generations(tmp_path, ["."], 1) as (_, once):
        scratch = open_database(f"sqlite:///{tmp_path}/scratch.db", create=True)
        wish = replace(FIRST_USE, deployment=once.deployment)
        report = recovery.drill(scratch, once.repository, [IDENTITY], wish, host_clock())
        assert report.head.digest == once.plane.head().digest
        assert {measure.result for measure in report.measures} == {"equal"}
        assert report.plan.manifest.ancestor is not None
        scratch.close()


def test_an_earlier_moment_of_an_ancestor_is_still_there_in_a_later_generation(tmp_path: Path) -> None:
    with generations(tmp_path, ["."], 2) as lived:
        first, last = lived[0], lived[-1]
        position = decode_record(records_of(first.database)[-1]).command_end - 1
        wish = replace(FIRST_USE, deployment=last.deployment, at=str(position))
        with recovered(last.root, tmp_path / "earlier", wish=wish) as (earlier, report):
            assert report.recovered_position == position
            assert records_of(earlier.database, position) == records_of(first.database, position)


def test_the_ancestor_goes_on_unharmed_in_a_repository_that_both_use(tmp_path: Path) -> None:
    with generations(tmp_path, ["."], 1) as (first, once):
        first.record(set_secret("Database", "the old one still lives"))
        first.back_up()
        once.back_up()
        for one in (first, once):
            found = verification.verify(
                Repository.open(one.repository.store), one.deployment, OpenerOf(lines_file.with_identities([IDENTITY]))
            )
            assert found.records == one.plane.head().position
