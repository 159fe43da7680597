"""Plans: the services that a subscriber gets, as one quota of each."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Guid, Id, Ids, Lines, Name, Prepared, Text, Texts
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.quota import SERVICE_OF_KIND
from domain.removal import must_be_unused
from domain.resource import Kind, Link, World
from domain.tenancy import need_provider, need_resource_group, resource_group_id, resource_group_of

Skus = Annotated[Texts, Field(max_length=100)]


@with_config(STRICT)
class PlanChanges(TypedDict, total=False):
    """The fields that replace those before."""

    displayName: str
    description: str
    externalReferenceId: str
    quotaIds: list[str]
    skuIds: list[str]


@with_config(STRICT)
class PlanFields(TypedDict):
    """Names as in Microsoft.Subscriptions.Admin 2015-11-01; `quotaIds` holds at most one quota of each service."""

    name: str
    displayName: str
    description: NotRequired[str]
    externalReferenceId: NotRequired[str]
    quotaIds: list[str]
    skuIds: list[str]


class Plan(PlanFields):
    """The state of a plan."""

    id: str


PlanCreated = EventType("plan.created", PlanFields, created)
PlanChanged = EventType("plan.changed", PlanChanges, changed)
PlanDeleted = EventType("plan.deleted", Nothing, deleted)


def _links(state: Plan) -> Iterable[Link]:
    yield "resource_group", resource_group_of(state["id"])
    for quota in state["quotaIds"]:
        yield "quota", quota


PLAN = Kind[Plan](
    "plan", "subscriptions", "plan", (PlanCreated, PlanChanged, PlanDeleted), _links, ("quotaIds",), state=Plan
)


def plan_id(provider_subscription_guid: str, resource_group: str, name: str) -> str:
    """Return the id of a plan in a resource group of a provider subscription."""
    group = resource_group_id(provider_subscription_guid, resource_group)
    return resource_id.provided(group, "Microsoft.Subscriptions.Admin", "plans", name)


class CreatePlan(Command):
    """Create a plan of quotas, at most one of each service; a service without a quota is not part of the plan."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/plans/write"

    provider_subscription_id: Guid
    resource_group: Name
    name: Name
    display_name: Text
    description: Lines | None = None
    external_reference_id: Text | None = None
    quota_ids: Ids = ()
    sku_ids: Skus = ()

    def scope(self) -> str:
        return plan_id(self.provider_subscription_id, self.resource_group, self.name)


class UpdatePlan(Command):
    """Change the fields that are given. Other quotas reach all subscriptions of the plan at once."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/plans/write"

    id: Id
    display_name: Text | None = None
    description: Lines | None = None
    external_reference_id: Text | None = None
    quota_ids: Ids | None = None
    sku_ids: Skus | None = None

    def scope(self) -> str:
        return self.id


class DeletePlan(Command):
    """Delete a plan that no offer links and no subscription has acquired."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/plans/delete"

    id: Id

    def scope(self) -> str:
        return self.id


def create_plan(world: World, now: str, prepared: Prepared, command: CreatePlan) -> list[Event]:
    """The subscription is the provider's, the name is free, and the quotas exist."""
    plan = command.scope()
    need_provider(world, command.provider_subscription_id)
    need_resource_group(world, resource_group_of(plan))
    PLAN.must_be_new(world, plan)
    fields: PlanFields = {**given(PlanFields, command), "quotaIds": _quotas(world, plan, command.quota_ids)}
    return [PlanCreated(plan, fields)]


def update_plan(world: World, now: str, prepared: Prepared, command: UpdatePlan) -> list[Event]:
    """The quotas exist."""
    plan = PLAN.need(world, command.id, rule="plan-exists")
    changes = differing(PlanChanges, plan, command)
    if "quotaIds" in changes:
        changes["quotaIds"] = _quotas(world, plan["id"], changes["quotaIds"])
        if changes["quotaIds"] == plan["quotaIds"]:
            del changes["quotaIds"]
    return [PlanChanged(plan["id"], changes)] if changes else []


def delete_plan(world: World, now: str, prepared: Prepared, command: DeletePlan) -> list[Event]:
    """Nothing uses the plan."""
    plan = PLAN.need(world, command.id, rule="plan-exists")
    must_be_unused(world, plan["id"], "base_plan", "addon_plan", "plan", rule="plan-unused")
    return [PlanDeleted(plan["id"], Nothing())]


def _quotas(world: World, plan: str, quota_ids: Iterable[str]) -> list[str]:
    """Return the ids as the quotas write them, or refuse."""
    by_service: dict[str, str] = {}
    for quota_id in quota_ids:
        quota = world.find(quota_id)
        if quota is None or quota.kind not in SERVICE_OF_KIND:
            raise Refused(f"quota {quota_id} does not exist: create it first", rule="quota-exists", resource=quota_id)
        service = SERVICE_OF_KIND[quota.kind]
        if service in by_service:
            raise Refused(
                f"plan {plan} would hold two {service} quotas, {by_service[service]} and {quota.id}: choose one",
                rule="one-quota-per-service",
                resource=plan,
            )
        by_service[service] = quota.id
    return list(by_service.values())


DECISIONS = {CreatePlan: create_plan, UpdatePlan: update_plan, DeletePlan: delete_plan}
KINDS = (PLAN,)
