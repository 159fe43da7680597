"""Policy definitions: rules for what may be created, with parameters that an assignment fills in."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, NotRequired, cast

from pydantic import AfterValidator, Field, JsonValue, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Id, Lines, Name, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.removal import must_be_unused
from domain.resource import Kind, Link, World
from domain.resource_id import fold
from domain.scope import MANAGEMENT_GROUP_TYPE, SUBSCRIPTION_TYPE, need_scope, resource_type

DEFINITION_TYPES = frozenset({"", fold(SUBSCRIPTION_TYPE), fold(MANAGEMENT_GROUP_TYPE)})
"""The types of scope that hold definitions; that of the root '/' is empty."""

PolicyType = Literal["NotSpecified", "BuiltIn", "Custom"]
Mode = Literal["NotSpecified", "Indexed", "All"]
JsonObject = dict[str, JsonValue]
JsonList = list[JsonValue]


def _checked_parameter(parameter: JsonObject) -> JsonObject:
    if not isinstance(parameter.get("type"), str) or not isinstance(parameter.get("allowedValues", []), list):
        raise ValueError("a parameter has a 'type', and its 'allowedValues', if any, are a list")
    return parameter


ParameterName = Annotated[str, Field(min_length=1, max_length=128)]

ParameterDefinitions = dict[ParameterName, Annotated[JsonObject, AfterValidator(_checked_parameter)]]
"""Each parameter's `type`, `defaultValue`, `allowedValues` and `metadata`; further fields are stored as they are."""

ParameterValues = dict[ParameterName, Annotated[dict[Literal["value"], JsonValue], Field(min_length=1)]]
"""What an assignment gives each parameter: `{"value": …}`."""


@with_config(STRICT)
class PolicyDefinitionFields(TypedDict):
    """Names as in Microsoft.Authorization 2016-12-01. The rule is stored whole, whether or not it can be evaluated."""

    policyType: PolicyType
    mode: Mode
    displayName: NotRequired[str]
    description: NotRequired[str]
    policyRule: JsonObject
    metadata: NotRequired[JsonObject]
    parameters: NotRequired[ParameterDefinitions]


class PolicyDefinition(PolicyDefinitionFields):
    """The state of a policy definition."""

    id: str


@with_config(STRICT)
class PolicyDefinitionChange(TypedDict, total=False):
    """The fields that changed."""

    mode: Mode
    displayName: str
    description: str
    policyRule: JsonObject
    metadata: JsonObject
    parameters: ParameterDefinitions


PolicyDefined = EventType("policy-definition.created", PolicyDefinitionFields, created)
PolicyDefinitionChanged = EventType("policy-definition.changed", PolicyDefinitionChange, changed)
PolicyDefinitionDeleted = EventType("policy-definition.deleted", Nothing, deleted)


def _links(state: PolicyDefinition) -> Iterable[Link]:
    yield "defined_at", resource_id.extended_scope(state["id"])


POLICY_DEFINITION = Kind[PolicyDefinition](
    "policy-definition",
    "roles",
    "policy definition",
    (PolicyDefined, PolicyDefinitionChanged, PolicyDefinitionDeleted),
    _links,
    state=PolicyDefinition,
)


def policy_definition_id(scope: str, name: str) -> str:
    """Return `{scope}/providers/Microsoft.Authorization/policyDefinitions/{name}`."""
    return resource_id.provided(scope, "Microsoft.Authorization", "policyDefinitions", name)


class DefinePolicy(Command):
    """Define a policy at the root '/', a management group or a subscription; it can be assigned there and below."""

    action: ClassVar[str] = "Microsoft.Authorization/policyDefinitions/write"

    name: Name
    policy_rule: JsonObject
    scope_id: Id = "/"
    policy_type: PolicyType = "Custom"
    mode: Mode = "All"
    display_name: Text | None = None
    description: Lines | None = None
    metadata: JsonObject | None = None
    parameters: ParameterDefinitions | None = None

    def scope(self) -> str:
        return self.scope_id


class UpdatePolicy(Command):
    """Change the given fields of a policy definition; a given object replaces the whole one before."""

    action: ClassVar[str] = "Microsoft.Authorization/policyDefinitions/write"

    id: Id
    policy_rule: JsonObject | None = None
    mode: Mode | None = None
    display_name: Text | None = None
    description: Lines | None = None
    metadata: JsonObject | None = None
    parameters: ParameterDefinitions | None = None

    def scope(self) -> str:
        return resource_id.extended_scope(self.id)


