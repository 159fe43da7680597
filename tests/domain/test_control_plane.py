"""The control plane: nothing is left out, nothing has the name of another, and every event keeps its form."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import domain
from domain import control_plane
from domain.command import Command
from domain.control_plane import AREAS, COMMANDS, DECISIONS, EVENTS, KINDS
from domain.errors import Refused
from domain.event import EventType
from domain.resource import SERVICES

MODULES = [import_module(f"domain.{path.stem}") for path in Path(*domain.__path__).glob("*.py")]
EVENT_TYPES = [event for kind in KINDS.values() for event in kind.events]


def descendants(command: Any) -> Iterator[type[Command]]:
    for child in command.__subclasses__():
        yield child
        yield from descendants(child)


def test_every_module_with_kinds_or_decisions_is_an_area() -> None:
    kinds = [kind for module in MODULES for kind in getattr(module, "KINDS", ()) if module is not control_plane]
    assert {id(kind) for kind in kinds} <= {id(kind) for kind in KINDS.values()}
    for module in MODULES:
        if module is not control_plane and getattr(module, "DECISIONS", None):
            assert module in AREAS, module.__name__


def test_no_two_kinds_events_or_commands_have_one_name() -> None:
    assert len(KINDS) == sum(len(area.KINDS) for area in AREAS)
    assert len(EVENTS) == len(EVENT_TYPES)
    assert len(COMMANDS) == len(DECISIONS) == sum(len(area.DECISIONS) for area in AREAS)


def test_every_command_that_nothing_is_derived_from_is_decided() -> None:
    leaves = {c for c in descendants(Command) if c.__module__.startswith("domain.") and not c.__subclasses__()}
    assert leaves <= set(DECISIONS)


@pytest.mark.parametrize("event", EVENT_TYPES, ids=lambda event: event.name)
def test_an_event_is_named_after_its_kind_and_takes_no_member_that_its_form_does_not_have(
    event: EventType[Any],
) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*", event.name)
    assert event.name.startswith(f"{EVENTS[event.name][0].name}.")
    with pytest.raises(Refused, match="further: ") as caught:
        event("/a", {"further": 1})
    assert (caught.value.rule, caught.value.resource) == ("event-well-formed", "/a")


@pytest.mark.parametrize("event", EVENT_TYPES, ids=lambda event: event.name)
def test_a_malformed_event_is_refused_without_showing_what_it_holds(event: EventType[Any]) -> None:
    canary = {name: {"canary": "canary"} for name in event.payload.__annotations__} | {"further": "canary"}
    with pytest.raises(Refused) as caught:
        event("/a", canary)
    assert "canary" not in str(caught.value).replace("canary: ", "")


def test_every_kind_belongs_to_one_of_seven_areas() -> None:
    assert {kind.service for kind in KINDS.values()} == set(SERVICES)
    assert all(kind.title for kind in KINDS.values())


def test_nothing_changes_before_it_is_created() -> None:
    for change in (event for event in EVENT_TYPES if event.name.endswith(".changed")):
        with pytest.raises(Refused) as caught:
            change.evolve(None, "/a", {})
        assert (caught.value.rule, caught.value.resource) == ("event-order", "/a")


BOUNDED = {
    "accessPolicies": "16",
    "actions": "an operator writes them",
    "addonPlans": "100, with basePlanIds",
    "assignableScopes": "2,000",
    "basePlanIds": "100, with addonPlans",
    "certificates": "8 in a trust; else the kinds of permission",
    "chain": "of one PFX of 25 KiB",
    "dataActions": "an operator writes them",
    "dnsForwarders": "16",
    "extendedKeyUsage": "6",
    "keys": "the kinds of permission",
    "nodes": "64",
    "notActions": "an operator writes them",
    "notDataActions": "an operator writes them",
    "permissions": "an operator writes them",
    "permittedNetworks": "256",
    "ports": "8",
    "quotaIds": "one of each service",
    "secrets": "the kinds of permission",
    "skuIds": "100",
    "storage": "the kinds of permission",
    "subjectAlternativeNames": "100",
}
"""What limits each list of an event; what grows with use is a resource of its own."""


def lists(schema: Any) -> Iterator[str]:
    """Yield the names of all lists in a JSON schema, but for those in JSON that is kept as it was given."""
    for name, member in schema.get("properties", {}).items() if isinstance(schema, dict) else ():
        if isinstance(member, dict) and member.get("type") == "array":
            yield name
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from lists(part)


def test_no_event_holds_a_list_that_grows_with_use() -> None:
    assert {name for event in EVENT_TYPES for name in lists(event.adapter.json_schema())} == set(BOUNDED)
