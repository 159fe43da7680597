"""Answers: a sample of what a state answers about access, quotas and logging in, to hold a later release to.

A question is plain JSON, so that it can be stored beside its answer and asked again of a state that was rebuilt.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

from domain.errors import NotFound
from domain.resource import World
from domain.resource_id import name
from domain.role_assignment import ROLE_ASSIGNMENT
from projections import access, login
from projections.login import LoginAllowed
from projections.quota import effective_quotas

SAMPLES = 200
"""Of each kind of resource that is asked about, at most."""

ACTIONS = (
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.KeyVault/vaults/write",
    "Microsoft.Subscriptions.Admin/offers/write",
    "Resurgam.Certificates/roots/write",
)
"""What is asked of principals: some that nearly every role grants, and some that few do."""

ROOT_SCOPE = "/"

Question = Mapping[str, str]
"""`ask` names the kind of question, and the other members what it is about."""

Draw = Callable[[str, int], str | None]
"""(kind, number) -> the folded id of a resource of that kind; the number chooses which. None if there is none."""


def questions(world: World, draw: Draw, seed: bytes) -> Iterator[Question]:
    """Yield the questions to ask of a state, the same ones for the same state and seed. Takes O(samples)."""
    principals = [name(one) for kind in ("user", "service-principal") for one in _drawn(draw, kind, seed)]
    subscriptions = list(_drawn(draw, "subscription", seed))
    for assignment in _drawn(draw, "role-assignment", seed):
        state = ROLE_ASSIGNMENT.get(world, assignment)
        if state is not None:
            yield _access(state["principalId"], state["scope"], seed)
    for number, principal in enumerate(principals):
        yield _access(principal, subscriptions[number % len(subscriptions)] if subscriptions else ROOT_SCOPE, seed)
    for subscription in subscriptions:
        yield {"ask": "quota", "subscription": subscription}
    for principal in principals:
        yield {"ask": "login", "principal": principal}


def answer(world: World, question: Question, asked_at: str) -> Any:
    """Return the answer as plain JSON; KeyError if this release does not know the question."""
    return _ANSWERS[question["ask"]](world, question, asked_at)


def _drawn(draw: Draw, kind: str, seed: bytes) -> Iterator[str]:
    """Yield resources of a kind, none twice."""
    numbers = (_number(seed, kind, index) for index in range(SAMPLES))
    found = (resource for number in numbers if (resource := draw(kind, number)) is not None)
    yield from islice(dict.fromkeys(found), SAMPLES)


def _number(seed: bytes, *about: object) -> int:
    text = b"resurgam-answers-1\n" + seed + "\n".join(map(str, about)).encode()
    return int.from_bytes(sha256(text).digest()[:8], "big")


def _access(principal: str, scope: str, seed: bytes) -> Question:
    action = ACTIONS[_number(seed, principal, scope) % len(ACTIONS)]
    return {"ask": "access", "principal": principal, "action": action, "scope": scope}


def _answer_access(world: World, question: Question, _: str) -> Any:
    decision = access.check(world, question["principal"], question["action"], question["scope"])
    return {"allowed": decision.allowed, "reason": decision.reason}


def _answer_quota(world: World, question: Question, _: str) -> Any:
    try:
        quotas = effective_quotas(world, question["subscription"])
    except NotFound:
        return None
    return {service: dict(quota.limits) for service, quota in quotas.items()}


def _answer_login(world: World, question: Question, asked_at: str) -> Any:
    found = login.login(world, question["principal"], asked_at)
    if not isinstance(found, LoginAllowed):
        return {"allowed": False, "reason": found.reason}
    return {"allowed": True, "methods": _methods(found)}


def _methods(found: LoginAllowed) -> Sequence[Sequence[str]]:
    return sorted([credential.purpose, credential.id] for credential in found.credentials)


_ANSWERS: Mapping[str, Callable[[World, Question, str], Any]] = {
    "access": _answer_access,
    "quota": _answer_quota,
    "login": _answer_login,
}
ASKS = tuple(_ANSWERS)