class DeletePolicy(Command):
    """Delete a policy definition that is assigned nowhere."""

    action: ClassVar[str] = "Microsoft.Authorization/policyDefinitions/delete"

    id: Id

    def scope(self) -> str:
        return resource_id.extended_scope(self.id)


def define_policy(world: World, now: str, prepared: Prepared, command: DefinePolicy) -> list[Event]:
    """The name is new, the scope exists and may hold definitions, and the rule has the form of a rule."""
    definition = policy_definition_id(command.scope_id, command.name)
    POLICY_DEFINITION.must_be_new(world, definition)
    if fold(resource_type(need_scope(world, command.scope_id))) not in DEFINITION_TYPES:
        raise Refused(
            f"policy definition {definition} would stand at {command.scope_id}: "
            "define it at '/', a management group or a subscription, and assign it there",
            rule="policy-definition-scope",
            resource=definition,
        )
    _must_be_rule(definition, command.policy_rule)
    return [PolicyDefined(definition, given(PolicyDefinitionFields, command))]


def update_policy(world: World, now: str, prepared: Prepared, command: UpdatePolicy) -> list[Event]:
    """The definition exists, and the parameters of its assignments still fit it."""
    definition = POLICY_DEFINITION.need(world, command.id, rule="policy-exists")
    if command.policy_rule is not None:
        _must_be_rule(definition["id"], command.policy_rule)
    change = differing(PolicyDefinitionChange, definition, command)
    if "parameters" in change:
        for source in world.sources(definition["id"], "policy_definition"):
            assignment = world.find(source)
            if assignment is not None:
                values = cast(ParameterValues, assignment.state.get("parameters", {}))
                must_fit(change["parameters"], values, assignment.id)
    return [PolicyDefinitionChanged(definition["id"], change)] if change else []


def delete_policy(world: World, now: str, prepared: Prepared, command: DeletePolicy) -> list[Event]:
    """No assignment uses the definition."""
    definition = POLICY_DEFINITION.need(world, command.id, rule="policy-exists")
    must_be_unused(world, definition["id"], "policy_definition", rule="policy-unassigned")
    return [PolicyDefinitionDeleted(definition["id"], Nothing())]


def must_fit(parameters: ParameterDefinitions, values: ParameterValues, assignment: str) -> None:
    """Refuse unless the assignment gives every required parameter, none that is unknown, and only allowed values."""
    for name in values:
        if name not in parameters:
            raise _misfit(assignment, f"gives a parameter {name!r} that its policy does not have: leave it out")
    for name, parameter in parameters.items():
        if name not in values:
            if "defaultValue" not in parameter:
                raise _misfit(assignment, f"lacks the parameter {name!r}, which has no default: give it a value")
        elif "allowedValues" in parameter and values[name]["value"] not in cast(JsonList, parameter["allowedValues"]):
            raise _misfit(assignment, f"gives {name!r} a value that is not allowed: choose one of its allowed values")


def values_of(definition: PolicyDefinition, values: ParameterValues) -> dict[str, JsonValue]:
    """Return the value of every parameter of the definition: the assignment's or the default."""
    defaults = {n: p["defaultValue"] for n, p in definition.get("parameters", {}).items() if "defaultValue" in p}
    return defaults | {name: chosen["value"] for name, chosen in values.items()}


def _misfit(assignment: str, why: str) -> Refused:
    return Refused(f"policy assignment {assignment} {why}", rule="policy-parameters-fit", resource=assignment)


def _must_be_rule(definition: str, rule: JsonObject) -> None:
    then = rule.get("then")
    if not isinstance(rule.get("if"), dict) or not isinstance(then, dict) or not isinstance(then.get("effect"), str):
        raise Refused(
            f"policy definition {definition} has no rule: give it an 'if' with a condition and a 'then' with an effect",
            rule="policy-rule-has-if-and-then",
            resource=definition,
        )


DECISIONS = {DefinePolicy: define_policy, UpdatePolicy: update_policy, DeletePolicy: delete_policy}
KINDS = (POLICY_DEFINITION,)
