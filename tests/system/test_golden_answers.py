"""Golden answers: a small estate over all areas, with answers written by hand from the rules, which never change.

Whoever changes one of them changes what a recovered deployment promises to its operators and tenants.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from domain.errors import Refused
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import parse
from infra.control_plane.when import When
from infra.keys.password import TEST_COST
from infra.state.snapshot import Snapshot
from projections import access, admission, quota, vault_access
from tests.infra.control_plane.installation import ACTOR, ROOT_KEY, install
from tests.system.recorded_history import Places

GOLDEN = Path(__file__).parent.parent / "golden"
ANSWERS: dict[str, Any] = json.loads((GOLDEN / "answers.json").read_text())
IDS: dict[str, str] = ANSWERS["ids"]

Question = dict[str, Any]


def named(question: Question) -> str:
    """Return what the question is about, as the name of its test."""
    return " ".join(str(question[part]) for part in ("at", "may", "do", "on", "in", "of") if part in question)


class Estate:
    """The golden estate in a store; `outcomes` holds each line's last position, or the rule that refused it."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.installed_at = plane.head().position
        self.outcomes = [self._record(line) for line in (GOLDEN / "estate.jsonl").read_bytes().splitlines()]

    @contextmanager
    def at(self, question: Question) -> Iterator[Snapshot]:
        """Read the state at the position that the question is about, which is a command's end."""
        with self.plane.read(When("golden", position=question["at"])) as reading:
            assert reading.state.position == question["at"]
            yield reading.state

    def _record(self, line: bytes) -> int | str:
        try:
            return self.plane.execute(parse(line), ACTOR).last
        except Refused as refusal:
            return refusal.rule


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def estate(request: pytest.FixtureRequest, places: Places) -> Iterator[Estate]:
    with places.store(request.param) as database:
        install(database, json.loads((GOLDEN / "inputs.json").read_text()))
        yield Estate(ControlPlane(database, ROOT_KEY, cost=TEST_COST))


def test_every_line_is_recorded_or_refused_as_the_rules_say(estate: Estate) -> None:
    assert estate.installed_at == ANSWERS["installed_at"]
    assert estate.outcomes == ANSWERS["outcomes"]


@pytest.mark.parametrize("question", ANSWERS["state"], ids=named)
def test_the_state_at_a_position(estate: Estate, question: Question) -> None:
    with estate.at(question) as state:
        found = state.find(IDS[question["of"]])
    expected = question["is"]
    if found is None or expected is None:
        assert (found, expected) == (None, None)
    else:
        assert {path: _member(found.state, path) for path in expected} == expected


def _member(state: Any, path: str) -> Any:
    """Return a member of a state by its dotted path; None if it is absent."""
    for name in path.split("."):
        state = state.get(name, {})
    return None if state == {} else state


@pytest.mark.parametrize("question", ANSWERS["counts"], ids=named)
def test_how_many_resources_exist_at_a_position(estate: Estate, question: Question) -> None:
    with estate.at(question) as state:
        assert state.counts() == question["are"]


@pytest.mark.parametrize("question", ANSWERS["access"], ids=named)
def test_who_may_at_a_position(estate: Estate, question: Question) -> None:
    with estate.at(question) as state:
        decision = access.check(state, IDS[question["may"]], question["do"], IDS[question["on"]])
    assert decision.allowed == question["is"], decision.text


@pytest.mark.parametrize("question", ANSWERS["vault_access"], ids=named)
def test_who_may_use_a_vault_at_a_position(estate: Estate, question: Question) -> None:
    with estate.at(question) as state:
        decision = vault_access.vault_check(state, IDS[question["may"]], question["do"], IDS[question["in"]])
    assert decision.allowed == question["is"], decision.text


@pytest.mark.parametrize("question", ANSWERS["quotas"], ids=named)
def test_the_effective_quotas_at_a_position(estate: Estate, question: Question) -> None:
    with estate.at(question) as state:
        quotas = quota.effective_quotas(state, IDS[question["of"]])
    assert {service: dict(offered.limits) for service, offered in quotas.items()} == question["are"]


@pytest.mark.parametrize("question", ANSWERS["admission"], ids=named)
def test_what_is_admitted_at_a_position(estate: Estate, question: Question) -> None:
    scope, resource = IDS[question["on"]], question.get("resource")
    with estate.at(question) as state:
        found = admission.admit(state, scope, question["request"], question["use"], resource)
    violations = [[v.service, v.field, v.limit, v.used, v.requested] for v in found.quota.violations]
    assert (found.admitted, violations) == (question["is"], question["violations"])
