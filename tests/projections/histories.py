"""Random histories of users, groups and memberships, and what is true after each event, written down naively."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from domain.event import Event
from domain.group_membership import group_membership_id
from domain.principal import principal_id
from domain.resource_id import fold
from domain.user import user_key
from projections.fold import change
from projections.version import Change, Version
from tests.domain.scenario import encode

USERS = ("User-1", "User-2", "ÜSER-3")
GROUPS = ("Group-1", "Group-2")
NAMES = ("a@x.example", "B@x.example", "ß@x.example")

State = dict[str, Any]


@dataclass
class Truth:
    """What is true at one position, by ids in lower case and by (source, relation, target)."""

    states: dict[str, State] = field(default_factory=dict)
    links: set[tuple[str, str, str]] = field(default_factory=set)


def user_created(user: str, name: str) -> Event:
    fields = {"objectId": user, "userPrincipalName": name, "displayName": user, "accountEnabled": True}
    return Event("user.created", principal_id(user), fields)


def user_renamed(user: str, name: str) -> Event:
    return Event("user.changed", principal_id(user), {"userPrincipalName": name})


def user_deleted(user: str) -> Event:
    return Event("user.deleted", principal_id(user), {})


def member_added(group: str, member: str) -> Event:
    membership = group_membership_id(principal_id(group), member)
    return Event("group-membership.created", membership, {"groupId": group, "memberId": member})


def member_removed(group: str, member: str) -> Event:
    return Event("group-membership.deleted", group_membership_id(principal_id(group), member), {})


STEPS = st.one_of(
    st.builds(user_created, st.sampled_from(USERS), st.sampled_from(NAMES)),
    st.builds(user_renamed, st.sampled_from(USERS), st.sampled_from(NAMES)),
    st.builds(user_deleted, st.sampled_from(USERS)),
    st.builds(member_added, st.sampled_from(GROUPS), st.sampled_from(USERS)),
    st.builds(member_removed, st.sampled_from(GROUPS), st.sampled_from(USERS)),
)


@st.composite
def histories(draw: st.DrawFn, max_size: int = 30) -> list[Event]:
    """Return events that can follow one another: nothing is changed or deleted that does not exist."""
    exists: set[str] = set()
    happened = []
    for event in draw(st.lists(STEPS, max_size=max_size)):
        key, verb = lower(event.resource), event.type.split(".")[1]
        if (verb == "created") == (key in exists):
            continue
        (exists.add if verb == "created" else exists.discard)(key) if verb != "changed" else None
        happened.append(event)
    return happened


def truths(happened: Sequence[Event]) -> list[Truth]:
    """Return what is true at each position from 0 on."""
    found = [Truth()]
    for event in happened:
        states = dict(found[-1].states)
        key = lower(event.resource)
        if event.type.endswith(".deleted"):
            del states[key]
        else:
            states[key] = {**states.get(key, {"id": event.resource}), **event.payload}
        found.append(Truth(states, {link for source, state in states.items() for link in links(source, state)}))
    return found


def changes(happened: Sequence[Event]) -> list[Change]:
    """Return the changes of a history that begins at position 1."""
    current: dict[str, Version] = {}
    steps = []
    for position, event in enumerate(happened, 1):
        step = change(current.get(fold(event.resource)), position, [event], encode)
        current[step.after.resource] = step.after
        steps.append(step)
    return steps


def links(source: str, state: State) -> list[tuple[str, str, str]]:
    """Return the links of a state."""
    if "userPrincipalName" in state:
        return [(source, "key", user_key(state["userPrincipalName"]))]
    group, member = lower(principal_id(state["groupId"])), lower(principal_id(state["memberId"]))
    return [(source, "group", group), (source, "member", member)]


def lower(text: str) -> str:
    """Return the folded form; `ß` is folded to `ss`."""
    return text.lower().replace("ß", "ss")
