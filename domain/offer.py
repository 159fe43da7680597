"""Offers: what users subscribe to, as base plans that every subscription gets and add-on plans that it may acquire."""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal, NotRequired

from pydantic import BaseModel, Field, with_config
from typing_extensions import TypedDict

from domain import resource_id
from domain.command import Command, Guid, Id, Ids, Lines, Name, Prepared, Text
from domain.errors import Refused
from domain.event import STRICT, Event, EventType, Nothing, changed, created, deleted
from domain.fields import differing, given
from domain.plan import PLAN
from domain.removal import must_be_unused
from domain.resource import Kind, Link, World
from domain.resource_id import fold
from domain.tenancy import SUBSCRIPTION, need_provider, need_resource_group, resource_group_id, resource_group_of

PLANS_MAX = 100
"""Plans that one offer links, of both types together."""

AccessibilityState = Literal["Private", "Public", "Decommissioned"]
"""Only the operator subscribes users to a Private offer, and nobody to a Decommissioned one; subscriptions stay."""

Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
AcquisitionCount = Annotated[int, Field(ge=1, le=2**31 - 1)]


@with_config(STRICT)
class AddonPlan(TypedDict):
    """A plan that a subscription may acquire, and how many times."""

    planId: str
    maxAcquisitionCount: int


@with_config(STRICT)
class OfferChanges(TypedDict, total=False):
    """The fields that replace those before."""

    displayName: str
    description: str
    externalReferenceId: str
    state: AccessibilityState
    basePlanIds: list[str]
    addonPlans: list[AddonPlan]
    maxSubscriptionsPerAccount: int


@with_config(STRICT)
class OfferFields(TypedDict):
    """Names as in Microsoft.Subscriptions.Admin 2015-11-01; a maximum of 0 subscriptions per account is none."""

    name: str
    displayName: str
    description: NotRequired[str]
    externalReferenceId: NotRequired[str]
    state: AccessibilityState
    basePlanIds: list[str]
    addonPlans: list[AddonPlan]
    maxSubscriptionsPerAccount: int


class Offer(OfferFields):
    """The state of an offer."""

    id: str


OfferCreated = EventType("offer.created", OfferFields, created)
OfferChanged = EventType("offer.changed", OfferChanges, changed)
OfferDeleted = EventType("offer.deleted", Nothing, deleted)


def _links(state: Offer) -> Iterable[Link]:
    yield "resource_group", resource_group_of(state["id"])
    for plan in state["basePlanIds"]:
        yield "base_plan", plan
    for addon in state["addonPlans"]:
        yield "addon_plan", addon["planId"]


OFFER = Kind[Offer](
    "offer",
    "subscriptions",
    "offer",
    (OfferCreated, OfferChanged, OfferDeleted),
    _links,
    ("basePlanIds", "addonPlans"),
    state=Offer,
)


def offer_id(provider_subscription_guid: str, resource_group: str, name: str) -> str:
    """Return the id of an offer in a resource group of a provider subscription."""
    group = resource_group_id(provider_subscription_guid, resource_group)
    return resource_id.provided(group, "Microsoft.Subscriptions.Admin", "offers", name)


def addon_of(offer: Offer, plan: str) -> AddonPlan | None:
    """Return how the offer links the plan as an add-on."""
    return next((addon for addon in offer["addonPlans"] if fold(addon["planId"]) == fold(plan)), None)


class AddonPlanLink(BaseModel):
    """An add-on plan of a new offer."""

    model_config = Command.model_config

    plan_id: Id
    max_acquisition_count: AcquisitionCount = 1


class CreateOffer(Command):
    """Create an offer. A Public one needs a base plan."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/offers/write"

    provider_subscription_id: Guid
    resource_group: Name
    name: Name
    display_name: Text
    description: Lines | None = None
    external_reference_id: Text | None = None
    state: AccessibilityState = "Private"
    base_plan_ids: Ids = ()
    addon_plans: Annotated[tuple[AddonPlanLink, ...], Field(strict=False)] = ()
    max_subscriptions_per_account: Count = 0

    def scope(self) -> str:
        return offer_id(self.provider_subscription_id, self.resource_group, self.name)


class OfferCommand(Command):
    """A command on one offer."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/offers/write"

    id: Id

    def scope(self) -> str:
        return self.id


class UpdateOffer(OfferCommand):
    """Change the fields that are given. A lower maximum ends no subscription."""

    display_name: Text | None = None
    description: Lines | None = None
    external_reference_id: Text | None = None
    max_subscriptions_per_account: Count | None = None


class ChangeOfferState(OfferCommand):
    """Say who may subscribe from now on."""

    state: AccessibilityState


class LinkPlan(OfferCommand):
    """Add a plan to an offer, or change how many times an add-on may be acquired.

    A base plan reaches all subscriptions to the offer at once.
    """

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/offers/link/action"

    plan_id: Id
    plan_link_type: Literal["Base", "Addon"] = "Base"
    max_acquisition_count: AcquisitionCount = 1


class UnlinkPlan(OfferCommand):
    """Take a plan out of an offer.

    All subscriptions lose a base plan at once; those that acquired an add-on plan keep it.
    """

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/offers/unlink/action"

    plan_id: Id


class DeleteOffer(OfferCommand):
    """Delete an offer that no subscription and no delegation uses."""

    action: ClassVar[str] = "Microsoft.Subscriptions.Admin/offers/delete"


