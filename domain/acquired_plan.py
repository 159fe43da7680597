"""Acquired plans: the add-on plans that a subscription took beyond the base plans of its offer."""

from collections.abc import Iterable
from typing import ClassVar, Literal, NotRequired

from pydantic import with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Guid, Id, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, created, deleted
from domain.offer import OFFER, addon_of
from domain.resource import Kind, Link, World, key
from domain.tenancy import need_enabled, subscription_id, subscription_of


@with_config(STRICT)
class AcquiredPlanFields(TypedDict):
    """Names as in the plan acquisitions of Microsoft.Subscriptions.Admin 2015-11-01."""

    acquisitionId: str
    planId: str
    externalReferenceId: NotRequired[str]
    provisioningState: Literal["Succeeded"]
    acquisitionTime: str


class AcquiredPlan(AcquiredPlanFields):
    """The state of an acquired plan."""

    id: str


PlanAcquired = EventType("acquired-plan.created", AcquiredPlanFields, created)
PlanReleased = EventType("acquired-plan.deleted", Nothing, deleted)


def acquisition_key(subscription: str, plan: str) -> str:
    """Return the target of the link that counts how many times a subscription has a plan."""
    return key("acquired-plan", subscription, plan)


def _links(state: AcquiredPlan) -> Iterable[Link]:
    yield "acquirer", subscription_of(state["id"])
    yield "plan", state["planId"]
    yield "key", acquisition_key(subscription_of(state["id"]), state["planId"])


ACQUIRED_PLAN = Kind[AcquiredPlan](
    "acquired-plan",
    "subscriptions",
    "acquired plan",
    (PlanAcquired, PlanReleased),
    _links,
    ("planId",),
    state=AcquiredPlan,
)


def acquired_plan_id(subscription: str, acquisition_id: str) -> str:
    """Return `{subscription id}/providers/Microsoft.Subscriptions.Admin/acquiredPlans/{acquisition id}`."""
    return resource_id.provided(subscription, "Microsoft.Subscriptions.Admin", "acquiredPlans", acquisition_id)


class AcquirePlan(Command):
    """Add an add-on plan of its offer to a subscription. Without `acquisition_id` one is drawn."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/acquiredPlans/write"

    subscription_id: Guid
    plan_id: Id
    acquisition_id: Guid | None = None
    external_reference_id: Text | None = None

    def scope(self) -> str:
        return subscription_id(self.subscription_id)


class ReleasePlan(Command):
    """Give an acquired plan back; its quotas no longer count."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/acquiredPlans/delete"

    id: Id

    def scope(self) -> str:
        return self.id


def acquire_plan(world: World, now: str, prepared: Prepared, command: AcquirePlan) -> list[Event]:
    """The subscription is Enabled, and its offer has the plan as an add-on that may be acquired once more."""
    subscription = need_enabled(world, command.scope())
    acquisition = command.acquisition_id or prepared.id
    acquired = acquired_plan_id(subscription["id"], acquisition)
    ACQUIRED_PLAN.must_be_new(world, acquired)
    offer = OFFER.get(world, subscription.get("offerId", ""))
    addon = None if offer is None else addon_of(offer, command.plan_id)
    if addon is None:
        raise Refused(
            f"plan {command.plan_id} is no add-on of the offer that subscription {subscription['id']} is on: "
            "link it there first",
            rule="plan-is-addon",
            resource=subscription["id"],
        )
    held = len(world.sources(acquisition_key(subscription["id"], addon["planId"]), "key"))
    if held >= addon["maxAcquisitionCount"]:
        raise Refused(
            f"subscription {subscription['id']} has plan {addon['planId']} {held} times already, "
            f"{addon['maxAcquisitionCount']} at most: release one first",
            rule="plan-max-acquisition-count",
            resource=subscription["id"],
        )
    fields = AcquiredPlanFields(
        acquisitionId=acquisition, planId=addon["planId"], provisioningState="Succeeded", acquisitionTime=now
    )
    if command.external_reference_id is not None:
        fields["externalReferenceId"] = command.external_reference_id
    return [PlanAcquired(acquired, fields)]


def release_plan(world: World, now: str, prepared: Prepared, command: ReleasePlan) -> list[Event]:
    """The acquired plan exists."""
    acquired = ACQUIRED_PLAN.need(world, command.id, rule="acquired-plan-exists", advice="it may be released already")
    return [PlanReleased(acquired["id"], Nothing())]


DECISIONS = {AcquirePlan: acquire_plan, ReleasePlan: release_plan}
KINDS = (ACQUIRED_PLAN,)
