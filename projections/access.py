"""Access: may a principal do an action on a scope, who may, and what may a principal do; each answer with its path.

A principal has the roles that are assigned to it and to the groups that it is in, directly or through other groups, at
the scope and at all that enclose it. Roles add up: what one subtracts, another may grant. The owner of a subscription
has the role Owner on it without an assignment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from domain.built_in_role import BUILT_IN_ROLES, OWNER
from domain.group_membership import GROUP_MEMBERSHIP
from domain.management_group import enclosing_scopes
from domain.principal import PRINCIPAL_KINDS, principal_id
from domain.resource import Resource, World
from domain.resource_id import fold, name
from domain.role_assignment import ROLE_ASSIGNMENT
from domain.role_definition import ROLE_DEFINITION, PermissionBlock
from domain.tenancy import SUBSCRIPTION, owner_key
from domain.user import find_user
from projections.permission import Verdict, verdict

SUBSCRIPTION_OWNER = "owner of the subscription"

Reason = Literal[
    "granted",
    "condition-not-evaluated",
    "subtracted-by-role",
    "no-role-names-it",
    "principal-unknown",
    "principal-disabled",
]

_REASONS: Mapping[Verdict, tuple[Reason, str]] = {
    "granted": ("granted", "grants {action}"),
    "conditional": ("condition-not-evaluated", "grants {action} under a condition, and conditions are not evaluated"),
    "subtracted": ("subtracted-by-role", "takes {action} away by its notActions, and no other role grants it"),
}
"""What the verdicts of roles mean for the principal, the best one first."""


@dataclass(frozen=True, slots=True)
class Path:
    """How a principal comes by a role: through which groups, from its own up to the one that the role is assigned to.

    The owner of a subscription has no assignment; its `role` is then "owner of the subscription".
    """

    assignment: str | None
    role: str
    scope: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Holding:
    """A role that a principal has at a scope, and what the role permits."""

    path: Path
    permissions: Sequence[PermissionBlock]


@dataclass(frozen=True, slots=True)
class Decision:
    """May the principal: `text` says it in words; `path` grants it or, if it is denied, is what comes nearest to it."""

    allowed: bool
    reason: Reason
    text: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A user or a service principal that may, and how."""

    principal: str
    path: Path


def check(world: World, principal: str, action: str, scope: str, *, data: bool = False) -> Decision:
    """Say whether the principal (an object id) may do the action (a data action if `data`) on the scope, and why."""
    found = find_principal(world, principal)
    if found is None:
        return Decision(False, "principal-unknown", f"principal {principal} does not exist")
    if is_disabled(found):
        return Decision(False, "principal-disabled", f"{found.kind} {principal} is disabled")
    said: dict[Verdict, Path] = {}
    scopes = set(map(fold, enclosing_scopes(world, scope)))
    for holding in holdings(world, found):
        if fold(holding.path.scope) not in scopes:
            continue
        said.setdefault(verdict(holding.permissions, action, data=data), holding.path)
        if "granted" in said:
            break
    for answer, (reason, text) in _REASONS.items():
        if path := said.get(answer):
            words = f"role {path.role} at {path.scope} {text.format(action=action)}"
            return Decision(answer == "granted", reason, words, path)
    return Decision(False, "no-role-names-it", f"no role of {principal} at {scope} or above names {action}")


def who(world: World, action: str, scope: str, *, data: bool = False) -> list[Holder]:
    """Return every user and service principal that may, sorted by object id; groups stand in their paths."""
    candidates: set[str] = set()
    for enclosing in enclosing_scopes(world, scope):
        for _, assignment in ROLE_ASSIGNMENT.sources(world, enclosing, "scope"):
            role = ROLE_DEFINITION.get(world, assignment["roleDefinitionId"])
            if role is not None and verdict(role["permissions"], action, data=data) == "granted":
                candidates |= everyone_in(world, principal_id(assignment["principalId"]))
        subscription = SUBSCRIPTION.get(world, enclosing)
        owner = find_user(world, subscription["owner"]) if subscription is not None else None
        if owner is not None:
            candidates.add(owner["objectId"])
    decisions = ((principal, check(world, principal, action, scope, data=data)) for principal in sorted(candidates))
    return [Holder(principal, decision.path) for principal, decision in decisions if decision.allowed and decision.path]


def what(world: World, principal: str) -> list[Holding]:
    """Return every role that the principal has, itself or through groups, and the subscriptions that it owns.

    A disabled principal still holds its roles, though it may do nothing.
    """
    found = find_principal(world, principal)
    return [] if found is None else list(holdings(world, found))


def find_principal(world: World, principal: str) -> Resource | None:
    """Return the user, group or service principal with that object id."""
    found = world.find(principal_id(principal))
    return found if found is not None and found.kind in PRINCIPAL_KINDS else None


def is_disabled(principal: Resource) -> bool:
    """Say whether a principal may do nothing, whatever its roles; groups are never disabled."""
    return principal.state.get("accountEnabled") is False


def identities(world: World, principal: str) -> dict[str, tuple[str, ...]]:
    """Return the folded ids of a principal (a resource id) and of all groups that it is in, nearest first.

    Each has the chain of groups up to it; that of the principal itself is empty.
    """
    chains: dict[str, tuple[str, ...]] = {fold(principal): ()}
    reached = [fold(principal)]
    for member in reached:
        for _, membership in GROUP_MEMBERSHIP.sources(world, member, "member"):
            group = principal_id(membership["groupId"])
            if fold(group) not in chains:
                chains[fold(group)] = (*chains[member], group)
                reached.append(fold(group))
    return chains


def holdings(world: World, principal: Resource) -> Iterator[Holding]:
    """Yield the roles assigned to the principal, then those of its groups, nearest first, then what it owns."""
    for identity, groups in identities(world, principal.id).items():
        for _, assignment in ROLE_ASSIGNMENT.sources(world, identity, "principal"):
            role = ROLE_DEFINITION.get(world, assignment["roleDefinitionId"])
            if role is not None:
                path = Path(assignment["id"], role["roleName"], assignment["scope"], groups)
                yield Holding(path, role["permissions"])
    if principal.kind == "user":
        owner = owner_key(str(principal.state["userPrincipalName"]))
        for subscription, _ in SUBSCRIPTION.sources(world, owner, "owner"):
            yield Holding(Path(None, SUBSCRIPTION_OWNER, subscription), BUILT_IN_ROLES[OWNER]["permissions"])


def everyone_in(world: World, principal: str) -> set[str]:
    """Return the object ids of all users and service principals that a principal (a resource id) is or holds."""
    everyone = set()
    seen = {fold(principal)}
    reached = [principal]
    for current in reached:
        found = world.find(current)
        if found is not None and found.kind != "group":
            everyone.add(name(found.id))
        for _, membership in GROUP_MEMBERSHIP.sources(world, current, "group"):
            member = principal_id(membership["memberId"])
            if fold(member) not in seen:
                seen.add(fold(member))
                reached.append(member)
    return everyone
