"""The checks of every event, state and link find what they are for."""

from typing import Any

import pytest

from domain.event import Event
from projections.fold import change
from projections.version import Change, Version
from tests.domain.scenario import encode
from tests.domain.well_formed import check_change, check_event, check_plain

GROUP = "/providers/Microsoft.Graph/directoryObjects/g"


@pytest.mark.parametrize("value", [(1,), None, 1.5, {"a": None}, {"a": [("b",)]}, {1: "a"}, b"a"])
def test_what_json_would_change_is_found(value: Any) -> None:
    with pytest.raises(AssertionError):
        check_plain(value)


def test_null_may_stand_in_json_that_is_kept_as_it_was_given() -> None:
    check_plain({"policyRule": {"if": None}, "tags": {"a": "b"}, "list": [1, True, "a"]})


@pytest.mark.parametrize("payload", [{}, {"objectId": "g", "displayName": 1}, {"objectId": "g", "displayName": ("G",)}])
def test_a_payload_of_another_form_is_found(payload: dict[str, Any]) -> None:
    check_event(Event("group.created", GROUP, {"objectId": "g", "displayName": "G"}))
    with pytest.raises(Exception, match="displayName"):
        check_event(Event("group.created", GROUP, payload))


def test_links_of_a_deleted_resource_and_links_that_are_too_long_are_found() -> None:
    deleted = Version(GROUP.lower(), "group", 2, 2, None, b"", {("member", "/a"): 1})
    with pytest.raises(AssertionError, match="is deleted and has links"):
        check_change(Change(None, deleted, (), ()))
    assigned = {"policyDefinitionId": "/p", "scope": "/" + "s" * 1024}
    with pytest.raises(AssertionError, match="too long for an index"):
        check_change(change(None, 1, [Event("policy-assignment.created", "/a", assigned)], encode))
