"""Writers that all want what only one of them can have, and a full scan that tells whether a rule was broken."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from domain.built_in_role import READER
from domain.errors import Refused, ResurgamError
from domain.offer import offer_id
from domain.plan import plan_id
from domain.resource import Resource
from domain.resource_id import fold
from infra.control_plane.job import Outcome
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import Request
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from tests.infra.control_plane.installation import ACTOR, PROVIDER, ROOT_KEY, request, user_id, user_request

WRITERS = 16
ROUNDS = 6
RESOURCE_GROUP = "offers"
TENANT = "33333333-3333-4333-8333-333333333333"
MAX_SUBSCRIPTIONS = 2

Answer = Outcome | ResurgamError


def prepare(plane: ControlPlane) -> None:
    """Record what the writers fight about: an owner, groups, plans and offers."""
    commands = [
        user_request(0),
        request("CreateResourceGroup", subscriptionId=PROVIDER, name=RESOURCE_GROUP, location="local"),
        create_plan("lasting"),
    ]
    for number in range(ROUNDS):
        commands += [
            create_plan(f"plan-{number}"),
            create_offer(f"limited-{number}", "lasting", maxSubscriptionsPerAccount=MAX_SUBSCRIPTIONS),
            *(request("CreateGroup", objectId=f"group-{number}-{end}", displayName=end) for end in "ab"),
            user_request(100 + number),
        ]
    for answer in plane.execute_all(commands, ACTOR):
        assert isinstance(answer, Outcome), answer


def create_plan(name: str) -> Request:
    group = {"providerSubscriptionId": PROVIDER, "resourceGroup": RESOURCE_GROUP}
    return request("CreatePlan", **group, name=name, displayName=name)


def create_offer(name: str, plan: str, **fields: Any) -> Request:
    group = {"providerSubscriptionId": PROVIDER, "resourceGroup": RESOURCE_GROUP}
    fields |= {"basePlanIds": [plan_id(PROVIDER, RESOURCE_GROUP, plan)], "state": "Public"}
    return request("CreateOffer", **group, name=name, displayName=name, **fields)


def wanted(writer: int, number: int, again: int) -> list[Request]:
    """Return what a writer asks for in a round; every writer wants the same, or what forbids what another wants.

    Whoever asks `again` was refused before, or has won: what it remembers may have been changed by others since.
    """
    odd = writer % 2
    ends = ("a", "b") if odd else ("b", "a")
    of_group, member = (f"group-{number}-{end}" for end in ends)
    plan = plan_id(PROVIDER, RESOURCE_GROUP, f"plan-{number}")
    mine = number * 100 + writer * 2 + again
    subscription = f"55555555-5555-4555-8555-{mine:012d}"
    fight = [
        request("AssignRole", scopeId="/", roleDefinitionId=READER, principalId=user_id(100 + number)),
        user_request(1_000 + mine, userPrincipalName=f"Wanted-{number}@region.example"),
        request("AddGroupMember", groupId=of_group, memberId=member),
        request("DeletePlan", id=plan) if odd else create_offer(f"offer-{mine}", f"plan-{number}"),
        request(
            "Subscribe",
            subscriptionId=subscription,
            displayName="wanted",
            owner="user-0@region.example",
            tenantId=TENANT,
            offerId=offer_id(PROVIDER, RESOURCE_GROUP, f"limited-{number}"),
        ),
    ]
    turn = (writer + number) % len(fight)
    return [*fight[turn:], *fight[:turn]]


def fight(plane: ControlPlane, writer: int, wait: Callable[[], object]) -> list[Answer]:
    """Ask for everything, round by round, the rounds begun together."""
    answers: list[Answer] = []
    for number in range(ROUNDS):
        wait()
        for command in [*wanted(writer, number, 0), *wanted(writer, number, 1)]:
            answers += plane.execute_all([command], ACTOR)
    return answers


def fight_as_threads(plane: ControlPlane) -> list[Answer]:
    """Let all writers be threads of this process."""
    barrier = threading.Barrier(WRITERS)
    answers: list[list[Answer]] = [[] for _ in range(WRITERS)]

    def run(writer: int) -> None:
        answers[writer] = fight(plane, writer, barrier.wait)

    threads = [threading.Thread(target=run, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for each in answers for answer in each]


@dataclass
class Together:
    """What the processes of a fight share; set in each by its pool."""

    barrier: Barrier | None = None


TOGETHER = Together()


def join(barrier: Barrier) -> None:
    """Begin a process of the fight."""
    TOGETHER.barrier = barrier


def fight_as_process(url: str, writer: int) -> tuple[int, list[Answer]]:
    """Be one writer with a database and a cache of its own; returns the process id too."""
    assert TOGETHER.barrier is not None
    database = open_database(url)
    try:
        return os.getpid(), fight(ControlPlane(database, ROOT_KEY, cost=TEST_COST), writer, TOGETHER.barrier.wait)
    finally:
        database.close()


def broken_rules(resources: Iterable[Resource]) -> list[str]:
    """Scan the whole state and name every rule that is broken, without asking any index or link."""
    states: dict[str, list[Any]] = {}
    for resource in resources:
        states.setdefault(resource.kind, []).append(resource.state)
    ids = {fold(each["id"]) for kind in states.values() for each in kind}
    offers = {fold(offer["id"]): offer for offer in states["offer"]}
    tenants = [each for each in states["subscription"] if "offerId" in each]
    held = Counter((fold(each["owner"]), fold(each["offerId"])) for each in tenants)
    found = [
        *repeated("user principal name", (fold(user["userPrincipalName"]) for user in states["user"])),
        *repeated(
            "assignment",
            (
                tuple(fold(each[name]) for name in ("principalId", "roleDefinitionId", "scope"))
                for each in states["role-assignment"]
            ),
        ),
        *(f"{o['id']} links {p}" for o in offers.values() for p in o["basePlanIds"] if fold(p) not in ids),
        *(f"{key} is subscribed {count} times" for key, count in held.items() if exceeds(offers[key[1]], count)),
    ]
    above: dict[str, set[str]] = {}
    for membership in states.get("group-membership", []):
        above.setdefault(fold(membership["memberId"]), set()).add(fold(membership["groupId"]))
    return found + [f"{group} is a member of itself" for group in above if group in reached(above, group)]


def repeated(what: str, keys: Any) -> list[str]:
    return [f"{what} {key} stands {count} times" for key, count in Counter(keys).items() if count > 1]


def exceeds(offer: Any, count: int) -> bool:
    most = offer["maxSubscriptionsPerAccount"]
    return bool(most) and count > most


def reached(above: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = above.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def check_winners(answers: list[Answer]) -> None:
    """Check that as many got what they wanted as could, and that every other was told the rule that kept it from it."""
    recorded = Counter(
        o.resources[0].split("/")[-2] for o in answers if isinstance(o, Outcome) and o.status == "recorded"
    )
    assert recorded["roleAssignments"] == ROUNDS
    assert recorded["subscriptions"] == ROUNDS * MAX_SUBSCRIPTIONS
    assert recorded["directoryObjects"] == ROUNDS
    assert recorded["members"] == ROUNDS
    refused = [answer for answer in answers if not isinstance(answer, Outcome)]
    assert all(isinstance(answer, Refused) for answer in refused), refused
    assert {answer.rule for answer in refused if isinstance(answer, Refused)} <= {
        "one-assignment-per-principal-role-scope",
        "user-principal-name-unique",
        "groups-form-no-cycle",
        "plan-exists",
        "plan-unused",
        "offer-max-subscriptions-per-account",
    }
