"""A record makes one version of one resource, and ends and begins the links that its state implies."""

import pytest
from hypothesis import given

from domain.errors import Corrupt, Refused
from domain.event import Event
from domain.resource_id import fold
from domain.user import user_key
from projections.fold import change
from projections.version import Version
from tests.domain.scenario import encode
from tests.projections.histories import histories, lower, member_added, truths, user_created, user_deleted, user_renamed

USER = lower(user_created("User-1", "").resource)


def made(*records: Event | list[Event]) -> list[Version]:
    """Return the versions that records of one resource make, each of one event or of several."""
    versions: list[Version] = []
    for position, record in enumerate(records, 1):
        events = record if isinstance(record, list) else [record]
        versions.append(change(versions[-1] if versions else None, position, events, encode).after)
    return versions


@given(histories())
def test_versions_and_links_are_the_naive_ones(happened: list[Event]) -> None:
    current: dict[str, Version] = {}
    sequences: dict[str, int] = {}
    for position, (event, truth) in enumerate(zip(happened, truths(happened)[1:], strict=True), 1):
        resource = lower(event.resource)
        step = change(current.get(resource), position, [event], encode)
        sequences[resource] = sequences.get(resource, 0) + 1
        assert (step.after.resource, step.after.sequence) == (resource, sequences[resource])
        assert step.after.valid_from == position
        assert {key for key, _ in step.closed} == set(step.before.links if step.before else ()) - set(step.after.links)
        assert set(step.opened) == {key for key, since in step.after.links.items() if since == position}
        current[resource] = step.after
        assert {r: v.state for r, v in current.items() if v.state is not None} == truth.states
        assert {(r, *key) for r, v in current.items() for key in v.links} == truth.links


def test_a_deleted_resource_keeps_its_row_and_its_sequence_goes_on() -> None:
    created, deleted, again = made(user_created("User-1", "a@b"), user_deleted("User-1"), user_created("user-1", "c@d"))
    assert (deleted.state, deleted.content, deleted.links, deleted.shown()) == (None, b"", {}, None)
    assert [v.sequence for v in (created, deleted, again)] == [1, 2, 3]
    shown = again.shown()
    assert shown is not None
    assert (shown.id, shown.kind, shown.sequence) == (user_created("user-1", "").resource, "user", 3)


def test_a_link_that_stays_keeps_the_position_that_opened_it() -> None:
    created, changed, renamed = made(
        user_created("User-1", "a@b"), Event("user.disabled", USER, {}), user_renamed("User-1", "A@b")
    )
    assert created.links == changed.links == renamed.links == {("key", user_key("a@b")): 1}


def test_a_record_of_several_events_makes_one_version() -> None:
    [version] = made([user_created("User-1", "a@b"), user_renamed("User-1", "c@d")])
    assert (version.sequence, version.links) == (1, {("key", user_key("c@d")): 1})


def test_a_record_of_no_event_repeats_the_state_under_the_next_sequence() -> None:
    before, after = made(user_created("User-1", "a@b"), [])
    assert (after.state, after.content, after.kind, after.links) == (
        before.state,
        before.content,
        before.kind,
        before.links,
    )
    assert (after.resource, after.sequence, after.valid_from) == (before.resource, 2, 2)


def test_a_first_record_of_no_event_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        made([])


def test_a_record_of_two_resources_is_corrupt() -> None:
    with pytest.raises(Corrupt, match="two resources"):
        made([user_created("User-1", "a@b"), user_created("User-2", "c@d")])


def test_what_was_never_created_cannot_change() -> None:
    with pytest.raises(Refused, match="before it was created"):
        made(user_renamed("User-1", "a@b"))


def test_link_targets_are_folded() -> None:
    [version] = made(member_added("GROUP-1", "ÜSER-3"))
    assert all(target == fold(target) for _, target in version.links)