def create_offer(world: World, now: str, prepared: Prepared, command: CreateOffer) -> list[Event]:
    """The subscription is the provider's, the name is free, and the plans exist."""
    offer = command.scope()
    need_provider(world, command.provider_subscription_id)
    need_resource_group(world, resource_group_of(offer))
    OFFER.must_be_new(world, offer)
    base_plans = [_plan(world, plan) for plan in command.base_plan_ids]
    addon_plans = [
        AddonPlan(planId=_plan(world, addon.plan_id), maxAcquisitionCount=addon.max_acquisition_count)
        for addon in command.addon_plans
    ]
    fields: OfferFields = {**given(OfferFields, command), "basePlanIds": base_plans, "addonPlans": addon_plans}
    _plans_must_fit(offer, base_plans, addon_plans)
    if command.state == "Public":
        _base_plan_must_be(offer, base_plans)
    return [OfferCreated(offer, fields)]


def update_offer(world: World, now: str, prepared: Prepared, command: UpdateOffer) -> list[Event]:
    """The offer exists."""
    offer = _need(world, command)
    changes = differing(OfferChanges, offer, command)
    return [OfferChanged(offer["id"], changes)] if changes else []


def change_offer_state(world: World, now: str, prepared: Prepared, command: ChangeOfferState) -> list[Event]:
    """An offer that becomes Public has a base plan."""
    offer = _need(world, command)
    if command.state == offer["state"]:
        return []
    if command.state == "Public":
        _base_plan_must_be(offer["id"], offer["basePlanIds"])
    return [OfferChanged(offer["id"], OfferChanges(state=command.state))]


def link_plan(world: World, now: str, prepared: Prepared, command: LinkPlan) -> list[Event]:
    """The plan exists, and the offer does not link it as the other type."""
    offer = _need(world, command)
    plan = _plan(world, command.plan_id)
    if command.plan_link_type == "Base":
        if plan in offer["basePlanIds"]:
            return []
        changes = OfferChanges(basePlanIds=[*offer["basePlanIds"], plan])
    else:
        addon = AddonPlan(planId=plan, maxAcquisitionCount=command.max_acquisition_count)
        if addon in offer["addonPlans"]:
            return []
        others = [other for other in offer["addonPlans"] if other["planId"] != plan]
        changes = OfferChanges(addonPlans=[*others, addon])
    _plans_must_fit(
        offer["id"], changes.get("basePlanIds", offer["basePlanIds"]), changes.get("addonPlans", offer["addonPlans"])
    )
    return [OfferChanged(offer["id"], changes)]


def unlink_plan(world: World, now: str, prepared: Prepared, command: UnlinkPlan) -> list[Event]:
    """The offer links the plan; its last base plan stays while it is Public or anybody has subscribed."""
    offer = _need(world, command)
    plan = fold(command.plan_id)
    base_plans = [other for other in offer["basePlanIds"] if fold(other) != plan]
    addon_plans = [other for other in offer["addonPlans"] if fold(other["planId"]) != plan]
    if len(base_plans) < len(offer["basePlanIds"]):
        if offer["state"] == "Public" or SUBSCRIPTION.sources(world, offer["id"], "offer"):
            _base_plan_must_be(offer["id"], base_plans)
        return [OfferChanged(offer["id"], OfferChanges(basePlanIds=base_plans))]
    if len(addon_plans) < len(offer["addonPlans"]):
        return [OfferChanged(offer["id"], OfferChanges(addonPlans=addon_plans))]
    raise Refused(
        f"offer {offer['id']} does not link plan {command.plan_id}: correct the id",
        rule="plan-linked",
        resource=offer["id"],
    )


def delete_offer(world: World, now: str, prepared: Prepared, command: DeleteOffer) -> list[Event]:
    """Nothing uses the offer."""
    offer = _need(world, command)
    must_be_unused(world, offer["id"], "offer", rule="offer-unused")
    return [OfferDeleted(offer["id"], Nothing())]


def _need(world: World, command: OfferCommand) -> Offer:
    return OFFER.need(world, command.id, rule="offer-exists")


def _plan(world: World, plan: str) -> str:
    return PLAN.need(world, plan, rule="plan-exists")["id"]


def _plans_must_fit(offer: str, base_plans: Sequence[str], addon_plans: Sequence[AddonPlan]) -> None:
    plans = [*base_plans, *(addon["planId"] for addon in addon_plans)]
    if len(plans) > PLANS_MAX:
        raise Refused(
            f"offer {offer} would link {len(plans)} plans: {PLANS_MAX} at most", rule="offer-plans-max", resource=offer
        )
    twice = next((plan for plan in plans if plans.count(plan) > 1), None)
    if twice is not None:
        raise Refused(
            f"offer {offer} would link plan {twice} twice: link it once, as Base or as Addon",
            rule="plan-linked-once",
            resource=offer,
        )


def _base_plan_must_be(offer: str, base_plans: Sequence[str]) -> None:
    if not base_plans:
        raise Refused(
            f"offer {offer} would have no base plan, and its subscriptions nothing: link another base plan first",
            rule="offer-has-base-plan",
            resource=offer,
        )


DECISIONS = {
    CreateOffer: create_offer,
    UpdateOffer: update_offer,
    ChangeOfferState: change_offer_state,
    LinkPlan: link_plan,
    UnlinkPlan: unlink_plan,
    DeleteOffer: delete_offer,
}
KINDS = (OFFER,)
