"""Policy assignments: where a policy definition applies, and with which values of its parameters."""

from collections.abc import Iterable
from typing import ClassVar, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Id, Lines, Name, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.management_group import enclosing_scopes
from domain.policy_definition import POLICY_DEFINITION, ParameterValues, PolicyDefinition, must_fit
from domain.resource import Kind, Link, World
from domain.resource_id import fold
from domain.scope import assignment_links, need_scope


@with_config(STRICT)
class PolicyAssignmentFields(TypedDict):
    """Names as in Microsoft.Authorization 2016-12-01."""

    displayName: NotRequired[str]
    description: NotRequired[str]
    policyDefinitionId: str
    scope: str
    parameters: NotRequired[ParameterValues]


class PolicyAssignment(PolicyAssignmentFields):
    """The state of a policy assignment."""

    id: str


@with_config(STRICT)
class PolicyAssignmentChange(TypedDict, total=False):
    """The fields that changed."""

    displayName: str
    description: str
    parameters: ParameterValues


PolicyAssigned = EventType("policy-assignment.created", PolicyAssignmentFields, created)
PolicyAssignmentChanged = EventType("policy-assignment.changed", PolicyAssignmentChange, changed)
PolicyUnassigned = EventType("policy-assignment.deleted", Nothing, deleted)


def _links(state: PolicyAssignment) -> Iterable[Link]:
    yield "policy_definition", state["policyDefinitionId"]
    yield from assignment_links(state["scope"])


POLICY_ASSIGNMENT = Kind[PolicyAssignment](
    "policy-assignment",
    "roles",
    "policy assignment",
    (PolicyAssigned, PolicyAssignmentChanged, PolicyUnassigned),
    _links,
    ("policyDefinitionId", "scope"),
    state=PolicyAssignment,
)


def policy_assignment_id(scope: str, name: str) -> str:
    """Return `{scope}/providers/Microsoft.Authorization/policyAssignments/{name}`."""
    return resource_id.provided(scope, "Microsoft.Authorization", "policyAssignments", name)


class AssignPolicy(Command):
    """Let a policy apply to a scope and all below it. `parameters` maps names to `{"value": …}`."""

    action: ClassVar[str] = "Microsoft.Authorization/policyAssignments/write"

    name: Name
    scope_id: Id
    policy_definition_id: Id
    parameters: ParameterValues | None = None
    display_name: Text | None = None
    description: Lines | None = None

    def scope(self) -> str:
        return self.scope_id


class UpdatePolicyAssignment(Command):
    """Change the given fields; given parameters replace all of those before."""

    action: ClassVar[str] = "Microsoft.Authorization/policyAssignments/write"

    id: Id
    parameters: ParameterValues | None = None
    display_name: Text | None = None
    description: Lines | None = None

    def scope(self) -> str:
        return resource_id.extended_scope(self.id)


class UnassignPolicy(Command):
    """Take a policy assignment away."""

    action: ClassVar[str] = "Microsoft.Authorization/policyAssignments/delete"

    id: Id

    def scope(self) -> str:
        return resource_id.extended_scope(self.id)


def assign_policy(world: World, now: str, prepared: Prepared, command: AssignPolicy) -> list[Event]:
    """The name is new there, scope and definition exist, one within the other, and the parameters fit."""
    assignment = policy_assignment_id(command.scope_id, command.name)
    POLICY_ASSIGNMENT.must_be_new(world, assignment)
    scope = need_scope(world, command.scope_id)
    definition = POLICY_DEFINITION.need(world, command.policy_definition_id, rule="policy-exists")
    defined_at = resource_id.extended_scope(definition["id"])
    if fold(defined_at) not in map(fold, enclosing_scopes(world, scope)):
        raise Refused(
            f"policy definition {definition['id']} is defined for {defined_at} and below, which {scope} is not: "
            "define it at a scope that encloses both",
            rule="policy-assignable-at-scope",
            resource=definition["id"],
        )
    fields = given(PolicyAssignmentFields, command)
    fields["policyDefinitionId"], fields["scope"] = definition["id"], scope
    must_fit(definition.get("parameters", {}), fields.get("parameters", {}), assignment)
    return [PolicyAssigned(assignment, fields)]


def update_policy_assignment(
    world: World, now: str, prepared: Prepared, command: UpdatePolicyAssignment
) -> list[Event]:
    """The assignment exists and its new parameters fit."""
    assignment = _need(world, command.id)
    change = differing(PolicyAssignmentChange, assignment, command)
    if "parameters" in change:
        must_fit(_definition(world, assignment).get("parameters", {}), change["parameters"], assignment["id"])
    return [PolicyAssignmentChanged(assignment["id"], change)] if change else []


def unassign_policy(world: World, now: str, prepared: Prepared, command: UnassignPolicy) -> list[Event]:
    """The assignment exists."""
    return [PolicyUnassigned(_need(world, command.id)["id"], Nothing())]


def _need(world: World, assignment: str) -> PolicyAssignment:
    return POLICY_ASSIGNMENT.need(world, assignment, rule="policy-assignment-exists", advice="it may be gone already")


def _definition(world: World, assignment: PolicyAssignment) -> PolicyDefinition:
    return POLICY_DEFINITION.need(world, assignment["policyDefinitionId"], rule="policy-exists")


DECISIONS = {
    AssignPolicy: assign_policy,
    UpdatePolicyAssignment: update_policy_assignment,
    UnassignPolicy: unassign_policy,
}
KINDS = (POLICY_ASSIGNMENT,)
